/** What the user sees of Metalens' health: the language status item. */
import {
  type Command,
  type Disposable,
  type LanguageStatusItem,
  LanguageStatusSeverity,
  languages,
  workspace,
} from "vscode";

/** The server's word on itself: the parameters of `experimental/serverStatus`. */
export interface ServerStatus {
  readonly health: "ok" | "warning" | "error";
  /** False while work is under way. */
  readonly quiescent: boolean;
  /** The first line is the headline, the rest is detail. */
  readonly message?: string;
}

const severities: Record<ServerStatus["health"], LanguageStatusSeverity> = {
  ok: LanguageStatusSeverity.Information,
  warning: LanguageStatusSeverity.Warning,
  error: LanguageStatusSeverity.Error,
};

/** Whether another interpreter would mend what is wrong. */
export function needsInterpreter(status: ServerStatus): boolean {
  return status.health === "error" && /\b(torch|python|interpreter)\b/i.test(status.message ?? "");
}

/** The item shows all of its words on one line that does not scroll: beyond this its button would be out of reach. */
const LONGEST_LINE = 67;

function shortened(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

function commandFor(status: ServerStatus): Command {
  if (!workspace.isTrusted) {
    return { command: "workbench.trust.manage", title: "Trust…" };
  }
  return needsInterpreter(status)
    ? { command: "metalens.chooseInterpreter", title: "Choose interpreter" }
    : { command: "metalens.showServerLogs", title: "Show logs" };
}

/** The item behind the `{}` of the status bar, in Python files and notebooks. */
export class Status implements Disposable {
  private readonly item: LanguageStatusItem;

  constructor() {
    this.item = languages.createLanguageStatusItem("metalens.status", [
      { language: "python" },
      { notebookType: "jupyter-notebook", language: "python" },
    ]);
    this.item.name = "Metalens";
    this.show({ health: "ok", quiescent: false, message: "starting…" });
  }

  /** Shows `status` until the next one comes. */
  show(status: ServerStatus): void {
    const [headline = "", ...detail] = (status.message ?? "").split("\n");
    this.item.text = headline === "" ? "Metalens" : `Metalens: ${headline}`;
    this.item.severity = severities[status.health];
    const command = commandFor(status);
    this.item.command = command;
    this.item.detail = shortened(detail.join(" · "), LONGEST_LINE - this.item.text.length - command.title.length);
    this.item.busy = !status.quiescent;
  }

  dispose(): void {
    this.item.dispose();
  }
}
