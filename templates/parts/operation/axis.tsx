/** The time axis above the lanes of an operation: ticks, the present, the earliest end, and when the NAS was away. */
import type { Span, Timeline } from "../../../lib/operations/timeline.ts";
import { formatClock, formatDuration } from "../../../lib/units.ts";

/** So near an edge, words around their line would be cut off on a phone. */
const NEAR_EDGE = 0.18;

/** So near each other, two times would lie on each other on a phone, and on a desk. */
const TOO_NEAR_NARROW = 0.13;
const TOO_NEAR = 0.05;
/** So near, the line of the limit would run through a time, on a phone and on a desk. */
const CROSSED_NARROW = 0.06;
const CROSSED = 0.03;
/** From here on, the time of a tick is written before it, as there is no room around it. */
const LAST = 0.98;

function anchorAt(share: number): "start" | "middle" | "end" {
  return share < NEAR_EDGE ? "start" : share > 1 - NEAR_EDGE ? "end" : "middle";
}

/** The axis with the present time; live updates replace it by its id. */
export function Axis({ timeline }: { timeline: Timeline }) {
  const { lengthMs, ticksMs, nowMs, limitMs, outages } = timeline;
  const x = (ms: number) => percent(ms / lengthMs);
  const isApart = (ms: number, other: number | null, share: number) =>
    other === null || Math.abs(ms - other) / lengthMs > share;
  // The present time, or the line of the limit, and the ticks near them would lie on each other.
  const isClear = (ms: number) => isApart(ms, nowMs, TOO_NEAR) && isApart(ms, limitMs, CROSSED);
  const isClearNarrow = (ms: number) =>
    isApart(ms, nowMs, TOO_NEAR_NARROW) && isApart(ms, limitMs, CROSSED_NARROW);
  const words = [
    `Time axis, 0 to ${formatDuration(lengthMs)}`,
    ...(limitMs === null ? [] : [`the earliest end this NAS allows is about ${formatDuration(limitMs)}`]),
    ...outages.map((span) =>
      `the NAS was away for ${formatDuration(span.toMs - span.fromMs)} from ${formatClock(span.fromMs)}`
    ),
  ].join("; ");
  return (
    <svg class="lane" id="waterfall-axis" role="img" aria-label={words} data-length={lengthMs}>
      {ticksMs.filter(isClear).map((ms) => (
        <text
          class={isClearNarrow(ms) ? "t-axis" : "t-axis near"}
          x={x(ms)}
          y="28"
          text-anchor={ms === 0 ? "start" : ms / lengthMs > LAST ? "end" : "middle"}
        >
          {ms === 0 ? "0 s" : formatClock(ms)}
        </text>
      ))}
      {limitMs === null ? null : (
        <>
          <line class="limit" x1={x(limitMs)} x2={x(limitMs)} y1="18" y2="100%" />
          <text
            class="t-limit"
            x={x(limitMs)}
            y="10"
            text-anchor={anchorAt(limitMs / lengthMs)}
          >
            earliest end {formatDuration(limitMs)}
          </text>
        </>
      )}
      {outages.map((outage) => <OutageWords outage={outage} timeline={timeline} />)}
      {nowMs === null ? null : (
        <>
          <line class="now" x1={x(nowMs)} x2={x(nowMs)} y1="34" y2="100%" />
          <text class="t-now" x={x(nowMs)} y="28" text-anchor="middle">{formatClock(nowMs)}</text>
        </>
      )}
    </svg>
  );
}

/** So much of the axis these words need, however long the outage was. */
const OUTAGE_WORDS = 0.15;

/** Above the ticks, where the lanes below have their gap, and where the limit or another outage leaves room for words. */
function OutageWords({ outage, timeline }: { outage: Span; timeline: Timeline }) {
  const { lengthMs, nowMs, limitMs, outages } = timeline;
  const { fromMs, toMs } = outage;
  const isOver = toMs !== nowMs;
  const before = outages[outages.indexOf(outage) - 1];
  const half = lengthMs * OUTAGE_WORDS / 2;
  const taken = [limitMs, before === undefined ? null : before.toMs - half].filter((ms) => ms !== null);
  const at = [(fromMs + toMs) / 2, toMs - half, fromMs + half].find((ms) =>
    ms > half && ms < lengthMs - half && taken.every((other) => Math.abs(ms - other) > 2 * half)
  );
  return (
    <>
      <line
        class="away"
        x1={percent(fromMs / lengthMs)}
        x2={percent(toMs / lengthMs)}
        y1="18"
        y2="18"
        data-until={isOver ? undefined : "now"}
      />
      {at === undefined ? null : (
        <text class="t-away" x={percent(at / lengthMs)} y="10" text-anchor="middle">
          NAS away{isOver ? ` ${formatDuration(toMs - fromMs)}` : ""}
        </text>
      )}
    </>
  );
}

/** A part of the axis, as SVG has it. */
export function percent(part: number): string {
  return `${(Math.min(Math.max(part, 0), 1) * 100).toFixed(2)}%`;
}
