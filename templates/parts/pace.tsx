/** How many calls go to the NAS at once, while an operation is under way. */
import type { Pace } from "../../lib/operations/pace.ts";
import { formatCount } from "../../lib/units.ts";

const WHY = {
  slow: "the NAS takes longer for each when there are more",
  refused: "the NAS refused more, so it is given time",
} as const;

/** The line; empty once nothing is under way. */
export function PaceLine({ pace }: { pace: Pace | null }) {
  if (pace === null) return <p id="pace" hidden></p>;
  const { width, why } = pace;
  return (
    <p id="pace" class="help" data-width={width}>
      Up to {formatCount(width, "change")} at once:{" "}
      {why === null ? "as many as the NAS runs at once" : WHY[why]}.
    </p>
  );
}
