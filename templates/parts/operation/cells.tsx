/** How far an operation is, at a glance: a cell for each VM, and in numbers. */
import { isGood } from "../../../lib/operations/summary.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import { cellTone, unsuccessfulIn } from "./operation.tsx";
import { countedIn } from "./states.tsx";

/** Above this number, a bar says more than cells. */
const MAX_CELLS = 24;

/** The cells, or a bar for many VMs; the words beside them say the same. */
export function Cells({ view }: { view: OperationView }) {
  const { kind, vms } = view;
  if (vms.length > MAX_CELLS) {
    return <progress value={finishedIn(view)} max={vms.length} aria-label={describeDone(view)}></progress>;
  }
  return (
    <span class="dots cells" aria-hidden="true">
      {vms.map((vm) => <i class={cellTone(kind, vm)}></i>)}
    </span>
  );
}

/** How many VMs have an outcome, whatever it is. */
export function finishedIn({ vms }: OperationView): number {
  return vms.filter(({ outcome }) => outcome !== null).length;
}

/** `3 of 8 done, 1 failed`: the same count as on the operation's own page. */
export function describeDone(view: OperationView): string {
  return [`${progressOf(view)} done`, ...unsuccessfulIn(view)].join(", ");
}

/** `3 of 8`: the VMs that are as requested, of those with which something is done. */
export function progressOf(view: OperationView): string {
  const { vms } = countedIn(view);
  return `${vms.filter(({ outcome }) => isGood(view.kind, outcome)).length} of ${vms.length}`;
}
