/**
 * Creates the VMs of a plan. The steps of a VM run in order, and are rolled back when one fails. Zvols take longest, so
 * they are created in parallel with the other devices. Only what this run provably created (by the uuid it chose and the
 * properties of its zvols) is removed.
 */
import { type SeedMeans, seedStep } from "../../first_boot/steps/seed_step.ts";
import { isRefusedWith, isTransient } from "../../errors/refusals.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { markedDescription } from "../../inventory/marks.ts";
import { cloneStep, downloadStep, imageStep, isImageDisk } from "../../images/image_disk.ts";
import { needsImage } from "../../images/planned_image.ts";
import type { PlannedVm } from "../../plan/types.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import type { VmRow } from "../../truenas/method_types.ts";
import { formatCount, formatMib } from "../../units.ts";
import { type CreatedResources, journalledResources } from "./created_resources.ts";
import { type DeviceContext, type DeviceOptions, deviceStep, hasNewZvol, vmIdOf } from "./device_step.ts";
import { NotReady } from "../../first_boot/readiness/wait_for_ready.ts";
import { type Guests, readyStep } from "./ready_step.ts";
import { keepForInspection, rollBack } from "./roll_back.ts";
import { Cancelled, runStep, type Step, type StepCalls } from "./run_step.ts";
import { findVm, runVm, type VmContext, type VmFailure, type VmResult } from "./run_vm.ts";
import { expectEffect, isOn, startVm } from "./vm_steps.ts";

/** What happens to incomplete VMs when the user cancels. */
export type CancelMode = "roll-back" | "keep";

/** What creating a VM needs. */
export interface CreationContext extends VmContext, DeviceOptions {
  /** How guests get their first configuration. */
  readonly seeds: SeedMeans;
  /** How guests are waited for. */
  readonly guests: () => Guests;
  /** Lets another VM begin, while this one is only waited for. */
  readonly release: () => void;
  /** Aborts when a VM with `on_failure: stop` has failed, so that no further VM is started. */
  readonly stop: AbortController;
}

/** A creation in progress. */
export type Creation = CreationContext & DeviceContext;

/** A VM that an earlier part of its operation has created, and that is only waited for. */
function isAwaited({ vmId, steps }: PlannedVm): boolean {
  return vmId !== null && steps.includes("ready") &&
    steps.every((step) => step === "seed" || step === "ready");
}

/** A creation that has not begun; it never removes the zvols in `kept`. */
export function creationOf(
  context: CreationContext,
  vm: PlannedVm,
  kept: readonly string[] = [],
): Creation {
  const created: CreatedResources = {
    operation: context.log.id,
    uuid: vm.vmId === null ? crypto.randomUUID() : isAwaited(vm) ? vm.vmUuid : null,
    vmId: vm.vmId,
    devices: new Set(),
    zvols: new Map(),
    kept: new Set(kept),
    started: false,
    doneSteps: [],
  };
  return { ...context, vmName: vm.name, vm, created };
}

/** Creates or completes one VM. Never throws; the log contains the result. */
export async function createVm(context: CreationContext, vm: PlannedVm): Promise<void> {
  const { signal, stop } = context;
  let hasStarted = false;
  const work = creationOf(context, vm);
  const { created } = work;
  await runVm(work, {
    run: async () => {
      if (stop.signal.aborted) throw new Cancelled(`Not started: ${stop.signal.reason}`);
      if (signal.aborted) throw new Cancelled();
      hasStarted = true;
      // The user can cancel the creation, but not the rollback.
      await createSteps({ ...work, caller: context.cancellable });
      return { outcome: "created", vmId: vmIdOf(created) };
    },
    onFailure: (failure) =>
      hasStarted
        ? endFailed(work, failure)
        : { outcome: "cancelled", message: `${failure.message}. Nothing was created` },
  });
}

/**
 * Starts a VM again that this operation had started, after a restart of the NAS has stopped it. Never throws; the log
 * contains the result.
 */
export async function startAgain(context: CreationContext, vm: PlannedVm): Promise<void> {
  const { name } = vm;
  const { vmId = null, steps = [] } = context.log.view.vms.find((it) => it.name === name) ?? {};
  if (vmId === null || steps.every(({ step, status }) => step !== "start" || status !== "done")) return;
  const uuid = steps.find(({ evidence }) => evidence?.uuid !== undefined)?.evidence?.uuid ?? null;
  const created = { ...journalledResources({ steps }, context.log.id), vmId, uuid };
  const work: Creation = { ...context, vmName: name, vm, created };
  try {
    if ((await fetchVm(context.caller, vmId))?.state !== "STOPPED") return;
    const message = "the NAS has restarted, which stopped the VM; it was started again";
    context.log.append({ type: "healed", vm: name, step: "start", tries: 1, message });
    await runStep(work, startStep(work, { isWhole: true }));
  } catch (error) {
    const why = `The NAS has restarted, and the VM was not started again: ${reasonOf(error)}`;
    context.log.append({ type: "vm", vm: name, vmId, outcome: "failed", message: why });
  }
}

