/** A running operation above the list: how far it is, with a cell for each VM. */
import type { OperationView, OperationVmView } from "../../../lib/operations/types.ts";
import { isGood } from "../../../lib/operations/summary.ts";
import { paths } from "../../paths.ts";
import { SHAPES } from "../common.tsx";
import { Shape } from "../icons.tsx";
import { STATUSES } from "../operation/states.tsx";
import { operationRowId } from "../operation/steps.tsx";

/** Above this number, a bar says more than cells. */
const MAX_CELLS = 64;

/** The strip. Live updates replace it by its id; it stays when the operation ends, so that nothing moves. */
export function OpStrip({ view }: { view: OperationView }) {
  const { tone, word } = STATUSES[view.status];
  const over = view.vms.filter(({ outcome }) => outcome !== null).length;
  const isOver = view.status !== "running";
  return (
    <section
      class={`op-strip ${tone}`}
      id="op-strip"
      aria-label="Operation"
      data-operation={view.id}
      data-status={view.status}
    >
      <span class="row">
        <span class={`state ${tone}`}>
          <Shape name={SHAPES[tone]} />
          {view.title}
        </span>
        <span class="soft">{isOver ? word : `${over} of ${view.vms.length} finished`}</span>
      </span>
      <Cells view={view} over={over} />
      <a class="btn sm" href={paths.operation(view.id)}>{isOver ? "View" : "Watch"}</a>
    </section>
  );
}

function Cells({ view, over }: { view: OperationView; over: number }) {
  if (view.vms.length > MAX_CELLS) {
    return (
      <progress value={over} max={view.vms.length} aria-label={`${over} of ${view.vms.length} finished`} />
    );
  }
  return (
    <span class="dots cells" aria-hidden="true">
      {view.vms.map((vm) => <i id={`strip-${operationRowId(vm.name)}`} class={cellOf(view, vm)}></i>)}
    </span>
  );
}

function cellOf({ kind }: OperationView, { outcome, steps }: OperationVmView): string {
  if (outcome !== null) return isGood(kind, outcome) ? "good" : "bad";
  return steps.some(({ status }) => status !== "pending") ? "busy" : "todo";
}
