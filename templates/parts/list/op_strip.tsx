/** A running operation above the list: how far it is, with a cell for each VM. */
import { isActive, type OperationView } from "../../../lib/operations/types.ts";
import { paths } from "../../paths.ts";
import { SHAPES } from "../common.tsx";
import { Shape } from "../icons.tsx";
import { describeDone, finishedIn } from "../operation/cells.tsx";
import { cellTone } from "../operation/operation.tsx";
import { STATUSES } from "../operation/states.tsx";
import { operationRowId } from "../operation/steps.tsx";
import { Said } from "../said.tsx";

/** Above this number, a bar says more than cells. */
const MAX_CELLS = 64;

/** The strip. Live updates replace it by its id; it stays when the operation ends, so that nothing moves. */
export function OpStrip({ view }: { view: OperationView }) {
  const { tone, word } = STATUSES[view.status];
  const isOver = !isActive(view);
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
          <Said text={view.title} />
        </span>
        <span class="soft">{isOver || view.waiting !== null ? word : describeDone(view)}</span>
      </span>
      <Cells view={view} />
      <a class="btn sm" href={paths.operation(view.id)}>{isOver ? "View" : "Watch"}</a>
    </section>
  );
}

function Cells({ view }: { view: OperationView }) {
  if (view.vms.length > MAX_CELLS) {
    return <progress value={finishedIn(view)} max={view.vms.length} aria-label={describeDone(view)} />;
  }
  return (
    <span class="dots cells" aria-hidden="true">
      {view.vms.map((vm) => <i id={`strip-${operationRowId(vm.name)}`} class={cellTone(view.kind, vm)}></i>)}
    </span>
  );
}
