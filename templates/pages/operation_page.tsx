/** One operation, live or finished. */
import type { Problem } from "../../lib/errors/errors.ts";
import type { OperationEvent, OperationView } from "../../lib/operations/types.ts";
import type { RollBackPlan } from "../../lib/plan/roll_back.ts";
import type { Concurrency } from "../../lib/operations/limiter.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary } from "../parts/common.tsx";
import { Operation } from "../parts/operation/operation.tsx";
import { ConcurrencyLine } from "../parts/concurrency.tsx";
import { paths } from "../paths.ts";

/** Props of the page. */
export interface OperationPageProps {
  readonly frame: PageFrame;
  readonly view: OperationView;
  /** Every event so far, for the log. */
  readonly events: readonly OperationEvent[];
  /** How many calls the NAS gets at once now. */
  readonly concurrency: Concurrency;
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
  /** What a rollback would remove, as read now. */
  readonly rollBack?: RollBackPlan | null;
  /** Problems with the submitted form. */
  readonly problems?: readonly Problem[];
}

/** The page. Its stream continues after the last event shown. */
export function OperationPage(
  { frame, view, events, concurrency, now, problems = [], rollBack = null }: OperationPageProps,
) {
  const { mayChange } = frame;
  const operation = <Operation {...{ view, events, now, mayChange, problems, rollBack }} />;
  return (
    <Layout
      {...frame}
      title={view.title}
      current="operations"
      {...(view.status === "running" ? { stream: paths.operationEvents(view.id, view.lastSeq) } : {})}
    >
      <p class="trail">
        <a href={paths.operations()}>Operations</a>
      </p>
      <h1>{view.title}</h1>
      <ErrorSummary problems={problems} />
      {view.status === "running"
        ? (
          <>
            <noscript>
              <p class="notice tone-quiet">
                Without JavaScript this page does not update automatically.{" "}
                <a href={paths.operation(view.id)}>Reload</a>
              </p>
            </noscript>
            {operation}
            <ConcurrencyLine concurrency={concurrency} />
          </>
        )
        : operation}
    </Layout>
  );
}
