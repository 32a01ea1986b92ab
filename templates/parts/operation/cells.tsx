/** How far an operation is, at a glance: a cell for each VM, and in numbers. */
import { isGood } from "../../../lib/operations/summary.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import { cellTone } from "./operation.tsx";

/** Above this number, a bar says more than cells. */
const MAX_CELLS = 24;

/** The cells, or a bar for many VMs; the words beside them say the same. */
export function Cells({ view }: { view: OperationView }) {
  const { kind, vms } = view;
  if (vms.length > MAX_CELLS) {
    return (
      <progress value={finishedIn(view)} max={vms.length} aria-label={describeFinished(view)}></progress>
    );
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

/** `4 of 8 finished` */
export function describeFinished(view: OperationView): string {
  return `${finishedIn(view)} of ${view.vms.length} finished`;
}

/** `3 of 8`: the VMs that are as requested. */
export function progressOf({ kind, vms }: OperationView): string {
  return `${vms.filter(({ outcome }) => isGood(kind, outcome)).length} of ${vms.length}`;
}