/** Runs the steps of the VM in order. */
export async function createSteps(work: Creation): Promise<void> {
  const { vm, created, signal } = work;
  const prefetch = new ZvolPrefetch();
  try {
    for (const step of vm.steps) {
      if (signal.aborted) throw new Cancelled();
      prefetch.throwIfFailed();
      // Only once the VM exists, because recovery after a crash identifies the zvols by it.
      if (created.vmId !== null) prefetch.start(work);
      await (prefetch.resultOf(step) ?? performStep(work, step));
      created.doneSteps.push(step);
    }
  } catch (error) {
    await prefetch.abandon();
    throw error;
  }
}

/** Creates zvols while earlier steps are running; each device is created in its turn. */
class ZvolPrefetch {
  readonly #disks = new Map<
    string,
    { readonly turn: PromiseWithResolvers<void>; readonly done: Promise<unknown> }
  >();
  #started = false;
  #failure: { readonly error: unknown } | null = null;

  /** Starts every disk whose zvol must be created, once. */
  start(work: Creation): void {
    if (this.#started) return;
    this.#started = true;
    // Otherwise creating the device also creates its zvol, and nothing can be done early.
    if (!work.zvols.mayCreate) return;
    for (const device of work.vm.devices) {
      if (!hasNewZvol(device) || needsImage(device) || !work.vm.steps.includes(device.step)) continue;
      const turn = Promise.withResolvers<void>();
      turn.promise.catch(() => {});
      const done = runStep(work, deviceStep(work, device, turn.promise));
      done.catch((error) => this.#failure ??= { error });
      this.#disks.set(device.step, { turn, done });
    }
  }

  /** Resolves when this step's early work is done; undefined when there is none. */
  resultOf(step: string): Promise<unknown> | undefined {
    const disk = this.#disks.get(step);
    disk?.turn.resolve();
    return disk?.done;
  }

  /** Throws the error of early work, so that no further step starts in vain. */
  throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** After a failed step: waits for running work and starts no more. */
  async abandon(): Promise<void> {
    const disks = [...this.#disks.values()];
    for (const { turn } of disks) turn.reject(new Cancelled("An earlier step failed"));
    await Promise.allSettled(disks.map(({ done }) => done));
  }
}

async function endFailed(work: Creation, failure: VmFailure): Promise<VmResult> {
  const { vm, created, signal, stop } = work;
  if (failure.cause instanceof NotReady) return await endNotReady(work, failure.message);
  if (isOnlyAwaited(work)) {
    return await endNotReady(
      work,
      `${vm.name} is not waited for any longer, because the program was interrupted`,
    );
  }
  // A call that was running when the user cancelled can fail; the cancellation still applies.
  const cancelled = signal.aborted || failure.cancelled;
  if (vm.onFailure === "stop" && !cancelled) stop.abort(`${vm.name} failed and on_failure is stop`);
  // The signal's reason is a CancelMode.
  const keep = signal.aborted ? signal.reason === "keep" : vm.onFailure === "keep";
  const undo = { created, why: failure.message, cancelled };
  return keep ? await keepForInspection(work, undo) : await rollBack(work, undo);
}

/** Whoever only interrupts a program that waits, without saying what becomes of the VMs, has a VM that is complete and runs. */
function isOnlyAwaited({ vm: { steps }, created, signal }: Creation): boolean {
  const isSaid = signal.reason === "keep" || signal.reason === "roll-back";
  return signal.aborted && !isSaid && steps.at(-1) === "ready" &&
    created.doneSteps.length === steps.length - 1;
}

/** What is done with a VM that was created and does not answer. */
async function endNotReady(work: Creation, why: string): Promise<VmResult> {
  const { vm: { name, ready }, created, stop } = work;
  const otherwise = ready?.otherwise ?? "keep";
  if (otherwise === "keep") return notReady(why, vmIdOf(created));
  if (otherwise === "stop") stop.abort(`${name} did not answer and its type says to stop then`);
  return await rollBack(work, { created, why, cancelled: false });
}

/** The result of a VM that was created and kept, and does not answer. */
export function notReady(why: string, vmId: number): VmResult {
  return {
    outcome: "not-ready",
    vmId,
    message: `${why}. The VM was kept; resume this operation to wait again`,
  };
}

async function performStep(work: Creation, step: string): Promise<void> {
  const { vm, created } = work;
  if (step === "seed") await runStep(work, seedStep(work));
  else if (step === "ready") await awaitReady(work);
  else if (step === "vm") created.vmId = (await runStep(work, createStep(work))).id;
  else if (step === "start") await startCreated(work);
  else if (step === "download" || step === "image" || step === "clone") await performImageStep(work, step);
  else {
    const device = vm.devices.find((candidate) => candidate.step === step);
    if (device === undefined) throw new Error(`The plan has no device for its step ${step}`);
    await runStep(work, deviceStep(work, device));
  }
}

async function performImageStep(work: Creation, step: "download" | "image" | "clone"): Promise<void> {
  const disk = work.vm.devices.find(isImageDisk);
  if (disk === undefined) throw new Error(`The plan has no image for its step ${step}`);
  if (step === "download") return void await runStep(work, downloadStep(work, disk));
  await runStep(work, step === "image" ? imageStep(work, disk) : cloneStep(work, disk));
}

/** Waits until the guest answers. */
export async function awaitReady(work: Creation): Promise<void> {
  const { vm: { ready, name }, created } = work;
  if (ready === undefined) throw new Error("The plan does not say what its step ready waits for");
  const startAgain = async () => {
    if ((await fetchVm(work.caller, vmIdOf(created)))?.state !== "STOPPED") return false;
    const message = "the NAS has restarted, which stopped the VM; it was started again";
    work.log.append({ type: "healed", vm: name, step: "start", tries: 1, message });
    await runStep(work, startStep(work, { isWhole: true }));
    return true;
  };
  await runStep(work, readyStep({ ...work, startAgain }, ready));
}

/** Starts the VM that was created. */
export async function startCreated(work: Creation): Promise<void> {
  await runStep(work, startStep(work));
}

function createStep({ caller, templates, vm, created: { uuid } }: Creation): Step<VmRow> {
  const { name, cores, threads, memoryMib } = vm;
  const spec = templates(vm.type).createVmSpec(name, cores, threads, memoryMib);
  const description = markedDescription(vm.description === "" ? spec.description ?? "" : vm.description);
  const autostart = vm.autostart === null ? {} : { autostart: vm.autostart };
  return {
    step: "vm",
    method: "vm.create",
    makes: `VM ${name}, uuid ${uuid}`,
    evidence: () => uuid === null ? null : { uuid },
    call: () => caller.call("vm.create", [{ ...spec, description, ...autostart, uuid }]),
    verify: () => findVm(caller, { uuid, vmId: null }),
    detail: ({ id }) => `id ${id}, ${formatCount(vm.vcpus, "vCPU")}, ${formatMib(memoryMib)}`,
  };
}

/** `isWhole`: the VM had all its devices before, so it may run already because the NAS started it by itself. */
function startStep(
  work: Creation,
  { isWhole }: { readonly isWhole: boolean } = { isWhole: false },
): Step<string> {
  const { caller, created } = work;
  const id = vmIdOf(created);
  const verify = async () => {
    const state = (await fetchVm(caller, id))?.state;
    return state === "RUNNING" ? state : null;
  };
  created.started = true;
  return {
    step: "start",
    method: "vm.start",
    evidence: () => created.uuid === null ? { vmId: id } : null,
    call: async (calls) => {
      const running = isWhole ? await verify() : null;
      if (running !== null) return running;
      // A NAS that restarted has started the VM by itself, perhaps before it had all its devices.
      if (work.outages.hasRestarted && !isWhole) await powerOff(work, calls, id);
      await startVm(work, { ...work.vm, id, cancel: work.signal });
      return await expectEffect(work, { id, method: "vm.start", verify });
    },
    verify,
    passes: (error) => isTransient(error) || isRefusedWith(error, "ENOMEM") || work.outages.hasRestarted,
    detail: (state) => state,
  };
}

async function powerOff({ caller }: Creation, { next, send }: StepCalls, id: number): Promise<void> {
  const isOff = async () => !isOn((await fetchVm(caller, id))?.state) || null;
  if (await isOff()) return;
  await next("vm.poweroff");
  await send(() => caller.call("vm.poweroff", [id]), isOff);
  await next("vm.start");
}
