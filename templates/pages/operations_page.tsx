/** The operations, newest first. */
import type { OperationView } from "../../lib/operations/types.ts";
import { formatCount, formatDuration } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { DateTime, TableHead } from "../parts/common.tsx";
import { HistoryTabs, Who } from "../parts/history.tsx";
import { describeProgress } from "../parts/operation/operation.tsx";
import { paths } from "../paths.ts";
import { OperationState } from "../parts/operation/states.tsx";

/** The page. */
export function OperationsPage(
  { frame, operations, now }: { frame: PageFrame; operations: readonly OperationView[]; now: number },
) {
  return (
    <Layout {...frame} title="Operations" current="activity">
      <h1>Operations</h1>
      <HistoryTabs current="operations" />
      {operations.length === 0
        ? (
          <div class="empty">
            <h2>No operations yet</h2>
            <p>
              When you create, change or destroy VMs, the operation and its steps are listed here.
            </p>
            {frame.mayChange
              ? (
                <p>
                  <a class="btn primary" href={paths.create()}>Create VMs</a>
                </p>
              )
              : null}
          </div>
        )
        : <OperationTable operations={operations} now={now} />}
    </Layout>
  );
}

function OperationTable({ operations, now }: { operations: readonly OperationView[]; now: number }) {
  return (
    <table class="table rows">
      <caption>{formatCount(operations.length, "operation")}, newest first</caption>
      <TableHead
        columns={["Operation", "Status", "VMs", "Who", "Started", "Duration"]}
        numeric={["Duration"]}
      />
      <tbody>
        {operations.map((view) => (
          <tr data-operation={view.id} data-status={view.status}>
            <th scope="row">
              <a href={paths.operation(view.id)}>{view.title}</a>
            </th>
            <td data-label="Status">
              <OperationState status={view.status} />
            </td>
            <td data-label="VMs">{describeProgress(view)}</td>
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
        ))}
      </tbody>
    </table>
  );
}
