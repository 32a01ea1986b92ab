/**
 * An operation on a time axis: when each step of each VM ran, what is expected, and the earliest end that the NAS
 * allows. Pure; all times are milliseconds since the operation started.
 */
import { MAX_RUNNING_CALLS } from "../truenas/connection/protocol.ts";
import { isActive, type OperationView, type OperationVmView, type StepView } from "./types.ts";

/**
 * How a step, or a part of it, is drawn. `try`: after it a call was sent again; `healed`: the last of several tries;
 * `undone`: it removes what the VM had; `unknown`: its effect could not be read.
 */
export type BarKind = "done" | "running" | "failed" | "unknown" | "try" | "healed" | "undone";

/** A stretch of time. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Steps of a VM that ran at the same time lie below each other: in which of how many rows. */
interface Place {
  readonly row: number;
  readonly rows: number;
}

/** A step that ran, or runs until now: all of it, or what lies between two waits. */
export interface Bar extends Span, Place {
  readonly kind: BarKind;
  readonly step: StepView;
}

/** When nothing was done for a VM: until its turn came, until the NAS answered again, or until a call was sent again. */
export interface Wait extends Span, Place {
  readonly why: "turn" | "nas" | "again";
}

/** One VM's steps. VMs with which nothing is done have none, unless there are no others. */
export interface Lane {
  readonly vm: OperationVmView;
  readonly bars: readonly Bar[];
  /** When it waited between two steps or within one, or waits now. */
  readonly waits: readonly Wait[];
  /** When its remaining steps are expected; null when it is finished or nothing was measured. */
  readonly expected: Span | null;
  /** From its first step to its last, or until now. */
  readonly tookMs: number | null;
}

/** An operation's lanes, with their axis. */
export interface Timeline {
  readonly lanes: readonly Lane[];
  /** The length of the axis; it changes in jumps, so that a live picture seldom moves. */
  readonly lengthMs: number;
  readonly ticksMs: readonly number[];
  /** Null once the operation has finished. */
  readonly nowMs: number | null;
  /** The earliest end that the NAS allows, by the quickest of each step; null before enough was measured. */
  readonly limitMs: number | null;
  /** When the NAS was away. */
  readonly outages: readonly Span[];
  /** Whether it is away now. */
  readonly isAway: boolean;
  /** How many steps ran at a time: each value holds until the next. */
  readonly running: readonly { readonly atMs: number; readonly count: number }[];
}

/** Gaps shorter than this part of the axis are not drawn as waiting. */
const LEAST_WAIT = 0.01;
/** Less is nothing to tell. */
const LEAST_LEFT_MS = 1_000;
/** The axis has room for this much more than what is known. */
const HEADROOM = 1.1;
/** Distances of ticks, of which the axis has at most seven. */
const TICKS_MS = [
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1_800,
  3_600,
  7_200,
  14_400,
  43_200,
  86_400,
].map((seconds) => seconds * 1_000);
const MOST_TICKS = 7;

/** The timeline of an operation; `now` is milliseconds since 1970 (UTC). */
export function timelineOf(view: OperationView, now: number): Timeline {
  const isRunning = isActive(view);
  const endMs = Math.max((view.finishedAt ?? lastKnown(view) ?? now) - view.startedAt, 0);
  const nowMs = isRunning ? Math.max(now - view.startedAt, 0) : null;
  const measured = measure(view);
  const outages = outagesOf(view, nowMs ?? endMs);
  const touched = view.vms.filter(({ outcome, steps }) => outcome !== "kept" || steps.length > 0);
  const drawn = (touched.length === 0 ? view.vms : touched).map((vm) =>
    drawVm(vm, { view, outages, nowMs, endMs })
  );
  const leftMs = nowMs === null ? null : timeLeft(view, measured, nowMs);
  const limitMs = timeLimit(view, measured);
  const known = Math.max(
    nowMs ?? endMs,
    leftMs === null || nowMs === null ? 0 : nowMs + leftMs,
    limitMs ?? 0,
  );
  const { lengthMs, ticksMs } = axis(isRunning ? known * HEADROOM : Math.max(endMs, limitMs ?? 0));
  const lanes = drawn.map((lane) => ({
    ...lane,
    // One that lasts is drawn from its first moment, because nothing else happens that would draw it later.
    waits: lane.waits.filter(({ fromMs, toMs }) => toMs - fromMs >= lengthMs * LEAST_WAIT || toMs === nowMs),
    expected: nowMs === null ? null : expectedOf(lane.vm, measured, { now, nowMs }),
  }));
  return {
    lanes,
    lengthMs,
    ticksMs,
    nowMs,
    limitMs,
    outages,
    isAway: view.waiting !== null,
    running: runningAtOnce(drawn),
  };
}

