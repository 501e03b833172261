import assert from "node:assert/strict";
import { test } from "node:test";
import { coalesced } from "../src/queue";

/** A task whose runs end when told to. */
function manual(): { task: () => Promise<void>; runs: { end: () => void; fail: () => void }[] } {
  const runs: { end: () => void; fail: () => void }[] = [];
  const task = (): Promise<void> =>
    new Promise((resolve, reject) => {
      runs.push({
        end: resolve,
        fail: () => {
          reject(new Error("broken"));
        },
      });
    });
  return { task, runs };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a call starts a run at once", () => {
  const { task, runs } = manual();
  void coalesced(task)();
  assert.equal(runs.length, 1);
});

test("many calls during a run make one more run, after it", async () => {
  const { task, runs } = manual();
  const request = coalesced(task);
  const all = [request(), request(), request(), request()];
  assert.equal(runs.length, 1);
  runs[0]?.end();
  await turn();
  assert.equal(runs.length, 2);
  runs[1]?.end();
  await Promise.all(all);
  assert.equal(runs.length, 2);
});

test("a call during the second run makes a third", async () => {
  const { task, runs } = manual();
  const request = coalesced(task);
  void request();
  void request();
  runs[0]?.end();
  await turn();
  const last = request();
  runs[1]?.end();
  await turn();
  assert.equal(runs.length, 3);
  runs[2]?.end();
  await last;
});

test("a call after the end starts anew", async () => {
  const { task, runs } = manual();
  const request = coalesced(task);
  const first = request();
  runs[0]?.end();
  await first;
  void request();
  assert.equal(runs.length, 2);
});

test("a run that fails does not swallow the call that waits", async () => {
  const { task, runs } = manual();
  const request = coalesced(task);
  const both = [request(), request()];
  runs[0]?.fail();
  await turn();
  assert.equal(runs.length, 2);
  runs[1]?.end();
  await Promise.all(both);
});

test("the failure of the last run is told, and the next call works", async () => {
  const { task, runs } = manual();
  const request = coalesced(task);
  const failing = request();
  runs[0]?.fail();
  await assert.rejects(failing, /broken/);
  const next = request();
  runs[1]?.end();
  await next;
});
