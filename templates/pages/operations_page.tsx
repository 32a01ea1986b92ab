/** The operations, newest first. */
import { Layout, type PageFrame } from "../layout.tsx";
import { HistoryTabs } from "../parts/history.tsx";
import { OperationList, type OperationListProps } from "../parts/operation/operation_list.tsx";
import { paths } from "../paths.ts";

/** The page. */
export function OperationsPage({ frame, ...list }: OperationListProps & { readonly frame: PageFrame }) {
  return (
    <Layout
      {...frame}
      title="Activity"
      current="activity"
      stream={paths.operationsEvents(list.state)}
      shows="all"
    >
      <h1>Activity</h1>
      <HistoryTabs current="operations" />
      {list.operations.length === 0
        ? (
          <div id="operation-list" class="stack">
            <div class="empty">
              <h2>No operations yet</h2>
              <p>
                When you create, change or destroy VMs, the operation and its steps are listed here.
              </p>
              {frame.mayChange
                ? (
                  <p class="actions">
                    <a class="btn primary" href={paths.create()}>Create VMs</a>
                  </p>
                )
                : null}
            </div>
          </div>
        )
        : <OperationList {...list} />}
    </Layout>
  );
}
