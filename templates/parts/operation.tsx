/** An operation: summary, VMs with their steps, and log. The page shows it whole; the stream updates parts of it. */
import type { RollBackPlan } from "../../lib/plan/roll_back.ts";
import { Blocked, Snapshots, Unread } from "./removal.tsx";
import type {
  OperationEvent,
  OperationKind,
  OperationStatus,
  OperationView,
  OperationVmView,
  Resolution,
  StepStatus,
  StepView,
} from "../../lib/operations/types.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { recoveryOf } from "../../lib/operations/recovery.ts";
import { isCancelled, isGood } from "../../lib/operations/summary.ts";
import { formatCount, formatDuration } from "../../lib/units.ts";
import { paths } from "../paths.ts";
import { DateTime, Field, State, Time, type Tone } from "./common.tsx";

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

/** Undo steps share one column, because only VMs that failed have them. */
const UNDO = "undo-";

/** Whether a step undoes another one. */
export function isUndo({ step }: { readonly step: string }): boolean {
  return step.startsWith(UNDO);
}

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

/** Whether any VM has undo steps, which get their own column. */
export function hasRollback({ vms }: OperationView): boolean {
  return vms.some(({ steps }) => steps.some(isUndo));
}

/** Status, progress, counts and times. */
export function OperationSummary(
  { view, now, mayChange }: { view: OperationView; now: number; mayChange: boolean },
) {
  const steps = view.vms.flatMap(({ steps }) => steps.filter((step) => !isUndo(step)));
  const over = steps.filter(({ status }) => status !== "pending" && status !== "running").length;
  const elapsedMs = (view.finishedAt ?? now) - view.startedAt;
  return (
    <div id="operation-summary" class="summary">
      <p class="status" role="status">
        <OperationState status={view.status} /> <span>{describeProgress(view)}</span>
      </p>
      {view.status === "running" && mayChange ? <CancelForm view={view} /> : null}
      <progress
        max={Math.max(1, steps.length)}
        value={view.status === "running" ? over : Math.max(1, steps.length)}
        aria-label="Finished steps"
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
          <dt>{view.finishedAt === null ? "Elapsed" : "Duration"}</dt>
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

const RESOLUTIONS = {
  resumed: "This operation was resumed",
  "rolled-back": "This operation was rolled back",
  left: "The result was kept as it is",
} as const satisfies Record<Resolution["how"], string>;

/** The recovery options for an operation that did not succeed. */
function Recovery(
  { view, problems, rollBack }: {
    view: OperationView;
    problems: readonly Problem[];
    rollBack: RollBackPlan | null;
  },
) {
  const { resolution, kind } = view;
  if (resolution !== null) {
    return (
      <p class="resolution" data-resolution={resolution.how}>
        {RESOLUTIONS[resolution.how]}. {resolution.operation === undefined
          ? null
          : <a href={paths.operation(resolution.operation)}>View the follow-up operation</a>}
      </p>
    );
  }
  const short = view.vms.filter(({ outcome }) => outcome === "out-of-memory");
  if (short.length > 0) {
    const ids = short.flatMap(({ vmId }) => vmId === null ? [] : [vmId]);
    return (
      <p>
        <a class="button more" id="start-anyway" href={paths.act("start", ids)}>
          Start {formatCount(short.length, "VM")} anyway
        </a>
      </p>
    );
  }
  const { resumable, removable, phrase } = recoveryOf(view);
  if (resumable.length + removable.length === 0) return null;
  const names = (vms: readonly OperationVmView[]) => vms.map(({ name }) => name).join(", ");
  return (
    <div class="recovery" role="group" aria-label="Recovery options">
      {resumable.length === 0 ? null : (
        <form method="post" action={paths.resume(view.id)} class="actions">
          <button type="submit" class="primary" id="resume-operation">
            Resume {kind === "destroy" ? "destroying" : "creating"} {formatCount(resumable.length, "VM")}
          </button>
          <span class="help">
            {kind === "destroy"
              ? `${names(resumable)}: each VM is checked again and destroyed if it is unchanged.`
              : `${names(resumable)}: only missing parts are created.`}
          </span>
        </form>
      )}
      {removable.length === 0 ? null : (
        <form method="post" action={paths.rollBack(view.id)} class="actions">
          {rollBack === null ? null : <input type="hidden" name="plan" value={rollBack.fingerprint} />}
          <button type="submit" class="danger" id="roll-back-operation">
            Roll back {formatCount(removable.length, "VM")}
          </button>
          <div class="help">
            <p>
              Removes {names(removable)}
              {describeCreated(removable)}. This cannot be undone.
            </p>
            {rollBack?.vms.flatMap(({ zvols }) => zvols).filter(({ snapshots }) => snapshots?.length)
              .map(({ name, snapshots }) => (
                <div>
                  <code>{name}</code> <Snapshots zvol={name} snapshots={snapshots} />
                </div>
              ))}
            <Unread notices={rollBack?.notices ?? []} />
            <Blocked items={rollBack?.vms ?? []} />
            {phrase === null ? null : (
              <Field
                name="phrase"
                label={`Finished VMs are removed too. Type “${phrase}” to confirm`}
                value=""
                problems={problems}
              />
            )}
          </div>
        </form>
      )}
      <form method="post" action={paths.leave(view.id)} class="actions">
        <button type="submit" id="leave-operation">Keep it as it is</button>
        <span class="help">Nothing changes, and you won't be asked again.</span>
      </form>
    </div>
  );
}

/** The zvols that a rollback would remove, as the end of a sentence. */
function describeCreated(vms: readonly OperationVmView[]): string {
  const zvols = vms.flatMap(({ steps }) => steps.flatMap(({ evidence }) => evidence?.zvol ?? []));
  return zvols.length === 0
    ? ""
    : ` and the zvols created for ${vms.length === 1 ? "it" : "them"}: ${zvols.join(", ")}`;
}

function CancelForm({ view }: { view: OperationView }) {
  const action = paths.cancel(view.id);
  const removes = view.kind === "destroy" || view.kind === "clean";
  if (view.kind !== "create") {
    return (
      <form method="post" action={action} class="actions">
        <button type="submit" class="danger" id="cancel-operation">Cancel operation</button>
        <span class="help">
          Steps that are running finish first; nothing new starts.{removes
            ? " VMs that are still untouched stay; a partly removed VM is removed completely."
            : ""}
        </span>
      </form>
    );
  }
  return (
    <form method="post" action={action} class="actions">
      <button type="submit" class="danger" id="cancel-operation" name="then" value="roll-back">
        Stop and undo
      </button>
      <button type="submit" id="cancel-keep" name="then" value="keep">Stop and keep</button>
      <span class="help">
        Steps that are running finish first. Half-made VMs are removed, or kept for you to resume; finished
        VMs stay.
      </span>
    </form>
  );
}

/** `3 done, 1 failed, 1 cancelled, 2 to go`: failed and cancelled VMs count as over. */
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

const OUTCOMES = {
  created: { tone: "good", word: "Created" },
  kept: { tone: "quiet", word: "Kept" },
  "rolled-back": { tone: "warn", word: "Rolled back" },
  "left-behind": { tone: "bad", word: "Left behind" },
  destroyed: { tone: "good", word: "Destroyed" },
  "already-gone": { tone: "quiet", word: "Already gone" },
  failed: { tone: "bad", word: "Failed" },
  cancelled: { tone: "warn", word: "Cancelled" },
  "cancelled-kept": { tone: "warn", word: "Cancelled, kept" },
  interrupted: { tone: "warn", word: "Interrupted" },
  done: { tone: "good", word: "Done" },
  "out-of-memory": { tone: "bad", word: "Not enough memory" },
} as const satisfies Record<NonNullable<OperationVmView["outcome"]>, { tone: Tone; word: string }>;

const VERBS = {
  create: "created",
  destroy: "destroyed",
  undo: "removed",
  clean: "removed",
  act: "changed",
  change: "changed",
} as const satisfies Record<
  OperationKind,
  string
>;

/** The VMs that failed, each with the error. */
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
            <strong>{name} was {outcome === "interrupted" ? "interrupted" : `not ${verb}`}.</strong> {message}
          </p>
        </div>
      ))}
    </div>
  );
}