/** What is left of a running operation, by the steps that were measured; null when that is not known, or less than a second. */
export function timeLeftOf(view: OperationView, now: number): number | null {
  return view.status === "running" ? timeLeft(view, measure(view), Math.max(now - view.startedAt, 0)) : null;
}

/** An operation whose program ended has no end of its own: the last that is known of it. */
function lastKnown(view: OperationView): number | null {
  if (isActive(view)) return null;
  const { vms, startedAt } = view;
  const times = vms.flatMap(({ steps }) => steps.flatMap((step) => step.finishedAt ?? step.startedAt ?? []));
  return Math.max(startedAt, ...times);
}

function outagesOf({ outages, startedAt }: OperationView, endMs: number): readonly Span[] {
  return outages.map(({ since, until }) => ({
    fromMs: Math.max(since - startedAt, 0),
    toMs: until === null ? endMs : until - startedAt,
  }));
}

function drawVm(
  vm: OperationVmView,
  { view, outages, nowMs, endMs }: {
    readonly view: OperationView;
    readonly outages: readonly Span[];
    readonly nowMs: number | null;
    readonly endMs: number;
  },
): Omit<Lane, "expected"> {
  const whole = stack(
    vm.steps.flatMap((step) => {
      if (step.startedAt === null || step.status === "pending" || step.status === "skipped") return [];
      const fromMs = Math.max(step.startedAt - view.startedAt, 0);
      const toMs = step.finishedAt === null ? nowMs ?? endMs : step.finishedAt - view.startedAt;
      return [{ kind: kindOf(step), step, fromMs, toMs: Math.max(toMs, fromMs) }];
    }).sort((a, b) => a.fromMs - b.fromMs),
  );
  const first = whole[0];
  if (first === undefined) return { vm, bars: [], waits: [], tookMs: null };
  const lastMs = Math.max(...whole.map(({ toMs }) => toMs));
  const isOpen = nowMs !== null && vm.outcome === null;
  const between = whole.slice(1).flatMap(({ fromMs }, index) => {
    const before = Math.max(...whole.slice(0, index + 1).map(({ toMs }) => toMs));
    return fromMs > before ? [{ fromMs: before, toMs: fromMs }] : [];
  });
  if (isOpen && nowMs > lastMs) between.push({ fromMs: lastMs, toMs: nowMs });
  const parts = whole.map((bar) => divide(bar, outages, view.startedAt));
  return {
    vm,
    bars: parts.flatMap(({ bars }) => bars),
    waits: [
      ...between.map((span): Wait => ({ ...span, why: whyBetween(span, outages), row: 0, rows: 1 })),
      ...parts.flatMap(({ waits }) => waits),
    ],
    tookMs: (isOpen ? nowMs : lastMs) - first.fromMs,
  };
}

function whyBetween(span: Span, outages: readonly Span[]): Wait["why"] {
  return outages.some((outage) => overlap(outage, span) !== null) ? "nas" : "turn";
}

/** An outage that has only begun has no length yet, but lasts as long as what it interrupts. */
function overlap(outage: Span, span: Span): Span | null {
  const [fromMs, toMs] = [Math.max(outage.fromMs, span.fromMs), Math.min(outage.toMs, span.toMs)];
  return toMs > fromMs || (toMs === fromMs && outage.toMs === span.toMs) ? { fromMs, toMs } : null;
}

