/** An operation: summary, VMs with their steps, and log. The page shows it whole; the stream updates parts of it. */
import { columnsOf, hasRollback, isUndo, OperationVmRow } from "./steps.tsx";
import { OperationState } from "./states.tsx";
import { isLogged, OperationLogLine } from "./log.tsx";
import { CancelForm, Recovery } from "./decisions.tsx";
import { DateTime, Fact } from "../common.tsx";
import { formatCount, formatDuration } from "../../../lib/units.ts";
import type { RollBackPlan } from "../../../lib/plan/roll_back.ts";
import type { OperationEvent, OperationKind, OperationView } from "../../../lib/operations/types.ts";
import { isCancelled, isGood } from "../../../lib/operations/summary.ts";
import type { Problem } from "../../../lib/errors/errors.ts";

/** The whole operation. */
export function Operation(
  { view, events, now, mayChange, problems = [], rollBack = null }: {
    view: OperationView;
    events: readonly OperationEvent[];
    now: number;
    /** Whether the viewer may make changes. */
    mayChange: boolean;
    problems?: readonly Problem[];
    /** What a rollback would remove, as read now. */
    rollBack?: RollBackPlan | null;
  },
) {
  const columns = columnsOf(view);
  const lines = events.filter(isLogged);
  return (
    <section id="operation" data-operation={view.id} data-status={view.status}>
      <OperationSummary view={view} now={now} mayChange={mayChange} />
      <OperationNotices view={view} />
      {view.status === "running" || !mayChange
        ? null
        : <Recovery view={view} problems={problems} rollBack={rollBack} />}
      {view.vms.length === 0 ? <p class="empty">There was nothing to do.</p> : (
        <table class="rows steps">
          <caption>{formatCount(view.vms.length, "VM")}</caption>
          <thead>
            <tr>
              <th scope="col">VM</th>
              <th scope="col">Outcome</th>
              {columns.map((step) => <th scope="col">{step}</th>)}
              {hasRollback(view) ? <th scope="col">Rollback</th> : null}
            </tr>
          </thead>
          <tbody>
            {view.vms.map((vm) => (
              <OperationVmRow vm={vm} kind={view.kind} columns={columns} rollback={hasRollback(view)} />
            ))}
          </tbody>
        </table>
      )}
      <h2 id="log-heading">Log</h2>
      <div class="log" id="operation-log" role="log" aria-labelledby="log-heading" tabindex={0}>
        {lines.map((event) => <OperationLogLine event={event} />)}
      </div>
    </section>
  );
}

/** Status, progress, counts and times. */
export function OperationSummary(
  { view, now, mayChange }: { view: OperationView; now: number; mayChange: boolean },
) {
  const steps = view.vms.flatMap(({ steps }) => steps.filter((step) => !isUndo(step)));
  const finished = steps.filter(({ status }) => status !== "pending" && status !== "running").length;
  const elapsedMs = (view.finishedAt ?? now) - view.startedAt;
  return (
    <div id="operation-summary" class="summary">
      <p class="status" role="status">
        <OperationState status={view.status} /> <span>{describeProgress(view)}</span>
      </p>
      {view.status === "running" && mayChange ? <CancelForm view={view} /> : null}
      <progress
        max={Math.max(1, steps.length)}
        value={view.status === "running" ? finished : Math.max(1, steps.length)}
        aria-label="Finished steps"
      >
        {finished} of {steps.length} steps
      </progress>
      <dl class="facts">
        <Fact label="Started">
          <DateTime at={view.startedAt} />
        </Fact>
        <Fact label={view.finishedAt === null ? "Elapsed" : "Duration"}>{formatDuration(elapsedMs)}</Fact>
        <Fact label="Steps">{finished} of {steps.length}</Fact>
      </dl>
    </div>
  );
}

/** `3 done, 1 failed, 1 cancelled, 2 to go` */
export function describeProgress({ kind, vms }: OperationView): string {
  const done = vms.filter(({ outcome }) => isGood(kind, outcome)).length;
  const cancelled = vms.filter(({ outcome }) => isCancelled(outcome)).length;
  const interrupted = vms.filter(({ outcome }) => outcome === "interrupted").length;
  const open = vms.filter(({ outcome }) => outcome === null).length;
  const failed = vms.length - done - cancelled - interrupted - open;
  const parts = { failed, cancelled, interrupted, "to go": open };
  const others = Object.entries(parts).filter(([, count]) => count > 0);
  return [`${done} done`, ...others.map(([word, count]) => `${count} ${word}`)].join(", ");
}

const VERBS = {
  create: "created",
  destroy: "destroyed",
  undo: "removed",
  clean: "removed",
  act: "changed",
  change: "changed",
} as const satisfies Record<OperationKind, string>;

/** The VMs that failed, each with the error. */
export function OperationNotices({ view }: { view: OperationView }) {
  const unsuccessful = view.vms.filter(({ outcome }) => outcome !== null && !isGood(view.kind, outcome));
  const verb = VERBS[view.kind];
  return (
    <div id="operation-notices" aria-live="polite">
      {view.message === null ? null : (
        <div class="notice tone-bad">
          <p>{view.message}</p>
        </div>
      )}
      {unsuccessful.map(({ name, outcome, message }) => (
        <div class={`notice tone-${outcome === "left-behind" || outcome === "failed" ? "bad" : "warn"}`}>
          <p>
            <strong>{name} was {outcome === "interrupted" ? "interrupted" : `not ${verb}`}.</strong> {message}
          </p>
        </div>
      ))}
    </div>
  );
}
