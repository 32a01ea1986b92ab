/** An operation: summary, VMs with their steps, and log. The page shows it whole; the stream updates parts of it. */
import {
  columnsOf,
  hasRollback,
  isUndo,
  MAX_STEP_COLUMNS,
  operationRowId,
  OperationVmRow,
} from "./steps.tsx";
import {
  countDone,
  countedIn,
  describeTrouble,
  nounOf,
  OperationState,
  outcomeOf,
  stepLabel,
  withStop,
} from "./states.tsx";
import { Waterfall } from "./waterfall.tsx";
import { Icon } from "../icons.tsx";
import { isLogged, OperationLogLine } from "./log.tsx";
import { CancelForm, NextSteps, Recovery, StopWaitingForm } from "./decisions.tsx";
import { Notice, Time } from "../common.tsx";
import { formatClock, formatCount, formatDuration } from "../../../lib/units.ts";
import type { RollBackPlan } from "../../../lib/plan/roll_back.ts";
import { timeLeftOf, type Timeline } from "../../../lib/operations/timeline.ts";
import {
  isActive,
  type OperationEvent,
  type OperationKind,
  type OperationView,
  type OperationVmView,
  type Waiting,
} from "../../../lib/operations/types.ts";
import { workOn } from "../../../lib/operations/vm_work.ts";
import { isCancelled, isGood } from "../../../lib/operations/summary.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { Said } from "../said.tsx";

/** The whole operation. */
export function Operation(
  { view, timeline, events, now, mayChange, problems = [], rollBack = null }: {
    view: OperationView;
    timeline: Timeline;
    events: readonly OperationEvent[];
    now: number;
    /** Whether the viewer may make changes. */
    mayChange: boolean;
    problems?: readonly Problem[];
    /** What a rollback would remove, as read now. */
    rollBack?: RollBackPlan | null;
  },
) {
  const lines = events.filter(isLogged);
  return (
    <section
      id="operation"
      data-operation={view.id}
      data-status={view.status}
      data-started={view.startedAt}
      data-now={now}
    >
      <OperationSummary view={view} now={now} mayChange={mayChange} />
      <OperationNotices view={view} />
      {isActive(view) || !mayChange ? null : <Recovery view={view} problems={problems} rollBack={rollBack} />}
      {isActive(view) ? null : <NextSteps view={view} mayChange={mayChange} />}
      {view.vms.length === 0 ? <p class="empty">There was nothing to do.</p> : (
        <>
          <Waterfall timeline={timeline} kind={view.kind} />
          <StepsTable view={view} />
        </>
      )}
      <section class="card" aria-labelledby="log-heading">
        <header>
          <h2 id="log-heading">Log</h2>
        </header>
        <div class="log" id="operation-log" role="log" aria-labelledby="log-heading" tabindex={0}>
          {lines.map((event) => <OperationLogLine event={event} />)}
        </div>
      </section>
    </section>
  );
}

/** Every step in words; without a script it is what a reload brings up to date. */
/** The head of the column of names. */
function headOf(kind: OperationView["kind"]): string {
  const noun = nounOf(kind);
  return `${noun.charAt(0).toUpperCase()}${noun.slice(1)}`;
}

