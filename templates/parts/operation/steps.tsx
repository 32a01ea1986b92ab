/** The VMs of an operation: a row each, with a cell for each step. */
import { describeProgress, outcomeOf, stepLabel, stepState } from "./states.tsx";
import { SHAPES, State } from "../common.tsx";
import { Shape } from "../icons.tsx";
import { formatDuration } from "../../../lib/units.ts";
import type {
  OperationKind,
  OperationView,
  OperationVmView,
  StepView,
} from "../../../lib/operations/types.ts";
import { describeOtherwise, describeWhen } from "../../../lib/first_boot/readiness/planned_ready.ts";
import type { GuestSign } from "../../../lib/first_boot/types.ts";
import { isGood } from "../../../lib/operations/summary.ts";
import { Said } from "../said.tsx";

/** Undo steps share one column, because only VMs that failed have them. */
const UNDO = "undo-";

/**
 * Up to this number, columns of one width have room for every word, so they keep it whatever their cells say. More steps,
 * as of VMs that are replaced, stand in one cell, each with its name.
 */
export const MAX_STEP_COLUMNS = 9;

/** Whether a step undoes another one. */
export function isUndo({ step }: { readonly step: string }): boolean {
  return step.startsWith(UNDO);
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

/** Props of a VM's row. */
export interface OperationVmRowProps {
  readonly vm: OperationVmView;
  /** Decides which outcomes are good. */
  readonly kind: OperationKind;
  readonly columns: readonly string[];
  readonly rollback: boolean;
  /** Whether the operation waits for the NAS. */
  readonly isAway: boolean;
}

/** The id of a VM's row. A zvol's name can have characters that are special in selectors. */
export function operationRowId(name: string): string {
  return `op-vm-${name.replaceAll(/[^A-Za-z0-9_]/g, "-")}`;
}

/** One VM: a cell for each step. */
export function OperationVmRow({ vm, kind, columns, rollback, isAway }: OperationVmRowProps) {
  const undo = vm.steps.filter(isUndo);
  return (
    <tr id={operationRowId(vm.name)}>
      <th scope="row">
        <Said text={vm.name} />
        <span class="where">
          <Said text={vm.summary} />
        </span>
        <Chain vm={vm} />
      </th>
      <td data-label="Outcome">
        <VmOutcomeState vm={vm} kind={kind} isAway={isAway} />
      </td>
      {columns.length > MAX_STEP_COLUMNS
        ? <AllSteps steps={vm.steps.filter((step) => !isUndo(step))} isAway={isAway} />
        : columns.map((column) => {
          const step = vm.steps.find(({ step }) => step === column);
          return (
            <td data-label={stepLabel(column)} class={step === undefined ? "absent" : undefined}>
              {step === undefined ? <span class="none">–</span> : <Step step={step} isAway={isAway} />}
            </td>
          );
        })}
      {rollback ? <RollbackCell steps={undo} isAway={isAway} /> : null}
    </tr>
  );
}

interface StepsProps extends Pick<OperationVmRowProps, "isAway"> {
  readonly steps: readonly StepView[];
}

function AllSteps({ steps, isAway }: StepsProps) {
  return (
    <td data-label="Steps" class={steps.length === 0 ? "absent" : "all-steps"}>
      {steps.length === 0
        ? <span class="none">–</span>
        : steps.map((step) => <Step step={step} named isAway={isAway} />)}
    </td>
  );
}

function RollbackCell({ steps, isAway }: StepsProps) {
  return (
    <td data-label="Rollback" class={steps.length === 0 ? "absent" : undefined}>
      {steps.length === 0
        ? <span class="none">–</span>
        : steps.map((step) => <Step step={step} named isAway={isAway} />)}
    </td>
  );
}

/** What became of a VM, or that it is waiting or worked on. */
export function VmOutcomeState(
  { vm, kind, isAway, tellsHealing = false }: Pick<OperationVmRowProps, "vm" | "kind" | "isAway"> & {
    /** Whether it says that a step healed, where the steps do not say it themselves. */
    readonly tellsHealing?: boolean;
  },
) {
  if (vm.outcome !== null) {
    const isReady = isGood(kind, vm.outcome) && vm.steps.some(isAnswered);
    const { tone, word } = isReady ? READY : outcomeOf(kind, vm.outcome);
    const isHealed = tellsHealing && isGood(kind, vm.outcome) && vm.steps.some(({ healed }) => healed > 0);
    return <State tone={tone} word={isHealed ? `${word}, healed` : word} />;
  }
  const started = vm.steps.some(({ status }) => status !== "pending");
  if (!started) return <State tone="quiet" word="Waiting" />;
  if (isAway) return <State {...stepState({ status: "running" }, isAway)} />;
  const waiting = vm.steps.find(({ step, status }) => step === "ready" && status === "running");
  return waiting === undefined ? <State {...IN_PROGRESS} /> : <FirstBoot step={waiting} />;
}

function isAnswered({ step, status }: StepView): boolean {
  return step === "ready" && status === "done";
}

const READY = { tone: "good", word: "Ready" } as const;

/** The guest is waited for; its address, once it is known. */
function FirstBoot({ step: { signs = [] } }: { step: StepView }) {
  const address = signs.filter(({ kind }) => kind !== "stranger").at(-1)?.address ?? null;
  return (
    <>
      <State tone="busy" word={stepLabel("ready")} />
      {address === null ? null : <small class="soft address">{address}</small>}
    </>
  );
}

const IN_PROGRESS = { tone: "busy", word: "In progress" } as const;

function Step({ step, named, isAway }: { step: StepView; named?: boolean; isAway: boolean }) {
  const { tone, word } = stepState(step, isAway);
  const took = step.status !== "skipped" && step.startedAt !== null && step.finishedAt !== null
    ? formatDuration(step.finishedAt - step.startedAt)
    : null;
  const hint = [step.method, step.detail, step.error?.message, step.healing].filter(Boolean).join(": ");
  const isHealed = step.healed > 0 && step.status === "done";
  return (
    <span
      class={`state step ${tone}`}
      data-vm={step.vm}
      data-step={step.step}
      data-status={step.status}
      data-healed={step.healed > 0 ? step.healed : undefined}
      title={hint}
    >
      <Shape name={SHAPES[tone]} />
      {named ? <span>{stepLabel(step.step)}</span> : null}
      <span class={took === null || step.status === "failed" || isHealed ? undefined : "visually-hidden"}>
        {isHealed ? "Healed" : word}
      </span>
      {step.status === "running" && step.percent !== null
        ? <span class="time">{describeProgress(step.percent, step.transfer)}</span>
        : null}
      {took === null ? null : <span class="time">{took}</span>}
    </span>
  );
}

/** What the guest has shown of itself, in the order in which it came, and what it is waited for. */
function Chain({ vm: { steps } }: { vm: OperationVmView }) {
  const step = steps.find(({ awaits }) => awaits !== undefined);
  if (step?.awaits === undefined) return null;
  const { awaits: { when, timeoutMs, otherwise }, signs = [], status } = step;
  const known = [...new Set(["started", ...signs.map(briefly)])];
  const limit = `At most ${formatDuration(timeoutMs)}; then ${describeOtherwise(otherwise)}`;
  return (
    <ol class="where chain" aria-label="First boot">
      {known.map((word, n) => (
        <li
          class={n > 0 && signs.some((sign) => sign.kind === "stranger" && briefly(sign) === word)
            ? "warn"
            : undefined}
        >
          {word}
        </li>
      ))}
      {status === "running" ? <li title={limit}>until {describeWhen(when)}</li> : null}
    </ol>
  );
}

/** `seed fetched, 10.0.0.21` */
function briefly(sign: GuestSign): string {
  switch (sign.kind) {
    case "seed-fetched":
      return `seed fetched, ${sign.address}`;
    case "network":
      return `network, ${sign.address}`;
    case "stranger":
      return `another machine, ${sign.address}`;
    default:
      return sign.address === null ? "answered" : `answered, ${sign.address}`;
  }
}
