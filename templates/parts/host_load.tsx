/** The load of the NAS itself as small charts of the last minutes, each with its figure in words. */
import { Time } from "./common.tsx";

/** What the charts show. */
export interface HostLoadView {
  readonly charts: readonly LoadChart[];
  /** When the readings began, where the charts have room to say so; else null. */
  readonly since: number | null;
}

/** One chart. */
export interface LoadChart {
  /** `cpu`, for tests and styles. */
  readonly id: string;
  readonly name: string;
  /** The newest figure; null while there is none. */
  readonly now: string | null;
  /** Where there is room, this stands before the figure; empty if there is nothing to add. */
  readonly detail: string;
  /** Where there is room, this stands instead of the figure; null where the figure says it all. */
  readonly parts: string | null;
  /** The chart in words. */
  readonly words: string;
  /**
   * Shares of the chart's height from 0 to 1, oldest first, null where nothing was measured; each layer is below the
   * next. A line goes on over a reading that is missing.
   */
  readonly layers: readonly (readonly (number | null)[])[];
}

/** The charts; nothing where the NAS does not send its load. Live updates replace them by their id. */
export function HostLoad({ load }: { readonly load: HostLoadView | null }) {
  if (load === null) return <div id="host-load" hidden></div>;
  return (
    <div id="host-load" class="host-load" role="group" aria-label="Load of the NAS">
      {load.charts.map((chart) => <Chart {...chart} since={load.since} />)}
    </div>
  );
}

function Chart(
  { id, name, now, detail, parts, words, layers, since }: LoadChart & Pick<HostLoadView, "since">,
) {
  return (
    <div class="load" data-load={id} data-known={now === null ? "no" : "yes"}>
      <p>
        <span class="name">{name}</span>{" "}
        <span class="figure">
          {now === null ? <Missing isDrawn={layers.flat().some((share) => share !== null)} /> : (
            <>
              {detail === "" ? null : <span class="detail">{detail}</span>}
              <b class={parts === null ? undefined : "whole"}>{now}</b>
              {parts === null ? null : <b class="parts">{parts}</b>}
            </>
          )}
        </span>
      </p>
      {since === null ? null : (
        <small class="since">
          since <Time at={since} />
        </small>
      )}
      <svg
        class="spark"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words}
      >
        <title>{words}</title>
        {layers.toReversed().map((shares, n) => {
          const points = pointsOf(shares);
          const isLowest = n === layers.length - 1;
          return (
            <>
              <path class={isLowest ? "area" : "area above"} d={areaOf(points)} />
              {isLowest ? <path class="line" d={lineOf(points)} /> : null}
            </>
          );
        })}
      </svg>
    </div>
  );
}

/** Before the first reading the figure is on its way; later the NAS has stopped sending. */
function Missing({ isDrawn }: { readonly isDrawn: boolean }) {
  return isDrawn ? <span class="faint">no reading</span> : <span class="bone" aria-hidden="true"></span>;
}

const WIDTH = 240;
const HEIGHT = 32;
/** So that the line is not cut off at the edges. */
const EDGE = 1;

interface Point {
  readonly x: string;
  readonly y: string;
}

function pointsOf(shares: readonly (number | null)[]): readonly Point[] {
  return shares.flatMap((share, n) => {
    if (share === null) return [];
    const x = String(Math.round(WIDTH * n / Math.max(1, shares.length - 1)));
    return [{ x, y: (EDGE + (1 - share) * (HEIGHT - 2 * EDGE)).toFixed(1) }];
  });
}

/** A single reading is a short stroke, because a line needs two points. */
function lineOf(points: readonly Point[]): string {
  const [first] = points;
  if (first === undefined) return "";
  if (points.length === 1) return `M${first.x} ${first.y}h-3`;
  return `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}`;
}

function areaOf(points: readonly Point[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return "";
  return `M${first.x} ${HEIGHT}L${points.map(({ x, y }) => `${x} ${y}`).join("L")}L${last.x} ${HEIGHT}Z`;
}
