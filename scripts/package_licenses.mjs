// Writes dist/LICENSES.txt: the licence of every npm package that is part of dist/extension.js, from esbuild's metafile.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const inputs = Object.keys(JSON.parse(readFileSync("dist/meta.json", "utf8")).inputs);
const folders = new Set(inputs.flatMap((file) => file.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/) ?? []));
const texts = [...folders].sort().map((folder) => {
  const { name, version } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (licence === undefined) throw new Error(`${name} has no licence file`);
  return `${name} ${version}\n\n${readFileSync(path.join(folder, licence), "utf8").trim()}\n`;
});
writeFileSync("dist/LICENSES.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
