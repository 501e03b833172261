/** Asks the user in which of its ways a class shall be shown, and writes the one that they pin as a comment. */
import { commands, QuickPickItemKind, type QuickPickItem, window } from "vscode";

/** The command of the lenses that tell how a class was built; its arguments are a URI and the name of the class. */
export const CHOOSE = "metalens.chooseContext";

/** A way in which a class was built. `arguments` and `inputs` are what a pin would say, null where it cannot say it. */
export interface Context {
  readonly label: string;
  readonly description: string;
  readonly arguments: string | null;
  readonly inputs: string | null;
}

interface Choice extends QuickPickItem {
  readonly act?: () => Thenable<unknown>;
}

/** Shows the ways that `ask` gives, and does what the user picks. */
export async function chooseContext(uri: string, name: string, ask: () => Promise<Context[]>): Promise<void> {
  const contexts = await ask();
  const pin = (args: string, inputs: string): Thenable<unknown> =>
    commands.executeCommand("metalens.pinContext", uri, name, args, inputs);
  const use = contexts.map((context, index) => ({
    label: `${index === 0 ? "$(eye)" : "$(blank)"} ${context.label}`,
    detail: `$(blank) ${context.description}`,
    act: () => commands.executeCommand("metalens.useContext", uri, name, index),
  }));
  const pins = contexts
    .filter((context) => context.arguments !== null)
    .map((context) => ({
      label: `$(pin) Pin ${context.label}`,
      detail: `$(blank) ${context.inputs === null ? "its arguments alone" : `with the input ${context.inputs}`}`,
      act: () => pin(context.arguments ?? "", context.inputs ?? ""),
    }));
  const other = { label: "$(edit) Pin other arguments…", act: () => pinOther(name, contexts[0], pin) };
  const choices: Choice[] = [
    ...use,
    { label: "Write down as a comment", kind: QuickPickItemKind.Separator },
    ...pins,
    other,
  ];
  const choice = await window.showQuickPick(choices, { title: `How ${name} is built`, matchOnDetail: true });
  await choice?.act?.();
}

async function pinOther(
  name: string,
  shown: Context | undefined,
  pin: (args: string, inputs: string) => Thenable<unknown>,
): Promise<void> {
  const args = await window.showInputBox({
    title: `Arguments of ${name}`,
    value: shown?.arguments ?? "",
    placeHolder: "10, hidden=20",
  });
  if (args === undefined) {
    return;
  }
  const inputs = await window.showInputBox({
    title: `Inputs of ${name}.forward`,
    value: shown?.inputs ?? "",
    placeHolder: "f32[32, 3, 224, 224], mask=bool[32]",
  });
  if (inputs !== undefined) {
    await pin(args, inputs);
  }
}
