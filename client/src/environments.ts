/**
 * The environment that the user picked with the Python Environments or the Python extension. Both are guests: either
 * may be absent, slow or broken, and then nothing is known here. Only the parts of their interfaces used are declared.
 */
import { Disposable, type Event, type Extension, extensions, type LogOutputChannel, type Uri } from "vscode";
import { within } from "./patience";
import type { Python } from "./python";

const ENVIRONMENTS = "ms-python.vscode-python-envs";
const PYTHON = "ms-python.python";
const PATIENCE_MS = 10_000;

interface EnvironmentsApi {
  getEnvironment(scope: Uri | undefined): Promise<{ execInfo?: { run?: { executable?: string } } } | undefined>;
  onDidChangeEnvironment: Event<unknown>;
}

interface PythonApi {
  environments: {
    getActiveEnvironmentPath(resource?: Uri): { path: string };
    resolveEnvironment(environment: { path: string }): Promise<{ executable: { uri?: Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: Event<unknown>;
  };
}

/** Asks the two extensions, and tells when their answer may have changed. */
export class Environments implements Disposable {
  private readonly subscriptions = new Map<string, Disposable>();
  private readonly installed: Disposable;

  constructor(
    private readonly onDidChange: () => void,
    private readonly log: LogOutputChannel,
  ) {
    this.installed = extensions.onDidChange(onDidChange);
  }

  /** The environment picked for `folder`, if an extension knows one. */
  async picked(folder: Uri | undefined): Promise<Python | undefined> {
    return (await this.fromEnvironments(folder)) ?? (await this.fromPython(folder));
  }

  dispose(): void {
    Disposable.from(this.installed, ...this.subscriptions.values()).dispose();
  }

  private async fromEnvironments(folder: Uri | undefined): Promise<Python | undefined> {
    return this.ask(extensions.getExtension<EnvironmentsApi>(ENVIRONMENTS), async (api) => {
      this.subscribe(ENVIRONMENTS, api.onDidChangeEnvironment);
      const environment = await api.getEnvironment(folder);
      return environment?.execInfo?.run?.executable;
    });
  }

  private async fromPython(folder: Uri | undefined): Promise<Python | undefined> {
    return this.ask(extensions.getExtension<PythonApi>(PYTHON), async (api) => {
      this.subscribe(PYTHON, api.environments.onDidChangeActiveEnvironmentPath);
      const active = api.environments.getActiveEnvironmentPath(folder);
      const environment = await api.environments.resolveEnvironment(active);
      return environment?.executable.uri?.fsPath;
    });
  }

  private async ask<Api>(
    extension: Extension<Api> | undefined,
    question: (api: Api) => Promise<string | undefined>,
  ): Promise<Python | undefined> {
    if (extension === undefined) {
      return undefined;
    }
    try {
      const path = await within(PATIENCE_MS, Promise.resolve(extension.activate()).then(question));
      return path === undefined ? undefined : { path, source: `selected in VS Code (${extension.id})` };
    } catch (error) {
      this.log.warn(`${extension.id} does not say which environment is selected: ${String(error)}`);
      return undefined;
    }
  }

  private subscribe(id: string, event: Event<unknown>): void {
    if (!this.subscriptions.has(id)) {
      this.subscriptions.set(
        id,
        event(() => {
          this.onDidChange();
        }),
      );
    }
  }
}
