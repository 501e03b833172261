// A real VS Code (code-server, shown by Chromium) with our package in it, and the hands of a user.
// Everything waits for what the screen shows, with a deadline; nothing sleeps.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as after } from "node:timers/promises";

const DEADLINE_MS = 60_000;
const ATTEMPT_MS = 5_000;

const quietSettings = {
  "breadcrumbs.enabled": false,
  "chat.disableAIFeatures": true,
  "editor.accessibilitySupport": "off",
  "editor.fontSize": 14,
  "editor.hideCursorInOverviewRuler": true,
  "editor.hover.above": false,
  "editor.hover.delay": 100,
  "editor.lineHeight": 22,
  "editor.minimap.enabled": false,
  "editor.occurrencesHighlight": "off",
  "editor.overviewRulerBorder": false,
  "editor.renderLineHighlight": "none",
  "editor.scrollBeyondLastLine": false,
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "extensions.ignoreRecommendations": true,
  "files.autoSave": "off",
  "git.enabled": false,
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "window.commandCenter": false,
  "window.menuBarVisibility": "hidden",
  "workbench.activityBar.location": "hidden",
  "workbench.colorTheme": "Default Dark Modern",
  "workbench.editor.editorActionsLocation": "hidden",
  "workbench.editor.enablePreviewFromQuickOpen": true,
  "workbench.enableExperiments": false,
  "workbench.layoutControl.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
};

/**
 * Opens VS Code on `place.workspace`, hands it to `journey`, closes it whatever happens, and prints what the journey
 * returns as JSON. The place, from the test: `tools`, `chromium`, `packages`, `workspace`, `home`, `artifacts`.
 */
export async function travel(journey) {
  const place = JSON.parse(process.argv[2]);
  const server = await serve(place);
  const { chromium } = createRequire(path.join(place.tools, "package.json"))("playwright-core");
  const browser = await chromium.launch({
    executablePath: place.chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1080, height: 720 }, deviceScaleFactor: 2 });
    page.setDefaultTimeout(DEADLINE_MS);
    await page.goto(`${server.address}/?folder=${encodeURIComponent(place.workspace)}`);
    await page.locator(".monaco-workbench").waitFor();
    const user = new User(page, place);
    try {
      process.stdout.write(`${JSON.stringify(await journey(user))}\n`);
    } catch (error) {
      await user.photograph("where-it-failed");
      throw error;
    }
  } finally {
    await browser.close();
    server.stop();
  }
}

class User {
  constructor(page, place) {
    this.page = page;
    this.place = place;
  }

  /** Opens a file of the workspace's root and waits for its text. */
  async open(name) {
    await this.choose("Control+P", name, name);
    await this.page.locator(".tab.active", { hasText: name }).waitFor();
    await this.page.locator(".monaco-editor .view-line span span").first().waitFor();
  }