/** Divides a step where the NAS was away and where a call was sent again. */
function divide(
  bar: Bar,
  outages: readonly Span[],
  startedAt: number,
): { readonly bars: readonly Bar[]; readonly waits: readonly Wait[] } {
  const { kind, step, row, rows } = bar;
  const failed = step.failedTries.map(({ at, againInMs }) => ({
    fromMs: at - startedAt,
    toMs: at - startedAt + againInMs,
  }));
  const all = [
    ...outages.flatMap((outage) => overlap(outage, bar) ?? []).map((span) => ({
      ...span,
      why: "nas" as const,
    })),
    ...failed.map((span) => ({ ...span, why: "again" as const })),
  ].sort((a, b) => a.fromMs - b.fromMs);
  // The try that an outage ended is only verified after it, and the next one follows at once.
  const waits = all.filter(({ fromMs, toMs }, n) => toMs > fromMs || all[n - 1]?.why !== "nas");
  const bars: Bar[] = [];
  let fromMs = bar.fromMs;
  for (const wait of waits) {
    const isTry = failed.some((it) => it.fromMs >= wait.fromMs);
    bars.push({ step, row, rows, kind: isTry ? "try" : kind, fromMs, toMs: Math.max(wait.fromMs, fromMs) });
    fromMs = Math.max(wait.toMs, fromMs);
  }
  if (fromMs < bar.toMs || bars.length === 0) bars.push({ step, row, rows, kind, fromMs, toMs: bar.toMs });
  return { bars, waits: waits.map((wait) => ({ ...wait, row, rows })) };
}

/** Gives each bar a row, as few as there are steps at once. */
function stack(bars: readonly Omit<Bar, keyof Place>[]): readonly Bar[] {
  const stacked: Bar[] = [];
  let together: Omit<Bar, "rows">[] = [];
  let ends: number[] = [];
  const close = () => {
    stacked.push(...together.map((bar) => ({ ...bar, rows: ends.length })));
    together = [];
    ends = [];
  };
  for (const bar of bars) {
    if (ends.every((endMs) => endMs <= bar.fromMs)) close();
    const free = ends.findIndex((endMs) => endMs <= bar.fromMs);
    const row = free < 0 ? ends.length : free;
    ends[row] = bar.toMs;
    together.push({ ...bar, row });
  }
  close();
  return stacked;
}

function kindOf({ step, status, error, healed }: StepView): BarKind {
  if (status === "failed" && error?.outcome === "unknown") return "unknown";
  if (step.startsWith("undo-")) return status === "failed" ? "failed" : "undone";
  if (status === "running" || status === "failed") return status;
  return healed > 0 ? "healed" : "done";
}

/** What steps of a name took: the middle and the quickest. */
type Measured = ReadonlyMap<string, { readonly middleMs: number; readonly leastMs: number }>;

function measure({ vms }: OperationView): Measured {
  const took = new Map<string, number[]>();
  for (const { step, status, startedAt, finishedAt } of vms.flatMap(({ steps }) => steps)) {
    if (status !== "done" || startedAt === null || finishedAt === null) continue;
    const all = took.get(sortOf(step)) ?? [];
    all.push(finishedAt - startedAt);
    took.set(sortOf(step), all);
  }
  return new Map(
    [...took].map(([sort, all]) => {
      const sorted = all.toSorted((a, b) => a - b);
      return [sort, { middleMs: sorted[sorted.length >> 1] ?? 0, leastMs: sorted[0] ?? 0 }];
    }),
  );
}

/** `disk0` and `disk1` take about the same. */
function sortOf(step: string): string {
  return step.replace(/\d+$/, "");
}

function openSteps({ outcome, steps }: OperationVmView): readonly StepView[] {
  return outcome === null ? steps.filter(({ status }) => status === "pending" || status === "running") : [];
}

/**
 * What steps of one VM take, or from `now` on still take; null when one of them was never measured. Devices are added at the
 * same time.
 */
