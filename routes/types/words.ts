/** What changes of the configuration are called on pages and in the audit log. */
import type { Change } from "./changes.ts";

/** How a change is shown before it is saved. */
export interface ChangeWords {
  readonly title: string;
  /** What it means for VMs, or null. */
  readonly explanation: string | null;
  /** The button that saves it. */
  readonly save: string;
  /** Whether something is deleted. */
  readonly deletes?: boolean;
}

/** The words of a change. */
export function wordsOf(change: Change): ChangeWords {
  const save = "Save config.yaml";
  switch (change.kind) {
    case "type": {
      const { from, type: { name } } = change.form;
      if (from === null) return { title: `Add VM type ${name}`, explanation: null, save };
      if (from === name) return { title: `Change VM type ${name}`, explanation: null, save };
      const explanation =
        `VMs that exist keep their names (${from}01 and so on) and belong to no type any more.`;
      return { title: `Rename VM type ${from} to ${name}`, explanation, save };
    }
    case "storage":
      return {
        title: "Change storage",
        explanation: "VMs that exist keep their disks where they are.",
        save,
      };
    case "remove":
      return {
        title: `Delete VM type ${change.name}`,
        explanation: `VMs that exist (${change.name}01 and so on) are not destroyed.`,
        save: `Delete ${change.name} from config.yaml`,
        deletes: true,
      };
    case "image":
      return {
        title: `Use ${change.image.name} as an image`,
        explanation: "VM types can then be made from it. The file stays where it is.",
        save,
      };
    case "yaml":
      return change.isRestored
        ? { title: "Restore an earlier version", explanation: null, save: "Restore this version" }
        : { title: "Change config.yaml", explanation: null, save };
  }
}

const ACTION_WORDS: Readonly<Record<string, string>> = {
  storage: "storage was changed",
  yaml: "the text was edited",
  restore: "an earlier version was restored",
};

const TYPE_ACTIONS: Readonly<Record<string, string>> = {
  add: "was added",
  change: "was changed",
  rename: "was renamed",
  remove: "was deleted",
  image: "is an image now",
};

/** What was done, from its name: `gpu was added`. */
export function actionWords(action: string): string {
  const [, kind = "", name = ""] = /^([a-z]+)_(\w{1,200})$/.exec(action) ?? [];
  const done = TYPE_ACTIONS[kind];
  if (done !== undefined) return kind === "rename" ? `a VM type was renamed to ${name}` : `${name} ${done}`;
  return ACTION_WORDS[action] ?? "the file was changed";
}