/** Props of a VM's row. */
export interface OperationVmRowProps {
  readonly vm: OperationVmView;
  /** Decides which outcomes are good. */
  readonly kind: OperationKind;
  readonly columns: readonly string[];
  readonly rollback: boolean;
}

/** The id of a VM's row. A zvol's name can have characters that are special in selectors. */
export function operationRowId(name: string): string {
  return `op-vm-${name.replaceAll(/[^A-Za-z0-9_]/g, "-")}`;
}

/** One VM: a cell for each step. */
export function OperationVmRow({ vm, kind, columns, rollback }: OperationVmRowProps) {
  const undo = vm.steps.filter(isUndo);
  return (
    <tr id={operationRowId(vm.name)}>
      <th scope="row">
        {vm.name}
        <span class="where">{vm.summary}</span>
      </th>
      <td data-label="Outcome">
        <VmOutcomeState vm={vm} kind={kind} />
      </td>
      {columns.map((column) => {
        const step = vm.steps.find(({ step }) => step === column);
        return (
          <td data-label={column} class={step === undefined ? "absent" : undefined}>
            {step === undefined ? <span class="none"></span> : <Step step={step} />}
          </td>
        );
      })}
      {rollback ? <RollbackCell steps={undo} /> : null}
    </tr>
  );
}