function StepsTable({ view }: { view: OperationView }) {
  const columns = columnsOf(view);
  const rollback = hasRollback(view);
  const inOneCell = columns.length > MAX_STEP_COLUMNS;
  return (
    <details class="card fold" open>
      <summary>
        <Icon name="chevron" />
        <b>Steps</b>
        <span>Every step with its state and duration</span>
      </summary>
      <table
        class={rollback || inOneCell ? "table rows steps" : "table rows steps even"}
      >
        <caption class="visually-hidden">{formatCount(view.vms.length, nounOf(view.kind))}</caption>
        <thead>
          <tr>
            <th scope="col">{headOf(view.kind)}</th>
            <th scope="col">Outcome</th>
            {inOneCell
              ? <th scope="col">Steps</th>
              : columns.map((step) => <th scope="col">{stepLabel(step)}</th>)}
            {rollback ? <th scope="col">Rollback</th> : null}
          </tr>
        </thead>
        <tbody>
          {view.vms.map((vm) => (
            <OperationVmRow
              vm={vm}
              kind={view.kind}
              columns={columns}
              rollback={rollback}
              isAway={view.waiting !== null}
            />
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** How to stop it, in the room that the next steps take once it has ended: so nothing below moves then. */
function Meanwhile({ view, mayChange }: { view: OperationView; mayChange: boolean }) {
  return (
    <div class="meanwhile">
      {!mayChange
        ? null
        : view.waiting === null
        ? <CancelForm view={view} />
        : <StopWaitingForm view={view} />}
      <div class="room" inert>
        <NextSteps view={view} mayChange={mayChange} />
      </div>
    </div>
  );
}

/** Above this number, cells would be too narrow to see. */
const MAX_CELLS = 80;

/** How far it is, how long it took and may take, and how to stop it. */
export function OperationSummary(
  { view, now, mayChange }: { view: OperationView; now: number; mayChange: boolean },
) {
  const steps = view.vms.flatMap(({ steps }) => steps.filter((step) => !isUndo(step)));
  const over = steps.filter(({ status }) => status !== "pending" && status !== "running").length;
  const done = steps.filter(({ status }) => status === "done").length;
  const isRunning = isActive(view);
  const leftMs = timeLeftOf(view, now);
  const counted = countDone(view);
  const { vms } = countedIn(view);
  return (
    <div id="operation-summary" class="summary" tabindex={-1}>
      <section class="progress-head" aria-label="Progress">
        <p class="big" role="status">
          {counted}{" "}
          <small class="status">
            <OperationState status={view.status} />{" "}
            <span>{describeProgress(view)} · {done} of {formatCount(steps.length, "step")}</span>
          </small>
        </p>
        <dl class="times">
          <div>
            <dt>{isRunning ? "elapsed" : "duration"}</dt>
            <dd data-elapsed={isRunning ? "" : undefined}>
              {isRunning
                ? formatClock(now - view.startedAt)
                : formatDuration((view.finishedAt ?? now) - view.startedAt)}
            </dd>
          </div>
          {isRunning && leftMs !== null
            ? (
              <div class="planned">
                <dt>left</dt>
                <dd>
                  about <span data-left={Math.round(leftMs)}>{formatClock(leftMs)}</span>
                </dd>
              </div>
            )
            : null}
        </dl>
        {vms.length > MAX_CELLS
          ? (
            <progress max={Math.max(1, steps.length)} value={over} aria-label="Finished steps">
              {over} of {steps.length} steps
            </progress>
          )
          : (
            <span class="dots cells" role="img" aria-label={counted}>
              {vms.map((vm) => (
                <i id={`cell-${operationRowId(vm.name)}`} class={cellTone(view.kind, vm)}>
                </i>
              ))}
            </span>
          )}
      </section>
      {isRunning ? <Meanwhile view={view} mayChange={mayChange} /> : null}
    </div>
  );
}

/** How finely a cell shows how far its VM is. */
const TENTHS = 10;

/** The tone of a VM's cell in the progress of an operation, and how far it is. */
export function cellTone(kind: OperationKind, { outcome, steps }: OperationVmView): string {
  if (outcome !== null) return outcomeOf(kind, outcome).tone;
  const over = steps.filter(({ status }) => status !== "pending" && status !== "running").length;
  const started = steps.some(({ status }) => status !== "pending");
  return started ? `busy part-${Math.floor(over / steps.length * TENTHS)}` : "todo";
}

/** `3 done, 1 failed, 1 cancelled, 2 to go` */
export function describeProgress(view: OperationView): string {
  const { kind, vms } = view;
  const good = vms.filter(({ outcome }) => isGood(kind, outcome));
  const kept = kind === "create" ? good.filter((vm) => workOn(vm) === null).length : 0;
  const open = vms.filter(({ outcome }) => outcome === null);
  const booting =
    open.filter(({ steps }) => steps.some(({ step, status }) => step === "ready" && status === "running"))
      .length;
  const left = counts({ "in first boot": booting, "to go": open.length - booting, kept });
  return [`${good.length - kept} done`, ...unsuccessfulIn(view), ...left].join(", ");
}

/** `1 failed`, `1 cancelled`: the VMs that are not as requested and not open. */
export function unsuccessfulIn({ kind, vms }: OperationView): readonly string[] {
  const bad = vms.filter(({ outcome }) => outcome !== null && !isGood(kind, outcome));
  const cancelled = bad.filter(({ outcome }) => isCancelled(outcome)).length;
  const interrupted = bad.filter(({ outcome }) => outcome === "interrupted").length;
  const silent = bad.filter(({ outcome }) => outcome === "not-ready").length;
  const failed = bad.length - cancelled - interrupted - silent;
  return counts({ failed, "without an answer": silent, cancelled, interrupted });
}

function counts(parts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(parts).filter(([, count]) => count > 0).map(([word, count]) => `${count} ${word}`);
}

function WaitingNotice({ waiting: { message, since, until } }: { waiting: Waiting }) {
  return (
    <Notice tone="warn">
      <p>
        <strong>
          Waiting for the NAS since <Time at={since} />.
        </strong>{" "}
        {message}. The operation goes on when the NAS answers again, and waits until <Time at={until} />.
      </p>
    </Notice>
  );
}

/** What went wrong with the whole; for screen readers also the VMs that failed, which eyes see in their lanes. */
export function OperationNotices({ view }: { view: OperationView }) {
  const unsuccessful = view.vms.filter(({ outcome }) => outcome !== null && !isGood(view.kind, outcome));
  return (
    <div id="operation-notices" aria-live="polite">
      {view.waiting === null ? null : <WaitingNotice waiting={view.waiting} />}
      {view.message === null ? null : (
        <Notice tone="bad">
          <p>
            <Said text={withStop(view.message)} />
          </p>
        </Notice>
      )}
      {unsuccessful.map((vm) => <p class="visually-hidden">{describeTrouble(view.kind, vm)}</p>)}
    </div>
  );
}
