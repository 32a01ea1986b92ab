/** The list of operations: its filter, and a row for each. */
import { isActive, type OperationView } from "../../../lib/operations/types.ts";
import { isUndecided } from "../../../lib/operations/record/undecided.ts";
import { formatCount, formatDuration } from "../../../lib/units.ts";
import { DateTime, SHAPES, TableHead, type Tone } from "../common.tsx";
import { Who } from "../history.tsx";
import { Shape } from "../icons.tsx";
import { Cells, progressOf } from "./cells.tsx";
import { describeProgress } from "./operation.tsx";
import { OperationState } from "./states.tsx";
import { paths } from "../../paths.ts";
import { Said } from "../said.tsx";

/** The groups that operations can be filtered by. */
const OPERATION_FILTERS = {
  running: { label: "Running", tone: "busy", has: isActive },
  decide: { label: "Needs a decision", tone: "warn", has: isUndecided },
  failed: { label: "Failed", tone: "bad", has: ({ status }) => status === "failed" },
  "partly-done": { label: "Partly done", tone: "warn", has: ({ status }) => status === "partly-done" },
  interrupted: { label: "Interrupted", tone: "warn", has: ({ status }) => status === "interrupted" },
  cancelled: { label: "Cancelled", tone: "warn", has: ({ status }) => status === "cancelled" },
  done: { label: "Done", tone: "good", has: ({ status }) => status === "done" },
} as const satisfies Record<
  string,
  { readonly label: string; readonly tone: Tone; readonly has: (view: OperationView) => boolean }
>;

/** The name of a filter; empty for all operations. */
export type OperationFilter = keyof typeof OPERATION_FILTERS | "";

/** Whether a text names a filter. */
export function isOperationFilter(text: string): text is OperationFilter {
  return text === "" || Object.hasOwn(OPERATION_FILTERS, text);
}

/** Props of the list. */
export interface OperationListProps {
  /** All of them, newest first. */
  readonly operations: readonly OperationView[];
  readonly state: OperationFilter;
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
}

/** The operations that a filter shows. */
function shownBy(state: OperationFilter, operations: readonly OperationView[]) {
  return state === "" ? operations : operations.filter((view) => OPERATION_FILTERS[state].has(view));
}

/** The list. Live updates replace it by its id when operations start or change their group. */
export function OperationList({ operations, state, now }: OperationListProps) {
  const shown = shownBy(state, operations);
  return (
    <div id="operation-list" class="stack">
      <nav class="chips" aria-label="Filter">
        <Chip state="" current={state} label="All" count={operations.length} />
        {Object.entries(OPERATION_FILTERS).map(([name, { label, tone, has }]) => {
          const count = operations.filter(has).length;
          if (count === 0 && name !== state) return null;
          return <Chip {...{ state: name as OperationFilter, current: state, label, count, tone }} />;
        })}
      </nav>
      {shown.length === 0
        ? (
          <div class="empty">
            <h2>None now</h2>
            <p>No operation is in this state.</p>
            <p class="actions">
              <a class="btn" href={paths.operations()}>Show all operations</a>
            </p>
          </div>
        )
        : (
          <table class="table rows operations">
            <caption class="visually-hidden">{formatCount(shown.length, "operation")}, newest first</caption>
            <TableHead
              columns={["Operation", "State", "Progress", "Who", "Started", "Duration"]}
              numeric={["Duration"]}
            />
            <tbody>
              {shown.map((view) => <OperationRow view={view} now={now} />)}
            </tbody>
          </table>
        )}
    </div>
  );
}

interface ChipProps {
  readonly state: OperationFilter;
  readonly current: OperationFilter;
  readonly label: string;
  readonly count: number;
  readonly tone?: Tone;
}

function Chip({ state, current, label, count, tone }: ChipProps) {
  return (
    <a
      class={tone === undefined ? "chip" : `chip ${tone}`}
      href={paths.operations({ state })}
      aria-current={state === current ? "true" : undefined}
    >
      {tone === undefined ? null : <Shape name={SHAPES[tone]} />}
      {label} <b>{count}</b>
    </a>
  );
}

/** One operation. Live updates replace it by its id. */
export function OperationRow({ view, now }: { view: OperationView; now: number }) {
  return (
    <tr id={`operation-${view.id}`} data-operation={view.id} data-status={view.status}>
      <th scope="row">
        <a href={paths.operation(view.id)}>
          <Said text={view.title} />
        </a>
        {isUndecided(view)
          ? (
            <span class="badge warn">
              <Shape name="warn" />
              Needs a decision
            </span>
          )
          : null}
      </th>
      <td data-label="State">
        <OperationState status={view.status} />
      </td>
      <td data-label="Progress" class="progress-cell" title={describeProgress(view)}>
        <Cells view={view} />
        <small>
          {progressOf(view)}
          <span class="visually-hidden">: {describeProgress(view)}</span>
        </small>
      </td>
      <td data-label="Who">
        <Who by={view.by} />
      </td>
      <td data-label="Started">
        <DateTime at={view.startedAt} />
      </td>
      <td class="num" data-label="Duration">
        {formatDuration((view.finishedAt ?? now) - view.startedAt)}
      </td>
    </tr>
  );
}
