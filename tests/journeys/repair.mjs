// A model with three mistakes: all are seen at once, each is mended with the keyboard, and nothing is left.
import { readFileSync } from "node:fs";
import path from "node:path";
import { travel } from "./vscode.mjs";

const calls = [
  ["self.conv2(x)", "conv2", "Change in_channels of conv2 to 16"],
  ["self.fc1(x)", "fc1", "Change in_features of fc1 to 25088"],
  ["self.fc2(x)", "fc2", "Change in_features of fc2 to 64"],
];

await travel(async (user) => {
  const seen = { fixes: [] };

  await user.open("three.py");
  await user.squiggles(3);
  seen.problems = await user.problems("fc1");
  await user.photograph("three-squiggles");

  for (const [index, [line, word, title]] of calls.entries()) {
    seen.fixes.push(await user.fix(line, word, title));
    await user.squiggles(2 - index);
  }
  await user.noProblems();
  await user.photograph("no-problems");
  await user.save();
  seen.disk = readFileSync(path.join(user.place.workspace, "three.py"), "utf8");
  seen.lenses = await user.lenses();
  seen.notifications = await user.notifications();
  return seen;
});
