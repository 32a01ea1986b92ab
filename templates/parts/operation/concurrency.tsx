/** How many calls of operations run at once, while an operation is running. */
import type { Concurrency } from "../../../lib/operations/limits/call_limiter.ts";
import { formatCount } from "../../../lib/units.ts";

/** The line; hidden when no operation is running. */
export function ConcurrencyLine({ concurrency }: { concurrency: Concurrency | null }) {
  if (concurrency === null) return <p id="concurrency" hidden></p>;
  const { limit, reduced } = concurrency;
  return (
    <p id="concurrency" class="help" data-limit={limit}>
      {formatCount(limit, "call")} at once{reduced ? " for now: TrueNAS refused more" : ", the NAS's limit"}
    </p>
  );
}
