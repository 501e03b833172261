/** The life of the language server: which one is wanted now, and the one restart that makes it so. */
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Disposable, type ExtensionContext, type LogOutputChannel, workspace } from "vscode";
import {
  CloseAction,
  ErrorAction,
  type ErrorHandler,
  type FeatureState,
  LanguageClient,
  RevealOutputChannelOn,
  type StaticFeature,
} from "vscode-languageclient/node";
import type { Context } from "./contexts";
import type { Environments } from "./environments";
import { within } from "./patience";
import { type Choice, choosePythons, machine } from "./python";
import { coalesced } from "./queue";
import type { ServerStatus } from "./status";

const CRASHES_FORGIVEN = 3;
const CRASH_WINDOW_MS = 180_000;
const STOP_PATIENCE_MS = 5_000;
const ANSWER_PATIENCE_MS = 5_000;

/** All that a server is started with. Two equal launches need no restart. */
export interface Launch {
  readonly enabled: boolean;
  readonly pythons: Choice;
  /** The settings by their names without prefix, the worker's `interpreter`, and `trusted`. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Starts, restarts and stops the language server; everything it has to say of itself goes to `report`. */
export class Server implements Disposable {
  private client: LanguageClient | undefined;
  private launch: Launch | undefined;
  private forced = false;
  private readonly round = coalesced(() => this.run());

  constructor(
    private readonly context: ExtensionContext,
    private readonly environments: () => Environments,
    private readonly log: LogOutputChannel,
    private readonly serverLog: LogOutputChannel,
    private readonly report: (status: ServerStatus) => void,
  ) {}

  /** What the running server was started with. */
  get current(): Launch | undefined {
    return this.launch;
  }

  /** Makes the server the one that is wanted now; a no-op where it already is. */
  refresh(): Promise<void> {
    return this.round();
  }

  /** The same, with a new process in any case. */
  restart(): Promise<void> {
    this.forced = true;
    return this.round();
  }

  /** The server's own markdown about itself, or why there is none. */
  async debugInformation(): Promise<string> {
    if (this.client === undefined) {
      return "The language server is not running.\n";
    }
    try {
      return String(await within(ANSWER_PATIENCE_MS, this.client.sendRequest("metalens/debugInformation", {})));
    } catch (error) {
      return `The language server does not answer: ${String(error)}\n`;
    }
  }

  /** The ways in which a class was built, as the server knows them. */
  async contexts(uri: string, name: string): Promise<Context[]> {
    return (await this.client?.sendRequest<Context[]>("metalens/contexts", { uri, name })) ?? [];
  }

  /** Asks the server to leave; resolves when it has. */
  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client === undefined) {
      return;
    }
    try {
      await client.dispose(STOP_PATIENCE_MS);
    } catch (error) {
      this.log.warn(`The language server did not stop in time: ${String(error)}`);
    }
  }

  dispose(): void {
    void this.stop();
  }

  private async run(): Promise<void> {
    const forced = this.forced;
    this.forced = false;
    const wanted = await this.wanted();
    if (!forced && isDeepStrictEqual(wanted, this.launch)) {
      return;
    }
    this.launch = wanted;
    await this.stop();
    await this.start(wanted);
  }

  private async wanted(): Promise<Launch> {
    const folder = workspace.workspaceFolders?.[0]?.uri;
    const settings = workspace.getConfiguration("metalens", folder);
    const trusted = workspace.isTrusted;
    const pythons = await choosePythons(
      {
        trusted,
        folder: folder?.fsPath,
        interpreter: settings.get("interpreter", ""),
        workerPython: settings.get("worker.python", ""),
        environment: trusted ? await this.environments().picked(folder) : undefined,
        searchPath: (process.env["PATH"] ?? "").split(path.delimiter).filter((entry) => path.isAbsolute(entry)),
      },
      machine,
    );
    return {
      enabled: settings.get("enable", true),
      pythons,
      options: { ...contributed(settings), interpreter: pythons.worker?.path ?? "", trusted, choosesContexts: true },
    };
  }

  private async start(launch: Launch): Promise<void> {
    if (!launch.enabled) {
      this.report({ health: "ok", quiescent: true, message: "off (setting metalens.enable)" });
      return;
    }
    const python = launch.pythons.server;
    if (python === undefined) {
      this.report({
        health: "error",
        quiescent: true,
        message:
          "needs a Python 3.10 or newer\nInstall one on the PATH or name one in the setting metalens.interpreter",
      });
      return;
    }
    this.log.info(`Starting the server with ${python.path} (${python.source})`);
    this.log.info(`Models are built by ${describe(launch.pythons.worker)}`);
    this.report({ health: "ok", quiescent: false, message: "starting…" });
    const client = this.makeClient(python.path, launch.options);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.log.error(`The language server did not start: ${String(error)}`);
      this.report({ health: "error", quiescent: true, message: "the server did not start\nSee the server log" });
      this.client = undefined;
    }
  }

  private makeClient(python: string, options: Launch["options"]): LanguageClient {
    const bundled = this.context.asAbsolutePath("bundled");
    const client = new LanguageClient(
      "metalens",
      "Metalens",
      { command: python, args: ["-I", "-X", "utf8", path.join(bundled, "start.py")], options: { cwd: bundled } },
      {
        documentSelector: [{ scheme: "file", language: "python" }],
        outputChannel: this.serverLog,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationOptions: options,
        initializationFailedHandler: () => false,
        errorHandler: this.errorHandler(),
      },
    );
    client.registerFeature(statusCapability);
    client.onNotification("experimental/serverStatus", (status: ServerStatus) => {
      this.report(status);
    });
    return client;
  }

  private errorHandler(): ErrorHandler {
    const crashes: number[] = [];
    return {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => {
        const now = Date.now();
        crashes.push(now);
        if (crashes.filter((time) => now - time < CRASH_WINDOW_MS).length <= CRASHES_FORGIVEN) {
          return { action: CloseAction.Restart, handled: true };
        }
        this.report({ health: "error", quiescent: true, message: "the server stopped too often\nSee the server log" });
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    };
  }
}

/** The words for a worker, known or not. */
export function describe(python: Choice["worker"]): string {
  return python === undefined ? "the Python that the server finds" : `${python.path} (${python.source})`;
}

const statusCapability: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = {
      ...(capabilities.experimental as object | undefined),
      serverStatusNotification: true,
    };
  },
  initialize: () => undefined,
  getState: (): FeatureState => ({ kind: "static" }),
  clear: () => undefined,
};

function contributed(settings: ReturnType<typeof workspace.getConfiguration>): Record<string, unknown> {
  const { enable, codeLens, execution, hover, rules } = settings;
  return { enable, codeLens, execution, hover, rules };
}
