// The environment selected in VS Code has no torch; the user selects another one.
import { travel } from "./vscode.mjs";

await travel(async (user) => {
  const seen = {};

  await user.open("mismatch.py");
  seen.status = await user.status("no torch");
  await user.photograph("no-torch");
  seen.squiggles = await user.squiggles();
  await user.page.locator(".notification-toast").first().waitFor();
  seen.notifications = await user.notifications();
  await user.run("Notifications: Clear All Notifications");

  await user.run("Stub: Select Environment");
  await user.squiggle();
  seen.statusAfter = await user.status("Metalens");
  await user.run("Metalens: Restart server");
  await user.noSquiggle();
  await user.squiggle();
  await user.run("Metalens: Print debug information");
  await user.page.locator(".tab.active", { hasText: "Metalens" }).waitFor();
  seen.debug = await user.text();
  await user.photograph("debug-information");
  return seen;
});
