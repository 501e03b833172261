/**
 * The pages of the rules: they ship with the extension, and open rendered, without a network. Diagnostics link to them as
 * files; that these are shown rendered is a default in package.json.
 */
import { readdir } from "node:fs/promises";
import * as path from "node:path";
import { commands, Uri, window } from "vscode";

/** The command that opens the page of a rule. */
export const EXPLAIN = "metalens.explainRule";

/** Shows the rendered page of the rule that the user picks from `folder`. */
export async function explainRule(folder: string): Promise<void> {
  const page = await pick(folder);
  if (page !== undefined) {
    await commands.executeCommand("markdown.showPreview", page);
  }
}

async function pick(folder: string): Promise<Uri | undefined> {
  const pages = (await readdir(folder)).filter((name) => name.endsWith(".md") && name !== "README.md");
  const rules = pages.map((name) => path.basename(name, ".md")).sort();
  const rule = await window.showQuickPick(rules, { placeHolder: "The rule to explain" });
  return rule === undefined ? undefined : Uri.file(path.join(folder, `${rule}.md`));
}