  async run(command) {
    await this.choose("F1", `>${command}`, command);
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  /** Opens the quick input by `key`, again if VS Code closes it or is not ready, and takes what `row` names. */
  async choose(key, text, row) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      try {
        await this.page.keyboard.press(key);
        await this.page.locator(".quick-input-widget input").first().fill(text, { timeout: ATTEMPT_MS });
        const rows = this.page.locator(".quick-input-list .monaco-list-row", { hasText: row });
        await rows.first().waitFor({ timeout: ATTEMPT_MS });
        await this.page.keyboard.press("Enter");
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await this.page.keyboard.press("Escape");
      }
    }
  }

  /** The middle of `word` in the first line on screen that contains `line`. */
  async locate(line, word) {
    const find = ([wantedLine, wantedWord]) => {
      const plain = (text) => text.replaceAll("\u00a0", " ");
      for (const element of document.querySelectorAll(".editor-instance .view-line")) {
        const text = plain(element.textContent);
        const column = text.indexOf(wantedLine) + wantedLine.indexOf(wantedWord);
        if (!text.includes(wantedLine)) continue;
        const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        let passed = 0;
        while (texts.nextNode()) {
          const node = texts.currentNode;
          if (column < passed + node.data.length) {
            const range = document.createRange();
            range.setStart(node, column - passed);
            range.setEnd(node, Math.min(column - passed + wantedWord.length, node.data.length));
            const box = range.getBoundingClientRect();
            return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
          }
          passed += node.data.length;
        }
      }
      return undefined;
    };
    const handle = await this.page.waitForFunction(find, [line, word]);
    return handle.jsonValue();
  }

  /** Takes the mouse out of the editor, where no hover of another word can catch it. */
  async leaveHover() {
    await this.page.mouse.move(100, 600);
    const gone = { state: "hidden", timeout: 1_000 };
    await this.page
      .locator(".monaco-hover:visible")
      .first()
      .waitFor(gone)
      .catch(() => undefined);
  }

  /** Rests the mouse on `word` until a hover shows `expected`, and returns all of the hover's text. */
  async hover(line, word, expected) {
    const hover = this.page.locator(".monaco-hover:visible", { hasText: expected }).first();
    await until(async () => {
      const { x, y } = await this.locate(line, word); // Lenses that arrive move the lines.
      await this.leaveHover();
      await this.page.mouse.move(x - 4, y, { steps: 4 });
      await this.page.mouse.move(x, y, { steps: 4 });
      return hover.waitFor({ timeout: 2_000 }).then(
        () => true,
        () => false,
      );
    }, `a hover on ${word} with the text ${expected}`);
    return hover.innerText();
  }

  /** Drags the lower edge of the hover that is shown, so that more of it can be read. */
  async enlargeHover(pixels) {
    const edge = await this.page.locator(".monaco-resizable-hover .orthogonal-edge-south").first().boundingBox();
    const x = edge.x + edge.width / 2;
    const y = edge.y + edge.height / 2;
    await this.page.mouse.move(x, y - 30, { steps: 8 });
    await this.page.mouse.move(x, y, { steps: 4 });
    await this.page.mouse.down();
    await this.page.mouse.move(x, y + pixels, { steps: 8 });
    await this.page.mouse.up();
    await this.page.mouse.move(x, y - 30, { steps: 8 });
  }

  async squiggle() {
    await this.page.locator(".squiggly-error").first().waitFor();
  }

  async noSquiggle() {
    await this.page.locator(".squiggly-error").first().waitFor({ state: "detached" });
  }

  /** How many squiggles there are; waits until they are as many as expected, if that is told. */
  async squiggles(expected) {
    const count = () => this.page.locator(".squiggly-error").count();
    if (expected !== undefined) {
      await until(async () => (await count()) === expected, `${expected} squiggles`);
    }
    return count();
  }

  /** Waits until the Problems panel is empty, and leaves it open. */
  async noProblems() {
    await this.page.keyboard.press("Control+Shift+M");
    await this.page.locator(".markers-panel", { hasText: "No problems have been detected" }).waitFor();
  }

  /** The text of the code lens that contains `expected`, once there is one. */
  async lens(expected) {
    const lens = this.page.locator(".codelens-decoration a", { hasText: expected }).first();
    await lens.waitFor();
    return lens.innerText();
  }

  /** Takes the row named `row` of the quick input that is open. */
  async pick(row) {
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: row }).first().click();
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  /** The texts of the code lenses, once there is one. */
  async lenses() {
    const lenses = this.page.locator(".codelens-decoration");
    await lenses.first().waitFor();
    return lenses.allInnerTexts();
  }

  /** The messages in the Problems panel, which is left closed. */
  async problems(expected) {
    await this.page.keyboard.press("Control+Shift+M");
    const rows = this.page.locator(".markers-panel .monaco-list-row");
    await rows.filter({ hasText: expected }).first().waitFor();
    const texts = await rows.allInnerTexts();
    await this.page.keyboard.press("Control+J");
    await this.page.locator(".markers-panel").waitFor({ state: "hidden" });
    return texts;
  }

  /** Applies the offered quick fix named `title` with the keyboard alone, and returns all titles offered. */
  async fix(line, word, title) {
    const menu = this.page.locator(".action-widget").first();
    const rows = menu.locator(".monaco-list-row.action");
    // Lenses that arrive move the lines, and VS Code drops the menu when diagnostics change meanwhile.
    await until(async () => {
      const { x, y } = await this.locate(line, word);
      await this.page.keyboard.press("Escape");
      await this.page.mouse.click(x, y);
      await this.page.keyboard.press("Control+.");
      const offered = rows.filter({ hasText: title }).first();
      return offered.waitFor({ timeout: ATTEMPT_MS }).then(
        () => true,
        () => false,
      );
    }, `the fix ${title}`);
    const titles = await rows.allInnerTexts();
    await this.photograph("quick-fix");
    for (let step = 0; !(await menu.locator(".monaco-list-row.focused").innerText()).includes(title); step += 1) {
      if (step > titles.length) throw new Error(`The keyboard does not reach ${title}`);
      await this.page.keyboard.press("ArrowDown");
    }
    await this.page.keyboard.press("Enter");
    await menu.waitFor({ state: "hidden" });
    return titles;
  }

  async save() {
    await this.page.keyboard.press("Control+S");
    await this.page.locator(".tab.active:not(.dirty)").waitFor();
  }

  /** What the language status item says, once it says `expected`. */
  async status(expected) {
    const item = this.page.locator("#status\\.languageStatus");
    await item.waitFor();
    const hover = this.page.locator(".hover-language-status", { hasText: expected }).first();
    await until(async () => {
      await this.page.mouse.move(540, 360);
      await item.hover();
      return hover.waitFor({ timeout: 2_000 }).then(
        () => true,
        () => false,
      );
    }, `a status with the text ${expected}`);
    return hover.innerText();
  }

  async notifications() {
    return this.page.locator(".notification-toast").allInnerTexts();
  }

  /** The text of the editor in front, as far as it is on screen. */
  async text() {
    const lines = await this.page.locator(".editor-instance .view-lines").first().innerText();
    return lines.replaceAll("\u00a0", " ");
  }

  /** The ids of the processes of this VS Code that run models. */
  workers() {
    return this.#processes(path.join("worker", "__main__.py"));
  }

  /** The ids of the language servers of this VS Code. */
  servers() {
    return this.#processes("start.py");
  }

  #processes(script) {
    const own = path.join(this.place.home, "extensions");
    const runs = (id) => {
      try {
        const words = readFileSync(`/proc/${id}/cmdline`, "utf8").split("\0");
        return words.some((word) => word.startsWith(own) && word.endsWith(path.join(path.sep, script)));
      } catch {
        return false; // It ended while we looked.
      }
    };
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && runs(name));
  }

  async photograph(name) {
    mkdirSync(this.place.artifacts, { recursive: true });
    await this.page.screenshot({ path: path.join(this.place.artifacts, `${name}.png`) });
  }
}

