/** One operation, live or finished. */
import type { Problem } from "../../lib/errors/errors.ts";
import { timelineOf } from "../../lib/operations/timeline.ts";
import { isActive, type OperationEvent, type OperationView } from "../../lib/operations/types.ts";
import type { RollBackPlan } from "../../lib/plan/roll_back.ts";
import type { Concurrency } from "../../lib/operations/limits/call_limiter.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { DateTime, ErrorSummary, Notice } from "../parts/common.tsx";
import { Icon } from "../parts/icons.tsx";
import { Operation } from "../parts/operation/operation.tsx";
import { ConcurrencyLine } from "../parts/operation/concurrency.tsx";
import { paths } from "../paths.ts";
import { Said } from "../parts/said.tsx";

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
  const timeline = timelineOf(view, now);
  const operation = <Operation {...{ view, timeline, events, now, mayChange, problems, rollBack }} />;
  return (
    <Layout
      {...frame}
      title={view.title}
      current="activity"
      shows={view.id}
      {...(isActive(view) ? { stream: paths.operationEvents(view.id, view.lastSeq) } : {})}
    >
      <nav class="trail" aria-label="Breadcrumb">
        <a href={paths.operations()}>Activity</a>
        <span aria-hidden="true">/</span>
        <DateTime at={view.startedAt} />
      </nav>
      <header class="page-head">
        <h1>
          <Said text={view.title} />
        </h1>
        {isActive(view)
          ? (
            <button type="button" class="btn" id="notify" hidden>
              <Icon name="clock" />
              <span>Notify me when it ends</span>
            </button>
          )
          : null}
      </header>
      <ErrorSummary problems={problems} />
      {isActive(view)
        ? (
          <>
            <script src={frame.assets.waterfall} type="module"></script>
            <noscript>
              <Notice tone="quiet">
                <p>
                  Without JavaScript this page does not update automatically.{" "}
                  <a href={paths.operation(view.id)}>Reload</a>
                </p>
              </Notice>
            </noscript>
            {operation}
            <ConcurrencyLine concurrency={concurrency} />
          </>
        )
        : operation}
    </Layout>
  );
}
