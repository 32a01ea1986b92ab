/** How many calls the NAS gets at once while an operation is running. */
import type { Pace } from "../../lib/operations/pace.ts";
import { formatCount } from "../../lib/units.ts";

const WHY = {
  slow: "because the NAS slows down with more",
  refused: "because the NAS refused more",
} as const;

/** The line; hidden when no operation is running. */
export function PaceLine({ pace }: { pace: Pace | null }) {
  if (pace === null) return <p id="pace" hidden></p>;
  const { width, why } = pace;
  return (
    <p id="pace" class="help" data-width={width}>
      Up to {formatCount(width, "change")} at once, {why === null ? "the NAS's limit" : WHY[why]}.
    </p>
  );
}
