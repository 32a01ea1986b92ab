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
    const over = vms.filter(({ outcome }) => outcome !== null).length;
    return <progress value={over} max={vms.length} aria-label={progressOf(view)}></progress>;
  }
  return (
    <span class="dots cells" aria-hidden="true">
      {vms.map((vm) => <i class={cellTone(kind, vm)}></i>)}
    </span>
  );
}

/** `3 of 8`: the VMs that are as requested. */
export function progressOf({ kind, vms }: OperationView): string {
  return `${vms.filter(({ outcome }) => isGood(kind, outcome)).length} of ${vms.length}`;
}
