/** The pages of the rules: they ship with the extension, and open rendered, without a network. */
import { readdir } from "node:fs/promises";
import * as path from "node:path";
import { commands, type Diagnostic, Uri, window } from "vscode";

/** The command that opens the page of a rule; without an argument the user chooses one. */
export const EXPLAIN = "metalens.explainRule";

/** Makes the codes of diagnostics open their page rendered, where the server names it as a file. */
export function linkPages(diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) {
    const code = diagnostic.code;
    if (typeof code === "object" && code.target.scheme === "file") {
      const argument = encodeURIComponent(JSON.stringify([code.target.toString()]));
      diagnostic.code = { value: code.value, target: Uri.parse(`command:${EXPLAIN}?${argument}`) };
    }
  }
}

/** Shows the page with this URI, or the one that the user picks from `folder`. */
export async function explainRule(folder: string, page?: string): Promise<void> {
  const file = page === undefined ? await pick(folder) : Uri.parse(page);
  if (file !== undefined) {
    await commands.executeCommand("markdown.showPreview", file);
  }
}

async function pick(folder: string): Promise<Uri | undefined> {
  const pages = (await readdir(folder)).filter((name) => name.endsWith(".md") && name !== "README.md");
  const rules = pages.map((name) => path.basename(name, ".md")).sort();
  const rule = await window.showQuickPick(rules, { placeHolder: "The rule to explain" });
  return rule === undefined ? undefined : Uri.file(path.join(folder, `${rule}.md`));
}
