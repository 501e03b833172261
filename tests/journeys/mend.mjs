// A model is opened, read by hovering, found broken, and mended with the keyboard.
import { readFileSync } from "node:fs";
import path from "node:path";
import { travel } from "./vscode.mjs";

await travel(async (user) => {
  const seen = {};

  await user.open("mlp.py");
  seen.lenses = await user.lenses();
  seen.layerHover = await user.hover("self.linear1 = nn.Linear(", "linear1", "[20, 10]");
  await user.photograph("hover-on-layer");

  await user.open("mismatch.py");
  await user.squiggle();
  seen.status = await user.status("Metalens");
  await user.photograph("status");
  seen.problems = await user.problems("layer2");
  await user.run("View: Toggle Primary Side Bar Visibility");
  seen.errorHover = await user.hover("self.layer2(x)", "layer2", "layer2 expects 30");
  await user.enlargeHover(80);
  await user.photograph("squiggle-and-hover");

  seen.fixes = await user.fix("self.layer2(x)", "layer2", "in_features of layer2");
  await user.noSquiggle();
  seen.textAfterFix = await user.text();
  await user.save();
  seen.disk = readFileSync(path.join(user.place.workspace, "mismatch.py"), "utf8");
  seen.squigglesAfterSave = await user.squiggles();
  await user.photograph("mended");
  seen.notifications = await user.notifications();
  return seen;
});