function pathMs(
  steps: readonly StepView[],
  measured: Measured,
  pick: "middleMs" | "leastMs",
  now: number | null = null,
): number | null {
  let inOrder = 0;
  let atOnce = 0;
  for (const { step, startedAt } of steps) {
    const known = measured.get(sortOf(step));
    if (known === undefined) return null;
    const passedMs = now === null || startedAt === null ? 0 : now - startedAt;
    const leftMs = Math.max(known[pick] - passedMs, 0);
    if (isDevice(step)) atOnce = Math.max(atOnce, leftMs);
    else inOrder += leftMs;
  }
  return inOrder + atOnce;
}

function isDevice(step: string): boolean {
  return /^(display|cdrom|nic\d+|disk\d+)$/.test(step);
}

function expectedOf(
  vm: OperationVmView,
  measured: Measured,
  { now, nowMs }: { readonly now: number; readonly nowMs: number },
): Span | null {
  const isStarted = vm.steps.some(({ status }) => status !== "pending");
  const ms = isStarted ? pathMs(openSteps(vm), measured, "middleMs", now) : null;
  return ms === null || ms === 0 ? null : { fromMs: nowMs, toMs: nowMs + ms };
}

/** By the pace so far: as many VMs at once as now, and never sooner than the VM that has most to do. */
function timeLeft({ vms, startedAt }: OperationView, measured: Measured, nowMs: number): number | null {
  const open = vms.filter(({ outcome }) => outcome === null);
  if (open.length === 0) return null;
  const each = open.map((vm) => pathMs(openSteps(vm), measured, "middleMs", startedAt + nowMs));
  if (nowMs === 0 || each.some((ms) => ms === null)) return null;
  const sum = each.reduce<number>((total, ms) => total + (ms ?? 0), 0);
  const started = open.filter(({ steps }) => steps.some(({ status }) => status !== "pending")).length;
  const leftMs = Math.max(sum / Math.max(1, started), ...each.map((ms) => ms ?? 0));
  // A step that lasts longer than the others did says nothing of its end.
  return leftMs < LEAST_LEFT_MS ? null : leftMs;
}

/** The NAS runs so many calls of a connection at once; and one VM's steps follow each other. */
function timeLimit({ vms }: OperationView, measured: Measured): number | null {
  const steps = vms.map(({ steps }) =>
    // How long a guest takes is no matter of the NAS.
    steps.filter(({ step, status }) => !step.startsWith("undo-") && step !== "ready" && status !== "skipped")
  ).filter((steps) => steps.length > 0);
  const paths = steps.map((steps) => pathMs(steps, measured, "leastMs"));
  if (steps.length < 2 || paths.includes(null)) return null;
  const calls = steps.flat().reduce((sum, { step }) => sum + (measured.get(sortOf(step))?.leastMs ?? 0), 0);
  return Math.max(calls / MAX_RUNNING_CALLS, ...paths.map((ms) => ms ?? 0));
}

function axis(atLeastMs: number): Pick<Timeline, "lengthMs" | "ticksMs"> {
  const wanted = Math.max(atLeastMs, 1_000);
  const distance = TICKS_MS.find((ms) => wanted / ms <= MOST_TICKS) ?? wanted;
  const half = distance / 2;
  const lengthMs = Math.ceil(wanted / half) * half;
  const ticksMs: number[] = [];
  for (let ms = 0; ms <= lengthMs; ms += distance) ticksMs.push(ms);
  return { lengthMs, ticksMs };
}

function runningAtOnce(lanes: readonly Pick<Lane, "bars">[]): Timeline["running"] {
  const changes = lanes.flatMap(({ bars }) =>
    bars.filter(({ step }) => step.step !== "ready").flatMap((
      { fromMs, toMs },
    ) => [{ atMs: fromMs, by: 1 }, { atMs: toMs, by: -1 }])
  ).sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  const running: { atMs: number; count: number }[] = [];
  let count = 0;
  for (const { atMs, by } of changes) {
    count += by;
    const last = running.at(-1);
    if (last?.atMs === atMs) last.count = count;
    else running.push({ atMs, count });
  }
  return running;
}
