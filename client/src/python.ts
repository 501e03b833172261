/**
 * Which Python runs the server, and which one builds the models. Nothing here knows VS Code: what the editor and the
 * machine say comes in as plain values and functions.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";

/** A Python executable, and in the user's words where it was found. */
export interface Python {
  readonly path: string;
  readonly source: string;
}

/** Everything that has a say in the choice. */
export interface Sources {
  /** Without trust no executable of the workspace is started. */
  readonly trusted: boolean;
  readonly folder: string | undefined;
  /** The setting `metalens.interpreter`, or "". */
  readonly interpreter: string;
  /** The setting `metalens.worker.python`, or "". */
  readonly workerPython: string;
  /** The environment that the user picked in VS Code. */
  readonly environment: Python | undefined;
  readonly searchPath: readonly string[];
}

/** The questions that are put to the machine. */
export interface Machine {
  exists(file: string): boolean;
  /** Major and minor version, or undefined when the file does not run as a Python. */
  version(file: string): Promise<readonly [number, number] | undefined>;
}

/** `server` runs the language server, `worker` the models; undefined: none found, and for the worker the server looks. */
export interface Choice {
  readonly server: Python | undefined;
  readonly worker: Python | undefined;
}

/** The oldest Python that the server runs on. */
export const OLDEST: readonly [number, number] = [3, 10];

const windows = process.platform === "win32";
const inEnvironment = windows ? path.join("Scripts", "python.exe") : path.join("bin", "python");
const namesOnPath = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/** The real machine. */
export const machine: Machine = {
  exists: existsSync,
  version: (file) =>
    new Promise((resolve) => {
      const program = "import sys; print(*sys.version_info[:2])";
      execFile(file, ["-I", "-S", "-c", program], { timeout: 10_000 }, (error, output) => {
        const [major, minor] = output.split(" ").map(Number);
        resolve(error === null && major !== undefined && minor !== undefined ? [major, minor] : undefined);
      });
    }),
};

/** The worker is what the user chose; the server takes the same Python if it is new enough, else one on the PATH. */
export async function choosePythons(sources: Sources, on: Machine): Promise<Choice> {
  const worker = sources.trusted ? chooseWorker(sources, on) : undefined;
  for (const candidate of serverCandidates(sources, worker, on)) {
    if (isRecent(await on.version(candidate.path))) {
      return { server: candidate, worker };
    }
  }
  return { server: undefined, worker };
}

/** The file that a setting means: `~`, `${workspaceFolder}`, relative paths and environment folders are understood. */
export function expand(setting: string, folder: string | undefined, on: Machine): string {
  let file = setting.trim();
  if (folder !== undefined) {
    file = file.replaceAll("${workspaceFolder}", folder);
  }
  if (file === "~" || file.startsWith("~/")) {
    file = path.join(homedir(), file.slice(1));
  }
  const isBareName = !file.includes("/") && !file.includes(path.sep);
  if (isBareName || (folder === undefined && !path.isAbsolute(file))) {
    return file;
  }
  const absolute = path.resolve(folder ?? "", file);
  const inside = path.join(absolute, inEnvironment);
  return on.exists(inside) ? inside : absolute;
}

function chooseWorker(sources: Sources, on: Machine): Python | undefined {
  return (
    fromSetting("metalens.worker.python", sources.workerPython, sources, on) ??
    fromSetting("metalens.interpreter", sources.interpreter, sources, on) ??
    sources.environment ??
    fromFolder(sources.folder, on)
  );
}

function fromSetting(name: string, value: string, sources: Sources, on: Machine): Python | undefined {
  return value.trim() === "" ? undefined : { path: expand(value, sources.folder, on), source: `setting ${name}` };
}

function fromFolder(folder: string | undefined, on: Machine): Python | undefined {
  if (folder === undefined) {
    return undefined;
  }
  const file = path.join(folder, ".venv", inEnvironment);
  return on.exists(file) ? { path: file, source: ".venv of the workspace" } : undefined;
}

function* serverCandidates(sources: Sources, worker: Python | undefined, on: Machine): Iterable<Python> {
  const wanted = fromSetting("metalens.interpreter", sources.interpreter, sources, on);
  if (wanted !== undefined) {
    yield wanted;
  }
  if (worker !== undefined) {
    yield worker;
  }
  for (const name of namesOnPath) {
    for (const folder of sources.searchPath) {
      const file = path.join(folder, windows ? `${name}.exe` : name);
      if (on.exists(file)) {
        yield { path: file, source: "PATH" };
      }
    }
  }
}

function isRecent(version: readonly [number, number] | undefined): boolean {
  if (version === undefined) {
    return false;
  }
  const [major, minor] = version;
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
