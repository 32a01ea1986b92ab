/**
 * Changes a VM that exists to what its configuration says: settings and devices, then what it lacks, and last its disks'
 * sizes, which cannot be taken back. A running VM that is to be restarted is shut down before and started after. When
 * a step fails, everything is restored.
 */
import type { Reconciling } from "../../../plan/changes.ts";
import { reconcilingOf, type VmReconciling } from "../../../plan/reconciling.ts";
import { seedStep } from "../../../first_boot/steps/seed_step.ts";
import type { PlannedVm } from "../../../plan/types.ts";
import type { VersionRules } from "../../../truenas/versions.ts";
import { TrueNASError } from "../../../errors/errors.ts";
import type { KeptMemory } from "../../limits/memory_reservation.ts";
import type { CreatedResources } from "../created_resources.ts";
import type { CreationContext } from "../create_vm.ts";
import { deviceStep } from "../device_step.ts";
import { Cancelled, runStep } from "../run_step.ts";
import { runVm, type VmFailure, type VmResult } from "../run_vm.ts";
import { changeStep } from "./change_step.ts";
import { readOwnVm } from "./effect.ts";
import { startAgainStep, type StopContext, stopStep } from "./power_steps.ts";
import { type ChangedResources, endUnfinished } from "./undo_changes.ts";

/** What changing VMs needs. */
export interface ReconcileContext extends CreationContext {
  readonly reconciling: Reconciling;
  readonly deviceUpdate: () => VersionRules["deviceUpdate"];
  /** Why no further VM of a type is restarted, by type. */
  readonly halted: Map<string, string>;
}

/** A change in progress. */
interface Work extends ReconcileContext, StopContext {
  readonly memory: KeptMemory;
  readonly vm: PlannedVm;
  readonly plan: VmReconciling;
  readonly changed: ChangedResources;
}

/** Changes one VM. Never throws; the log contains the result. */
export async function changeExisting(context: ReconcileContext, vm: PlannedVm): Promise<void> {
  const { name, vmId, vmUuid } = vm;
  if (vmId === null) throw new Error(`The plan changes ${name}, which does not exist`);
  const plan = reconcilingOf(vm, context.reconciling);
  const work: Work = {
    ...context,
    vmName: name,
    vm,
    existing: { id: vmId, name, uuid: vmUuid },
    plan,
    changed: { created: addedTo(context.log.id, vmId), made: new Map(), isDown: plan.wasOn },
    memory: context.memory.keep(),
  };
  if (plan.wasOn && !vm.overcommit) {
    work.memory.begin({ memoryMib: vm.memoryMib, moreMib: 0 });
    work.memory.freed();
  }
  await runVm(work, {
    id: vmId,
    run: async () => {
      expectTurn(work);
      // The user can cancel the changes, but not their undoing.
      await runSteps({ ...work, caller: context.cancellable });
      return { outcome: "changed", message: `${describeChanged(work)}${await describeMeanwhile(work)}` };
    },
    onFailure: (failure) => endFailed(work, failure),
  }).finally(work.memory.end);
}

function addedTo(operation: string, vmId: number): CreatedResources {
  return {
    operation,
    uuid: null,
    vmId,
    devices: new Set(),
    zvols: new Map(),
    kept: new Set(),
    started: false,
    doneSteps: [],
  };
}

function expectTurn({ signal, stop, halted, vm, plan }: Work): void {
  if (stop.signal.aborted) throw new Cancelled(`Not started: ${stop.signal.reason}`);
  if (signal.aborted) throw new Cancelled();
  const why = plan.restarts ? halted.get(vm.type) : undefined;
  if (why !== undefined) throw new TrueNASError(`Not restarted, because ${why}`);
}

async function runSteps(work: Work): Promise<void> {
  const { vm, plan, changed, signal } = work;
  const perform = async (run: () => Promise<unknown>) => {
    if (signal.aborted) throw new Cancelled();
    await run();
  };
  await expectSeen(work);
  if (plan.restarts) {
    const stop = stopStep(work, vm);
    const call: typeof stop.call = (calls) => {
      changed.isDown = true;
      return stop.call(calls);
    };
    await perform(() => runStep(work, { ...stop, call }));
  }
  for (const change of plan.changes) {
    await perform(() => runStep(work, changeStep(work, change, changed.made)));
  }
  for (const step of vm.missing) {
    const device = vm.devices.find((it) => it.step === step);
    if (device === undefined) throw new Error(`The plan has no device for its step ${step}`);
    await perform(() => runStep(work, deviceStep({ ...work, created: changed.created }, device)));
    changed.created.doneSteps.push(step);
  }
  for (const change of plan.growing) {
    await perform(() => runStep(work, changeStep(work, change, changed.made)));
  }
  if (vm.steps.includes("seed")) {
    await perform(() => runStep(work, seedStep({ ...work, created: changed.created })));
  }
  if (plan.starts) {
    await perform(() => runStep(work, startAgainStep(work, { ...vm, step: "start" })));
    changed.isDown = false;
  }
}

/** A VM that was stopped and is started by somebody meanwhile would have its changes later than the plan said. */
async function expectSeen(work: Work): Promise<void> {
  const { vm: { name, state } } = work;
  const { status } = await readOwnVm(work);
  if (state !== "STOPPED" || status.state === "STOPPED" || work.outages.hasRestarted) return;
  throw new TrueNASError(
    `${name} is now ${status.state.toLowerCase()}, and the plan showed it stopped. It was not changed; plan again`,
  );
}

/** A NAS that restarts starts VMs by itself. */
async function describeMeanwhile(work: Work): Promise<string> {
  if (work.vm.state !== "STOPPED" || work.plan.starts || !work.outages.hasRestarted) return "";
  if ((await readOwnVm(work)).status.state === "STOPPED") return "";
  return ". The NAS has restarted meanwhile and started it, so it takes effect at its next start";
}

function describeChanged({ plan, vm }: Work): string {
  const added = vm.missing.length === 0 ? [] : [`added ${vm.missing.join(", ")}`];
  const what = [...[...plan.changes, ...plan.growing].flatMap((step) => step.what), ...added];
  if (what.length === 0) return "Started again";
  const late = plan.waits ? ". It takes effect at its next start" : "";
  const skipped = plan.skipped.flatMap((step) => step.what);
  const later = skipped.length === 0
    ? ""
    : `. Not changed, because TrueNAS takes it from a stopped VM only: ${skipped.join(", ")}`;
  return `${what.join(", ")}${late}${later}`;
}

async function endFailed(work: Work, failure: VmFailure): Promise<VmResult> {
  const { vm, changed, signal, stop, halted, plan } = work;
  const cancelled = signal.aborted || failure.cancelled;
  const { name, type, onFailure, overcommit } = vm;
  if (onFailure === "stop" && !cancelled) stop.abort(`${name} failed and on_failure is stop`);
  const wasDown = changed.isDown;
  const keep = signal.aborted ? signal.reason === "keep" : onFailure === "keep";
  const result = await endUnfinished(work, { changed, why: failure.message, cancelled, keep, overcommit });
  // Others of its type would most likely fail alike, each after it was shut down.
  if (plan.restarts && wasDown) halted.set(type, `${name} ${changed.isDown ? "did not start" : "failed"}`);
  return result;
}
