import assert from "node:assert/strict";
import { homedir } from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { choosePythons, expand, type Machine, machine, type Sources } from "../src/python";

type Version = readonly [number, number];

/** A machine with these programs; `asked` collects every program that was started. */
function withPrograms(programs: Record<string, Version>): Machine & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    exists: (file) => file in programs,
    version: (file) => {
      asked.push(file);
      return Promise.resolve(programs[file]);
    },
  };
}

const nothing: Sources = {
  trusted: true,
  folder: "/project",
  interpreter: "",
  workerPython: "",
  environment: undefined,
  searchPath: ["/usr/bin"],
};

const picked = { path: "/envs/torch/bin/python", source: "picked" };

test("the settings come before all else, and may differ for server and worker", async () => {
  const on = withPrograms({ "/opt/new/python": [3, 12], "/opt/old/python": [3, 9], "/usr/bin/python3": [3, 11] });
  const choice = await choosePythons(
    { ...nothing, interpreter: "/opt/new/python", workerPython: "/opt/old/python", environment: picked },
    on,
  );
  assert.equal(choice.server?.path, "/opt/new/python");
  assert.equal(choice.worker?.path, "/opt/old/python");
  assert.equal(choice.worker.source, "setting metalens.worker.python");
});

test("the picked environment comes before .venv", async () => {
  const on = withPrograms({ [picked.path]: [3, 11], "/project/.venv/bin/python": [3, 11] });
  assert.equal((await choosePythons({ ...nothing, environment: picked }, on)).worker?.path, picked.path);
  assert.equal((await choosePythons(nothing, on)).worker?.path, "/project/.venv/bin/python");
});

test("an environment too old for the server still builds the models", async () => {
  const on = withPrograms({ [picked.path]: [3, 9], "/usr/bin/python3": [3, 11] });
  const choice = await choosePythons({ ...nothing, environment: picked }, on);
  assert.equal(choice.worker?.path, picked.path);
  assert.equal(choice.server?.path, "/usr/bin/python3");
});

test("an old python3 on the PATH does not hide a newer one", async () => {
  const on = withPrograms({ "/usr/bin/python3": [3, 9], "/usr/bin/python3.12": [3, 12] });
  assert.equal((await choosePythons(nothing, on)).server?.path, "/usr/bin/python3.12");
});

test("Python 4 would be recent, 3.9 is not", async () => {
  assert.ok((await choosePythons(nothing, withPrograms({ "/usr/bin/python3": [4, 0] }))).server);
  assert.equal((await choosePythons(nothing, withPrograms({ "/usr/bin/python3": [3, 9] }))).server, undefined);
});

test("without a choice the worker is left to the server", async () => {
  const choice = await choosePythons(nothing, withPrograms({ "/usr/bin/python3": [3, 11] }));
  assert.equal(choice.worker, undefined);
  assert.equal(choice.server?.source, "PATH");
});

test("a setting that names no program goes to the server, which says so", async () => {
  const on = withPrograms({ "/usr/bin/python3": [3, 11] });
  const choice = await choosePythons({ ...nothing, interpreter: "/nowhere/python" }, on);
  assert.equal(choice.worker?.path, "/nowhere/python");
  assert.equal(choice.server?.path, "/usr/bin/python3");
});

test("without trust nothing of the workspace is started", async () => {
  const on = withPrograms({
    "/project/.venv/bin/python": [3, 11],
    [picked.path]: [3, 11],
    "/usr/bin/python3": [3, 11],
  });
  const choice = await choosePythons({ ...nothing, trusted: false, environment: picked }, on);
  assert.equal(choice.worker, undefined);
  assert.deepEqual(on.asked, ["/usr/bin/python3"]);
});

test("settings may be written as people write them", () => {
  const on = withPrograms({ "/project/env/bin/python": [3, 11] });
  assert.equal(expand("${workspaceFolder}/env/bin/python", "/project", on), "/project/env/bin/python");
  assert.equal(expand("env/bin/python", "/project", on), "/project/env/bin/python");
  assert.equal(expand("/project/env", undefined, on), "/project/env/bin/python");
  assert.equal(expand("~/envs/a/bin/python", undefined, on), path.join(homedir(), "envs/a/bin/python"));
  assert.equal(expand(" python3 ", "/project", on), "python3");
});

test("the real machine knows a program that is no Python", async () => {
  assert.equal(await machine.version(process.execPath), undefined);
  assert.equal(await machine.version("/nowhere/python"), undefined);
});
