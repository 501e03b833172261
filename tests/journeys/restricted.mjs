// A folder that nobody trusts: nothing of it runs. Then the user trusts it.
import { existsSync } from "node:fs";
import path from "node:path";
import { travel } from "./vscode.mjs";

await travel(async (user) => {
  const seen = {};
  const ran = () => existsSync(path.join(user.place.home, "ran"));

  await user.open("mismatch.py");
  seen.status = await user.status("not trusted");
  await user.photograph("restricted");
  seen.squiggles = await user.squiggles();
  seen.ran = ran();
  seen.workers = user.workers().length;

  await user.run("Workspaces: Manage Workspace Trust");
  await user.page.locator(".workspace-trust-editor .monaco-button", { hasText: "Trust" }).first().click();
  await user.open("mismatch.py");
  await user.squiggle();
  seen.ranTrusted = ran();
  seen.workersTrusted = user.workers().length;
  return seen;
});
