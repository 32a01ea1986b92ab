/** An operation: its summary, its VMs with their steps, its log; whole for the page, in parts for the stream. */
import type {
  OperationEvent,
  OperationKind,
  OperationStatus,
  OperationView,
  OperationVmView,
  StepStatus,
  StepView,
} from "../../lib/operations/types.ts";
import { isGood, unfinishedVms } from "../../lib/operations/summary.ts";
import { formatCount, formatDuration } from "../../lib/units.ts";
import { paths } from "../paths.ts";
import { DateTime, State, Time, type Tone } from "./common.tsx";

const STATUSES = {
  running: { tone: "busy", word: "Running" },
  done: { tone: "good", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  "partly-done": { tone: "warn", word: "Partly done" },
  cancelled: { tone: "warn", word: "Cancelled" },
  interrupted: { tone: "warn", word: "Interrupted" },
} as const satisfies Record<OperationStatus, { tone: Tone; word: string }>;

/** An operation's status as shape and word. */
export function OperationState({ status }: { status: OperationStatus }) {
  return <State {...STATUSES[status]} />;
}

const STEP_STATUSES = {
  pending: { tone: "quiet", word: "Waiting" },
  running: { tone: "busy", word: "Running" },
  done: { tone: "good", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  skipped: { tone: "quiet", word: "Skipped" },
  "rolled-back": { tone: "warn", word: "Rolled back" },
} as const satisfies Record<StepStatus, { tone: Tone; word: string }>;

/** Steps that undo what was made are shown together, for only VMs that failed have them. */
const UNDO = "undo-";

/** Whether a step undoes another one. */
export function isUndo({ step }: { readonly step: string }): boolean {
  return step.startsWith(UNDO);
}

/** The whole operation. */
export function Operation(
  { view, events, now }: { view: OperationView; events: readonly OperationEvent[]; now: number },
) {
  const columns = columnsOf(view);
  const lines = events.filter(isLogged);
  return (
    <section id="operation" data-operation={view.id} data-status={view.status}>
      <OperationSummary view={view} now={now} />
      <OperationNotices view={view} />
      {view.vms.length === 0 ? <p class="empty">There was nothing to do.</p> : (
        <table class="rows steps">
          <caption>{formatCount(view.vms.length, "VM")}</caption>
          <thead>
            <tr>
              <th scope="col">VM</th>
              <th scope="col">Outcome</th>
              {columns.map((step) => <th scope="col">{step}</th>)}
              {hasRollback(view) ? <th scope="col">rollback</th> : null}
            </tr>
          </thead>
          <tbody>
            {view.vms.map((vm) => <OperationVmRow vm={vm} columns={columns} rollback={hasRollback(view)} />)}
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

/** The announced steps of all VMs, in order: one column each. */
export function columnsOf(view: OperationView): readonly string[] {
  const columns: string[] = [];
  for (const { steps } of view.vms) {
    let at = 0;
    for (const { step } of steps.filter((step) => !isUndo(step))) {
      const known = columns.indexOf(step);
      if (known >= 0) at = known + 1;
      else columns.splice(at++, 0, step);
    }
  }
  return columns;
}

/** Whether any VM is being undone, which takes a column of its own. */
export function hasRollback({ vms }: OperationView): boolean {
  return vms.some(({ steps }) => steps.some(isUndo));
}

/** Status, progress, counts and times. */
export function OperationSummary({ view, now }: { view: OperationView; now: number }) {
  const steps = view.vms.flatMap(({ steps }) => steps.filter((step) => !isUndo(step)));
  const over = steps.filter(({ status }) => status !== "pending" && status !== "running").length;
  const elapsedMs = (view.finishedAt ?? now) - view.startedAt;
  return (
    <div id="operation-summary" class="summary">
      <p class="status" role="status">
        <OperationState status={view.status} /> <span>{describeProgress(view)}</span>
      </p>
      {view.status === "running" ? <CancelForm view={view} /> : null}
      {view.status === "interrupted" ? <Recovery view={view} /> : null}
      <progress
        max={Math.max(1, steps.length)}
        value={view.status === "running" ? over : Math.max(1, steps.length)}
        aria-label="Steps that are over"
      >
        {over} of {steps.length} steps
      </progress>
      <dl class="facts">
        <div>
          <dt>Started</dt>
          <dd>
            <DateTime at={view.startedAt} />
          </dd>
        </div>
        <div>
          <dt>{view.finishedAt === null ? "Elapsed" : "Took"}</dt>
          <dd>{formatDuration(elapsedMs)}</dd>
        </div>
        <div>
          <dt>Steps</dt>
          <dd>{over} of {steps.length}</dd>
        </div>
      </dl>
    </div>
  );
}

/** What a person can do about an interrupted operation; doing nothing is always possible. */
function Recovery({ view }: { view: OperationView }) {
  const unfinished = unfinishedVms(view.vms);
  if (view.kind !== "create") {
    return <p>Open Destroy to see what is still there, and confirm it again.</p>;
  }
  if (unfinished.length === 0) {
    return <p>Nothing is left unfinished by it. Open Create to make what lacks.</p>;
  }
  return (
    <form method="post" action={paths.undo(view.id)} class="actions">
      <button type="submit" class="danger" id="undo-operation">Remove what is unfinished</button>
      <span class="help">
        {unfinished.map(({ name }) => name).join(", ")} with the zvols made for{" "}
        {unfinished.length === 1 ? "it" : "them"}, found by the uuid that this operation gave. VMs that were
        finished stay. Then create again: only what lacks is made.
      </span>
    </form>
  );
}

function CancelForm({ view }: { view: OperationView }) {
  const effect = view.kind === "create"
    ? "Calls under way end, nothing new starts, and VMs that are half made are removed again."
    : "Calls under way end, and VMs that were not begun stay.";
  return (
    <form method="post" action={paths.cancel(view.id)} class="actions">
      <button type="submit" class="danger" id="cancel-operation">Cancel</button>
      <span class="help">{effect}</span>
    </form>
  );
}

/** `3 done, 1 failed, 2 to go`: failed VMs count as over. */
export function describeProgress({ kind, vms }: OperationView): string {
  const done = vms.filter(({ outcome }) => isGood(kind, outcome)).length;
  const decided = vms.filter(({ outcome }) => outcome !== null).length;
  const parts = [`${done} done`];
  if (decided > done) parts.push(`${decided - done} failed`);
  if (vms.length > decided) parts.push(`${vms.length - decided} to go`);
  return parts.join(", ");
}

const OUTCOMES = {
  created: { tone: "good", word: "Created" },
  kept: { tone: "quiet", word: "Kept" },
  "rolled-back": { tone: "warn", word: "Rolled back" },
  "left-behind": { tone: "bad", word: "Left behind" },
  destroyed: { tone: "good", word: "Destroyed" },
  "already-gone": { tone: "quiet", word: "Gone already" },
  failed: { tone: "bad", word: "Failed" },
  cancelled: { tone: "warn", word: "Cancelled" },
  interrupted: { tone: "warn", word: "Interrupted" },
} as const satisfies Record<NonNullable<OperationVmView["outcome"]>, { tone: Tone; word: string }>;

const VERBS = { create: "created", destroy: "destroyed", undo: "removed" } as const satisfies Record<
  OperationKind,
  string
>;

/** The VMs that did not become what was wanted, each with the NAS's own words. */
export function OperationNotices({ view }: { view: OperationView }) {
  const troubled = view.vms.filter(({ outcome }) => outcome !== null && !isGood(view.kind, outcome));
  const verb = VERBS[view.kind];
  return (
    <div id="operation-notices" aria-live="polite">
      {view.message === null ? null : (
        <div class="notice tone-bad">
          <p>{view.message}</p>
        </div>
      )}
      {troubled.map(({ name, outcome, message }) => (
        <div class={`notice tone-${outcome === "left-behind" || outcome === "failed" ? "bad" : "warn"}`}>
          <p>
            <strong>{name} was not {verb}.</strong> {message}
          </p>
        </div>
      ))}
    </div>
  );
}

/** What a VM's row is given. */
export interface OperationVmRowProps {
  readonly vm: OperationVmView;
  readonly columns: readonly string[];
  readonly rollback: boolean;
}

/** One VM: a cell for each step. */
export function OperationVmRow({ vm, columns, rollback }: OperationVmRowProps) {
  const undo = vm.steps.filter(isUndo);
  return (
    <tr id={`op-vm-${vm.name}`}>
      <th scope="row">
        {vm.name}
        <span class="where">{vm.summary}</span>
      </th>
      <td data-label="Outcome">
        <VmOutcomeState vm={vm} />
      </td>
      {columns.map((column) => {
        const step = vm.steps.find(({ step }) => step === column);
        return (
          <td data-label={column} class={step === undefined ? "absent" : undefined}>
            {step === undefined ? <span class="none">–</span> : <Step step={step} />}
          </td>
        );
      })}
      {rollback ? <RollbackCell steps={undo} /> : null}
    </tr>
  );
}

function RollbackCell({ steps }: { steps: readonly StepView[] }) {
  return (
    <td data-label="rollback" class={steps.length === 0 ? "absent" : undefined}>
      {steps.length === 0 ? <span class="none">–</span> : steps.map((step) => <Step step={step} named />)}
    </td>
  );
}

function VmOutcomeState({ vm }: { vm: OperationVmView }) {
  if (vm.outcome !== null) return <State {...OUTCOMES[vm.outcome]} />;
  const started = vm.steps.some(({ status }) => status !== "pending");
  return started ? <State tone="busy" word="Working" /> : <State tone="quiet" word="Waiting" />;
}

function Step({ step, named }: { step: StepView; named?: boolean }) {
  const { tone, word } = STEP_STATUSES[step.status];
  const took = step.startedAt !== null && step.finishedAt !== null
    ? formatDuration(step.finishedAt - step.startedAt)
    : null;
  const hint = [step.method, step.detail, step.error?.message].filter(Boolean).join(": ");
  return (
    <span
      class={`state step tone-${tone}`}
      data-vm={step.vm}
      data-step={step.step}
      data-status={step.status}
      title={hint}
    >
      <span class="shape" aria-hidden="true"></span>
      {named ? <span>{step.step.slice(UNDO.length)}</span> : null}
      <span class={took === null || step.status === "failed" ? undefined : "visually-hidden"}>{word}</span>
      {took === null ? null : <span class="time">{took}</span>}
    </span>
  );
}

/** Whether an event gets a line in the log: a step's beginning is seen in its cell. */
export function isLogged(event: OperationEvent): boolean {
  return event.type !== "step" || (event.status !== "running" && event.status !== "skipped");
}

/** One line of the log. */
export function OperationLogLine({ event }: { event: OperationEvent }) {
  return (
    <div id={`log-${event.seq}`}>
      <Time at={event.at} /> {describeEvent(event)}
    </div>
  );
}

function describeEvent(event: OperationEvent): string {
  switch (event.type) {
    case "started":
      return event.title;
    case "step": {
      const what = event.error?.message ?? event.detail;
      return `${event.vm} ${event.step}: ${STEP_STATUSES[event.status].word.toLowerCase()}${
        what ? `, ${what}` : ""
      }`;
    }
    case "vm":
      return `${event.vm}: ${OUTCOMES[event.outcome].word.toLowerCase()}${
        event.message ? `. ${event.message}` : ""
      }`;
    case "finished":
      return `The operation is over: ${STATUSES[event.status].word.toLowerCase()}${
        event.message ? `. ${event.message}` : ""
      }`;
  }
}
