/** Wires the parts together: events of the editor in, a fitting language server out. */
import * as path from "node:path";
import { commands, type ExtensionContext, version, window, workspace } from "vscode";
import { CHOOSE, chooseContext } from "./contexts";
import { Environments } from "./environments";
import { EXPLAIN, explainRule } from "./rules";
import { describe, Server } from "./server";
import { needsInterpreter, type ServerStatus, Status } from "./status";

const SILENCED = "metalens.interpreterNotification.silenced";

let server: Server | undefined;

/** Called by VS Code when the first Python file or notebook opens. */
export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("Metalens", { log: true });
  const serverLog = window.createOutputChannel("Metalens Server", { log: true });
  const status = new Status();
  const tellOnce = interpreterNotification(context);

  const started = new Server(
    context,
    () => environments,
    log,
    serverLog,
    (report) => {
      status.show(report);
      tellOnce(report);
    },
  );
  server = started;
  const refresh = (): void => {
    started.refresh().catch((error: unknown) => {
      log.error(`The language server could not be refreshed: ${String(error)}`);
    });
  };
  const environments = new Environments(refresh, log);

  context.subscriptions.push(
    log,
    serverLog,
    status,
    environments,
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("metalens")) {
        refresh();
      }
    }),
    workspace.onDidGrantWorkspaceTrust(refresh),
    workspace.onDidChangeWorkspaceFolders(refresh),
    commands.registerCommand("metalens.restartServer", () => started.restart()),
    commands.registerCommand("metalens.showServerLogs", () => {
      serverLog.show();
    }),
    commands.registerCommand("metalens.showClientLogs", () => {
      log.show();
    }),
    commands.registerCommand(EXPLAIN, () => explainRule(context.asAbsolutePath("bundled/server/metalens/rules"))),
    commands.registerCommand(CHOOSE, (uri: string, name: string) =>
      chooseContext(uri, name, () => started.contexts(uri, name)),
    ),
    commands.registerCommand("metalens.fixAll", () =>
      commands.executeCommand("editor.action.sourceAction", { kind: "source.fixAll.metalens", apply: "first" }),
    ),
    commands.registerCommand("metalens.chooseInterpreter", chooseInterpreter),
    commands.registerCommand("metalens.printDebugInformation", () => printDebugInformation(context, started)),
  );
  await started.refresh();
}

/** Called by VS Code when the extension goes; resolves when no process is left. */
export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** Tells of an interpreter that cannot run models, mostly for want of torch, once per session, and never again if the user says so. */
function interpreterNotification(context: ExtensionContext): (status: ServerStatus) => void {
  let told = false;
  return (status) => {
    if (told || !needsInterpreter(status) || context.globalState.get<boolean>(SILENCED, false)) {
      return;
    }
    told = true;
    void offerRemedy(context, status.message ?? "");
  };
}

async function offerRemedy(context: ExtensionContext, message: string): Promise<void> {
  const choose = "Choose interpreter";
  const silence = "Don't show again";
  const answer = await window.showWarningMessage(`Metalens: ${message.split("\n").join(". ")}`, choose, silence);
  if (answer === silence) {
    await context.globalState.update(SILENCED, true);
  }
  if (answer === choose) {
    await chooseInterpreter();
  }
}

async function chooseInterpreter(): Promise<void> {
  const known = await commands.getCommands(true);
  if (known.includes("python.setInterpreter")) {
    await commands.executeCommand("python.setInterpreter");
  } else {
    await commands.executeCommand("workbench.action.openSettings", "metalens.interpreter");
  }
}

async function printDebugInformation(context: ExtensionContext, running: Server): Promise<void> {
  const { version: own } = context.extension.packageJSON as { version: string };
  const launch = running.current;
  const client = [
    "# Metalens in VS Code",
    "",
    `- extension ${own}, VS Code ${version}, ${process.platform} ${process.arch}`,
    `- workspace: ${workspace.workspaceFolders?.map((folder) => path.basename(folder.uri.fsPath)).join(", ") ?? "none"}`,
    `- trusted: ${workspace.isTrusted ? "yes" : "no"}`,
    `- server runs on: ${launch?.pythons.server === undefined ? "no Python found" : describe(launch.pythons.server)}`,
    `- models are built by: ${describe(launch?.pythons.worker)}`,
    "",
    "```json",
    JSON.stringify(launch?.options ?? {}, undefined, 2),
    "```",
    "",
  ];
  const content = client.join("\n") + "\n" + (await running.debugInformation());
  await window.showTextDocument(await workspace.openTextDocument({ language: "markdown", content }));
}
