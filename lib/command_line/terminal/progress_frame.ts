/** How an operation looks while it runs: a line on top, and one for each VM with its bar. Pure. */
import type { OperationView, OperationVmView, StepView, VmOutcome } from "../../operations/types.ts";
import { formatBytes, formatClock } from "../../units.ts";
import { escapeControls } from "./printable.ts";
import { fitted, isolated, widthOf } from "./text_width.ts";

/** The size of a window, in characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** What a frame is drawn for. */
export interface FrameOptions extends WindowSize {
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
  readonly colors: boolean;
}

/** Wider lines are harder to read, and break when a window becomes narrower. */
const MAX_COLUMNS = 100;
/** Below these widths there is a short bar, or none. */
const [WIDE_COLUMNS, BAR_COLUMNS] = [60, 40] as const;
/** Always seen, however few rows there are. */
const MIN_LINES = 2;

/** The lines of an operation, at most two fewer than the window has rows. */
export function progressFrame(view: OperationView, options: FrameOptions): readonly string[] {
  const columns = Math.min(options.columns - 1, MAX_COLUMNS);
  const room = Math.max(MIN_LINES, options.rows - 2);
  // VMs that stay as they are have no steps.
  const rows = view.vms.filter(({ steps }) => steps.length > 0).map((vm) => rowOf(vm, options.now));
  const head = fitted(headOf(view, rows, options.now), columns);
  if (rows.length < room) return [head, ...linesOf(rows, columns, options)];
  const shown = chosen(rows, room - 2);
  const left = rows.filter((row) => !shown.includes(row));
  return [
    head,
    ...linesOf(shown, columns, options),
    fitted(`and ${left.length} more: ${countsOf(left)}`, columns),
  ];
}

/** What a VM is doing, in the order in which rows are kept when not all fit. */
const STATES = ["failed", "running", "waiting", "done"] as const;
type State = (typeof STATES)[number];

const COLORS: Readonly<Record<State, number | null>> = { running: null, failed: 31, waiting: null, done: 32 };

interface Row {
  readonly name: string;
  readonly state: State;
  /** How many of its steps are over; the running one counts by its percents. */
  readonly done: number;
  readonly total: number;
  /** What it does, or how it ended. */
  readonly text: string;
  /** Empty before it starts. */
  readonly clock: string;
}

function rowOf({ name, outcome, steps }: OperationVmView, now: number): Row {
  const current = steps.findLast(({ status }) => status === "running");
  const next = steps.find(({ status }) => status === "pending");
  const over = steps.filter(({ status }) => status !== "pending" && status !== "running").length;
  const starts = steps.flatMap(({ startedAt }) => startedAt ?? []);
  const ends = steps.flatMap(({ finishedAt }) => finishedAt ?? []);
  const state = stateOf(steps, outcome, starts.length > 0);
  const end = outcome === null ? now : Math.max(...ends);
  return {
    name: isolated(escapeControls(name)),
    state,
    done: state === "done" ? steps.length : over + (current?.percent ?? 0) / 100,
    total: steps.length,
    text: outcome ??
      (state === "running" ? (current === undefined ? next?.step ?? state : stepText(current)) : state),
    clock: starts.length === 0 ? "" : formatClock(end - Math.min(...starts)),
  };
}

/** Outcomes that nobody wished for. */
const FAILURES: readonly VmOutcome[] = [
  "not-ready",
  "rolled-back",
  "left-behind",
  "failed",
  "cancelled",
  "cancelled-kept",
  "interrupted",
  "out-of-memory",
];

/** Whether a VM ended as nobody wished. */
export function isFailure(outcome: VmOutcome): boolean {
  return FAILURES.includes(outcome);
}

function stateOf(steps: readonly StepView[], outcome: OperationVmView["outcome"], isStarted: boolean): State {
  if (outcome !== null) return isFailure(outcome) ? "failed" : "done";
  if (steps.some(({ status }) => status === "failed")) return "failed";
  return isStarted ? "running" : "waiting";
}

function stepText({ step, percent, transfer, healed }: StepView): string {
  if (transfer !== null) {
    const of = transfer.totalBytes === null ? "" : ` of ${formatBytes(transfer.totalBytes)}`;
    return `${step} ${formatBytes(transfer.bytes)}${of}, ${formatBytes(transfer.bytesPerSecond)}/s`;
  }
  if (percent !== null) return `${step} ${Math.floor(percent)} %`;
  return healed > 1 ? `${step}, sent ${healed} times` : step;
}

function headOf({ title, status, startedAt }: OperationView, rows: readonly Row[], now: number): string {
  const waits = status === "waiting" ? "waiting for the NAS, " : "";
  return `${isolated(escapeControls(title))}: ${waits}${countsOf(rows)}, ${formatClock(now - startedAt)}`;
}

function countsOf(rows: readonly Row[]): string {
  const counts = STATES.map((state) => [state, rows.filter((row) => row.state === state).length] as const);
  return counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`).join(", ");
}

/** As many rows as fit, those of which most is to be told; they keep their order. */
function chosen(rows: readonly Row[], room: number): readonly Row[] {
  const byState = STATES.flatMap((state) => rows.filter((row) => row.state === state));
  const kept = new Set(byState.slice(0, Math.max(0, room)));
  return rows.filter((row) => kept.has(row));
}

function linesOf(rows: readonly Row[], columns: number, { colors }: FrameOptions): readonly string[] {
  const bar = columns >= WIDE_COLUMNS ? 20 : columns >= BAR_COLUMNS - 1 ? 6 : 0;
  const names = Math.min(Math.max(0, ...rows.map(({ name }) => widthOf(name))), Math.floor(columns / 3));
  const counts = Math.max(0, ...rows.map(({ total }) => `${total}/${total}`.length));
  const clocks = Math.max(0, ...rows.map(({ clock }) => clock.length));
  const barAt = names + 2;
  const countAt = barAt + (bar === 0 ? 0 : bar + 3);
  const textAt = countAt + counts + 1;
  const clockAt = columns - clocks + 1;
  return rows.map(({ name, state, done, total, text, clock }) => {
    const told = fitted(text, Math.max(0, clockAt - textAt - 1));
    const color = colors ? COLORS[state] : null;
    return [
      isolated(fitted(name, names)),
      ...(bar === 0 ? [] : [at(barAt), barOf(done / Math.max(1, total), bar)]),
      at(countAt),
      `${Math.floor(done)}/${total}`.padStart(counts),
      at(textAt),
      color === null ? told : `\x1b[${color}m${told}\x1b[39m`,
      ...(clock === "" ? [] : [at(clockAt), clock.padStart(clocks)]),
    ].join("");
  });
}

/** Clears what was there, and moves to a column, because terminals differ in how wide they draw some letters. */
function at(column: number): string {
  return `\x1b[K\x1b[${column}G`;
}

function barOf(part: number, width: number): string {
  const filled = Math.floor(Math.min(1, Math.max(0, part)) * width);
  return `[${"#".repeat(filled)}${".".repeat(width - filled)}]`;
}