async function serve(place) {
  const entry = path.join(place.tools, "node_modules", "code-server", "out", "node", "entry.js");
  const data = path.join(place.home, "data");
  const folders = ["--user-data-dir", data, "--extensions-dir", path.join(place.home, "extensions")];
  mkdirSync(path.join(data, "User"), { recursive: true });
  const settings = { ...quietSettings, ...place.settings };
  writeFileSync(path.join(data, "User", "settings.json"), JSON.stringify(settings, undefined, 2));
  const env = {
    ...process.env,
    HOME: place.home,
    XDG_CONFIG_HOME: path.join(place.home, "config"),
    XDG_DATA_HOME: path.join(place.home, "share"),
    // No gallery: a look-up fails at once.
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: "http://127.0.0.1:9/" }),
  };
  for (const file of place.packages) {
    const run = spawnSync(process.execPath, [entry, ...folders, "--install-extension", file], {
      env,
      encoding: "utf8",
    });
    if (run.status !== 0) throw new Error(`${file} was not installed:\n${run.stdout}${run.stderr}`);
  }
  const port = await freePort();
  const quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check"];
  // Its own process group, so that nothing it started outlives the journey.
  const child = spawn(process.execPath, [entry, "--bind-addr", `127.0.0.1:${port}`, ...quiet, ...folders], {
    env,
    detached: true,
    stdio: "ignore",
  });
  const address = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(`${address}/healthz`).then(
      (reply) => reply.ok,
      () => false,
    );
  await until(answers, "code-server to answer");
  return { address, stop: () => process.kill(-child.pid) };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function until(happened, what) {
  const end = Date.now() + DEADLINE_MS;
  while (!(await happened())) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}`);
    await after(50);
  }
}
