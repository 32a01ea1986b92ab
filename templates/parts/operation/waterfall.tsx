/** An operation as a picture: a lane for each VM, a bar for each step, on one time axis. */
import { formatClock, formatDuration } from "../../../lib/units.ts";
import type { Bar, BarKind, Lane, Timeline, Wait } from "../../../lib/operations/timeline.ts";
import type { OperationKind } from "../../../lib/operations/types.ts";
import { isGood } from "../../../lib/operations/summary.ts";
import { paths } from "../../paths.ts";
import { Notice } from "../common.tsx";
import { describeTrouble, stepLabel, stepState } from "./states.tsx";
import { operationRowId, VmOutcomeState } from "./steps.tsx";
import { Said } from "../said.tsx";
import { Axis, percent } from "./axis.tsx";

/** What the picture is given. */
export interface WaterfallProps {
  readonly timeline: Timeline;
  readonly kind: OperationKind;
}

/** These are explained from the beginning, so that the explanations stand still. */
const ALWAYS = ["done", "running"] as const satisfies readonly BarKind[];

/** What the colours stand for. */
const LEGEND: readonly (readonly [BarKind, string])[] = [
  ["done", "Done"],
  ["running", "Running"],
  ["try", "Failed try"],
  ["healed", "Healed"],
  ["failed", "Failed"],
  ["unknown", "Unknown"],
  ["undone", "Rolled back"],
];

/** Class of each kind of bar. */
const BARS = {
  done: "done",
  running: "run",
  failed: "fail",
  unknown: "unknown",
  try: "try",
  healed: "healed",
  undone: "undone",
} as const satisfies Record<
  BarKind,
  string
>;

/** A bar has room for its name from this part of the lane on, and so much more for each letter. */
const NAMED_FROM = 0.01;
const EACH_LETTER = 0.0075;
/** Heights in a lane of 36 pixels: of one bar, and of all that lie below each other. */
const BAR_HEIGHT = 18;
const MAX_STACK = 28;
/** Every bar can be seen, however short its step was. */
const LEAST_WIDTH = 0.0035;

/** The picture with its legend; live updates replace single lanes, or all of it when the axis changes. */
export function Waterfall({ timeline, kind }: WaterfallProps) {
  const { lanes, lengthMs } = timeline;
  return (
    <section class="card" id="waterfall" aria-labelledby="waterfall-heading" data-length={lengthMs}>
      <header>
        <h2 id="waterfall-heading">Timeline</h2>
        <Legend timeline={timeline} />
      </header>
      <table class="fall">
        <caption class="visually-hidden">
          When each step of each VM ran. The table of steps below says the same in words.
        </caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="visually-hidden">VM</span>
            </th>
            <th scope="col" class="c-out">
              <span class="visually-hidden">Outcome</span>
            </th>
            <td class="c-lane">
              <Axis timeline={timeline} />
            </td>
            <th scope="col" class="c-took">
              <span class="visually-hidden">Duration</span>
            </th>
          </tr>
        </thead>
        {lanes.map((lane) => <LaneRows lane={lane} timeline={timeline} kind={kind} />)}
        <tbody>
          <RunningRow timeline={timeline} />
        </tbody>
      </table>
    </section>
  );
}

/** What the whole picture depends on: when it changes, single lanes are not enough. */
export function frameOf(timeline: Timeline): string {
  const { lanes, lengthMs, limitMs, outages } = timeline;
  const limit = limitMs === null ? "" : Math.round(limitMs / lengthMs * 100);
  return [lanes.length, lengthMs, limit, outages.length, ...kindsIn(timeline)].join(" ");
}

/** The id of a VM's lane. */
export function laneId(name: string): string {
  return `lane-${operationRowId(name)}`;
}

