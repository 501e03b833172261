// The page of a rule opens without a network; all is fixed at once; another context is chosen, and one is pinned.
import { travel } from "./vscode.mjs";

await travel(async (user) => {
  const seen = {};

  await user.open("many.py");
  await user.squiggles(2);
  await user.hover("self.fc2(x)", "fc2", "PyTorch would say");
  await user.photograph("explanation");
  await user.page.locator(".monaco-hover:visible a", { hasText: "linear-in-features" }).first().click();
  const page = user.page.frameLocator("iframe.webview").frameLocator("iframe#active-frame");
  seen.page = await page.locator("body", { hasText: "PyTorch says" }).innerText();
  await user.photograph("page-of-a-rule");
  await user.page.keyboard.press("Control+W");

  await user.open("many.py");
  await user.run("Metalens: Fix all in this file");
  await user.squiggles(0);
  seen.fixed = await user.text();

  seen.before = await user.lens("built as Net(10");
  await user.page.locator(".codelens-decoration a", { hasText: "built as Net(10" }).first().click();
  await user.pick("Net(40");
  seen.chosen = await user.lens("built as Net(40");
  await user.photograph("another-context");
  await user.page.locator(".codelens-decoration a", { hasText: "built as Net(40" }).first().click();
  await user.photograph("contexts");
  await user.pick("Pin Net(40");
  seen.pinned = await user.lens("from line 5");
  seen.text = await user.text();
  await user.photograph("pinned");
  seen.notifications = await user.notifications();
  return seen;
});
