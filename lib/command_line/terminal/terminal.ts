/** What all commands say: results to `print`, progress and questions to `notify`. */
import { ConfigurationError } from "../../errors/errors.ts";
import { describeSign } from "../../first_boot/readiness/describe_sign.ts";
import { operationJson, readyJson } from "../../inventory/json.ts";
import { seenBy } from "../../operations/record/readiness_of.ts";
import type { RunResult } from "../../operations/summary.ts";
import type { Actor, OperationEvent } from "../../operations/types.ts";
import { formatBytes, MIB } from "../../units.ts";
import type { LiveProgress } from "./live_progress.ts";
import { isFailure } from "./progress_frame.ts";
import { widthOf } from "./text_width.ts";

/** Input and output of a command. */
export interface Terminal {
  /** Prints results. */
  readonly print: (text: string) => void;
  /** Prints a result that is a file, with its own line ends. */
  readonly printFile: (text: string) => void;
  /** Prints progress, plans and notices. */
  readonly notify: (text: string) => void;
  /** Asks and waits for a line; null when there is nobody to answer. */
  readonly ask: ((question: string) => Promise<string | null>) | null;
  /** Print one JSON value instead of lines. */
  readonly json: boolean;
  /** Draws progress in place; absent where it is printed line by line. */
  readonly live?: LiveProgress;
}

/** Who requests what is done on the command line. */
export const BY: Actor = { who: "command line" };

/** Whether everything succeeded. */
export type Success = boolean;

/**
 * Asks for the phrase; whether it was typed.
 *
 * @throws {ConfigurationError} when there is nobody to ask.
 */
export async function confirm(
  { phrase, command }: { readonly phrase: string; readonly command: string },
  { ask }: Terminal,
): Promise<boolean> {
  if (ask === null) {
    const message = "There is no terminal for the confirmation. Nothing was sent; add --yes to skip it";
    throw new ConfigurationError(command, [{ field: "--yes", message }]);
  }
  const typed = await ask(`This cannot be undone. Type "${phrase}" to confirm:`);
  return typed?.trim().toLowerCase() === phrase;
}

/** A transfer of unknown size tells how far it is each time so many bytes have arrived. */
const UNSIZED_STEP_BYTES = 100 * MIB;

/** Shows what an operation does, as it does it. */
export function progressTo({ notify, live }: Terminal): (event: OperationEvent) => void {
  const tell = lineByLine(notify);
  if (live === undefined) return tell;
  return (event) => {
    if (isNews(event)) tell(event);
    live.observe(event);
  };
}

/** Whether an event is to be read after what is drawn of it has gone. */
function isNews(event: OperationEvent): boolean {
  switch (event.type) {
    case "step":
      return event.status === "failed";
    case "vm":
      return isFailure(event.outcome);
    default:
      return event.type === "healed" || event.type === "waiting" || event.type === "back";
  }
}

function lineByLine(notify: Terminal["notify"]): (event: OperationEvent) => void {
  const told = new Map<string, number>();
  return (event) => {
    // A transfer tells every second how far it is, which is too much for a log.
    if (event.type === "progress" && event.transfer !== undefined) {
      const { bytes, totalBytes, bytesPerSecond } = event.transfer;
      const part = Math.floor(totalBytes === null ? bytes / UNSIZED_STEP_BYTES : event.percent / 10);
      const key = `${event.vm} ${event.step}`;
      if (part <= (told.get(key) ?? -1)) return;
      told.set(key, part);
      const of = totalBytes === null ? "" : ` of ${formatBytes(totalBytes)}`;
      notify(`${event.vm} ${event.step}: ${formatBytes(bytes)}${of}, ${formatBytes(bytesPerSecond)}/s`);
    }
    if (event.type === "step" && event.status !== "running" && event.status !== "skipped") {
      const what = event.error?.message ?? event.detail;
      notify(`${event.vm} ${event.step}: ${event.status}${what === undefined ? "" : `, ${what}`}`);
    }
    if (event.type === "sign") notify(`${event.vm} ${event.step}: ${describeSign(event.sign)}`);
    if (event.type === "healed") notify(`${event.vm} ${event.step}: ${event.message}`);
    if (event.type === "waiting") notify(`Waiting for the NAS: ${event.message}`);
    if (event.type === "back") notify(event.gaveUp ?? "The NAS answers again");
    if (event.type === "vm") {
      notify(`${event.vm}: ${event.outcome}${event.message === undefined ? "" : `. ${event.message}`}`);
    }
  };
}

/** Prints the result of an operation; whether all of it succeeded. */
export function report(result: RunResult, terminal: Terminal): Success {
  const rows = result.vms.map(({ name, outcome, message }) => [name, outcome, message ?? ""]);
  if (terminal.json) {
    const ready = readyVms(result);
    const json = { ...operationJson(result.operation), ...(ready.length === 0 ? {} : { ready }) };
    terminal.print(JSON.stringify(json, null, 2));
  } else terminal.print(rows.length === 0 ? "Nothing to do" : table([headOf(result), "OUTCOME", ""], rows));
  return result.status === "done";
}

/** The VMs that were waited for: whether each answers, where, and how that is known. */
function readyVms({ operation: { vms } }: RunResult): readonly Record<string, unknown>[] {
  return vms.flatMap((vm) => {
    const seen = seenBy(vm);
    return seen === null ? [] : [{ name: vm.name, ...readyJson(seen.readiness) }];
  });
}

/** What the rows of an operation's outcome are. */
function headOf({ operation: { kind } }: RunResult): string {
  if (kind === "image") return "IMAGE";
  return kind === "remove-image" ? "DATASET" : "VM";
}

/** Says what a plan is about, if there is anything to say. */
export function explain(text: string, { notify }: Pick<Terminal, "notify">): void {
  if (text !== "") notify(text);
}

/** A table with aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ""))));
  const padded = (cell: string, column: number) =>
    cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
  return all.map((row) => row.map(padded).join("  ").trimEnd())
    .join("\n");
}