/** A VM's id is known once its creation has ended; one that may be there before that is found by its name. */
function VmLink(
  { vm: { name, vmId, outcome, steps }, kind }: Pick<Lane, "vm"> & Pick<WaterfallProps, "kind">,
) {
  if (kind === "destroy" || kind === "undo") return <>{name}</>;
  if (vmId !== null) return <a href={paths.vm(vmId)}>{name}</a>;
  const isBegun = (outcome === null || outcome === "interrupted") &&
    steps.some(({ evidence }) => evidence?.uuid !== undefined);
  return isBegun ? <a href={paths.home({ q: name })}>{name}</a> : <>{name}</>;
}

/** One VM's lane, and below it why it failed. */
export function LaneRows({ lane, timeline, kind }: { lane: Lane } & WaterfallProps) {
  const { vm, tookMs } = lane;
  const isTrouble = vm.outcome !== null && !isGood(kind, vm.outcome);
  return (
    <tbody id={laneId(vm.name)}>
      <tr>
        <th scope="row" dir="auto">
          <VmLink vm={vm} kind={kind} />
        </th>
        <td class="c-out">
          <VmOutcomeState vm={vm} kind={kind} isAway={timeline.isAway} tellsHealing />
        </td>
        <td class="c-lane">
          <LanePicture lane={lane} timeline={timeline} />
        </td>
        <td class="c-took">
          {tookMs === null ? "" : vm.outcome === null ? formatClock(tookMs) : formatDuration(tookMs)}
        </td>
      </tr>
      {isTrouble && vm.message !== null
        ? (
          <tr class="remedy">
            <td colspan={4}>
              <Notice tone={vm.outcome === "failed" || vm.outcome === "left-behind" ? "bad" : "warn"}>
                <p>
                  <Said text={describeTrouble(kind, vm)} />
                </p>
              </Notice>
            </td>
          </tr>
        )
        : null}
    </tbody>
  );
}

function LanePicture({ lane, timeline }: { lane: Lane; timeline: Timeline }) {
  const { lengthMs, ticksMs, nowMs, limitMs } = timeline;
  const x = (ms: number) => percent(ms / lengthMs);
  return (
    <svg class="lane" aria-hidden="true" data-length={lengthMs}>
      {ticksMs.slice(1).map((ms) => <line class="grid" x1={x(ms)} x2={x(ms)} y1="0" y2="100%" />)}
      {limitMs === null ? null : <line class="limit" x1={x(limitMs)} x2={x(limitMs)} y1="0" y2="100%" />}
      {lane.waits.map((wait) => <WaitLine wait={wait} timeline={timeline} />)}
      {lane.expected === null ? null : (
        <rect
          class="ghost"
          x={x(lane.expected.fromMs)}
          width={percent((lane.expected.toMs - lane.expected.fromMs) / lengthMs)}
          y="9"
          height="18"
          rx="3"
        >
          <title>Expected: about {formatDuration(lane.expected.toMs - lane.expected.fromMs)} more</title>
        </rect>
      )}
      {lane.bars.map((bar) => <StepBar bar={bar} timeline={timeline} />)}
      {nowMs === null ? null : <line class="now" x1={x(nowMs)} x2={x(nowMs)} y1="0" y2="100%" />}
    </svg>
  );
}

const WAITS = {
  turn: "Waiting for its turn",
  nas: "Waiting for the NAS",
  again: "Trying again in",
} as const satisfies Record<Wait["why"], string>;

function WaitLine({ wait, timeline: { lengthMs, nowMs } }: { wait: Wait; timeline: Timeline }) {
  const { why, fromMs, toMs } = wait;
  const { y, height } = boxOf(wait);
  const middle = (y + height / 2).toFixed(1);
  return (
    <line
      class={why === "nas" ? "wait nas" : "wait"}
      x1={percent(fromMs / lengthMs)}
      x2={percent(toMs / lengthMs)}
      y1={middle}
      y2={middle}
      data-until={toMs === nowMs ? "now" : undefined}
    >
      <title>{WAITS[why]}: {formatDuration(toMs - fromMs)}</title>
    </line>
  );
}

/** Where a lane has the bar of one of several steps that ran at the same time. */
function boxOf({ row, rows }: Pick<Bar, "row" | "rows">): { readonly y: number; readonly height: number } {
  if (rows === 1) return { y: (36 - BAR_HEIGHT) / 2, height: BAR_HEIGHT };
  const each = MAX_STACK / rows;
  return { y: (36 - MAX_STACK) / 2 + row * each, height: Math.max(each - 1, 2) };
}