function RollbackCell({ steps }: { steps: readonly StepView[] }) {
  return (
    <td data-label="Rollback" class={steps.length === 0 ? "absent" : undefined}>
      {steps.length === 0 ? <span class="none"></span> : steps.map((step) => <Step step={step} named />)}
    </td>
  );
}

/** A rollback that found nothing to remove counts as success. */
const NOTHING_LEFT = { tone: "quiet", word: "Nothing left" } as const;

function outcomeOf(kind: OperationKind, outcome: NonNullable<OperationVmView["outcome"]>) {
  return kind === "undo" && outcome === "failed" ? NOTHING_LEFT : OUTCOMES[outcome];
}

function VmOutcomeState({ vm, kind }: Pick<OperationVmRowProps, "vm" | "kind">) {
  if (vm.outcome !== null) return <State {...outcomeOf(kind, vm.outcome)} />;
  const started = vm.steps.some(({ status }) => status !== "pending");
  return started ? <State tone="busy" word="In progress" /> : <State tone="quiet" word="Waiting" />;
}

function Step({ step, named }: { step: StepView; named?: boolean }) {
  const { tone, word } = STEP_STATUSES[step.status];
  const took = step.status !== "skipped" && step.startedAt !== null && step.finishedAt !== null
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
      {step.status === "running" && step.percent !== null
        ? <span class="time">{Math.round(step.percent)} %</span>
        : null}
      {took === null ? null : <span class="time">{took}</span>}
    </span>
  );
}

/** Whether an event gets a line in the log. A step's start shows in its table cell instead. */
export function isLogged(event: OperationEvent): boolean {
  if (event.type === "call" || event.type === "progress") return false;
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
    case "progress":
      return `${event.vm} ${event.step}: ${event.percent} %`;
    case "call":
      return `${event.vm} ${event.step}: ${event.method}`;
    case "vm":
      return `${event.vm}: ${OUTCOMES[event.outcome].word.toLowerCase()}${
        event.message ? `. ${event.message}` : ""
      }`;
    case "finished":
      return `Operation ${STATUSES[event.status].word.toLowerCase()}${
        event.message ? `. ${event.message}` : ""
      }`;
    case "resolved":
      return RESOLUTIONS[event.how];
  }
}