function StepBar({ bar, timeline: { lengthMs, nowMs, isAway } }: { bar: Bar; timeline: Timeline }) {
  const { kind, step, fromMs, toMs, rows } = bar;
  const { y, height } = boxOf(bar);
  const part = Math.max((toMs - fromMs) / lengthMs, LEAST_WIDTH);
  const from = percent(fromMs / lengthMs);
  const label = stepLabel(step.step);
  return (
    <>
      <rect
        class={BARS[kind]}
        x={from}
        width={percent(part)}
        y={y.toFixed(1)}
        height={height.toFixed(1)}
        rx={part < 0.01 || rows > 1 ? "1.5" : "3"}
        fill={kind === "undone" ? "url(#hatch-undone)" : undefined}
        data-from={kind === "running" && toMs === nowMs && !isAway ? fromMs : undefined}
      >
        <title>
          {label}: {kind === "try" ? "failed try" : stepState(step, isAway).word.toLowerCase()},{" "}
          {formatDuration(toMs - fromMs)}
          {step.error === null ? "" : `. ${step.error.message}`}
          {step.healing === null ? "" : `. ${step.healing}`}
        </title>
      </rect>
      {part < NAMED_FROM + label.length * EACH_LETTER || kind === "undone" || kind === "try" || rows > 1
        ? null
        : (
          <text
            class={kind === "done" ? "t-in t-done" : "t-in t-on"}
            x={percent(fromMs / lengthMs + 0.007)}
            y="18.5"
          >
            {label}
          </text>
        )}
    </>
  );
}

/** How many steps ran at once, as an area over the same axis; live updates replace it by its id. */
export function RunningRow({ timeline: { running, lengthMs } }: { timeline: Timeline }) {
  const most = Math.max(1, ...running.map(({ count }) => count));
  // The area's own grid: 1,000 wide, 40 high, stretched to the lane.
  const x = (ms: number) => Math.round(ms / lengthMs * 1_000);
  const y = (count: number) => Math.round(40 - count / most * 36);
  const points = running.map(({ atMs, count }) => `H${x(atMs)}V${y(count)}`).join("");
  return (
    <tr class="calls" id="waterfall-running">
      <th scope="row">Steps at once</th>
      <td class="c-out">{most} at most</td>
      <td class="c-lane">
        <svg
          class="lane"
          viewBox="0 0 1000 40"
          preserveAspectRatio="none"
          aria-hidden="true"
          data-area={lengthMs}
        >
          <path class="area" d={`M0 40${points}V40Z`} />
        </svg>
      </td>
      <td class="c-took"></td>
    </tr>
  );
}

/** The kinds of bars that there are, in the order of the legend. */
function kindsIn({ lanes }: Timeline): readonly BarKind[] {
  const kinds = new Set<BarKind>(ALWAYS);
  for (const { kind } of lanes.flatMap(({ bars }) => bars)) kinds.add(kind);
  return LEGEND.map(([kind]) => kind).filter((kind) => kinds.has(kind));
}

function Legend({ timeline }: { timeline: Timeline }) {
  const kinds = kindsIn(timeline);
  return (
    <ul class="legend key">
      {LEGEND.filter(([kind]) => kinds.includes(kind)).map(([kind, word]) => (
        <li>
          <svg class="swatch" aria-hidden="true">
            <rect
              class={BARS[kind]}
              fill={kind === "undone" ? "url(#hatch-undone)" : undefined}
              x=".5"
              y=".5"
              width="11"
              height="11"
              rx="2.5"
            />
          </svg>
          {word}
        </li>
      ))}
      {timeline.limitMs === null ? null : (
        <li>
          <svg class="swatch" aria-hidden="true">
            <line x1="6" x2="6" y1="0" y2="12" />
          </svg>
          Earliest end the NAS allows
        </li>
      )}
    </ul>
  );
}
