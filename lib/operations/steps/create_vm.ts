/**
 * Carries out the plan for one VM: its steps in order, and a rollback when one fails. Zvols take longest, so they are
 * created in parallel with the other devices. Only what this run provably created (by the uuid it chose and the properties
 * of its zvols) is removed.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { markedDescription, ownerProperties } from "../../inventory/marks.ts";
import type { PortAllocator } from "../../plan/allocation.ts";
import type { PlannedDevice, PlannedVm } from "../../plan/types.ts";
import type { TemplateManager } from "../../template_manager.ts";
import type { Caller } from "../../truenas/client.ts";
import { type DeviceRow, vmQuery } from "../../truenas/methods.ts";
import { fetchDatasets, fetchVm } from "../../truenas/batched_reads.ts";
import { formatMib } from "../../units.ts";
import { describeDevice, isDevice } from "./devices.ts";
import { startWithImages } from "./images.ts";
import type { OperationLog } from "../log.ts";
import type { MemoryReservation } from "../memory_reservation.ts";
import { NotSent } from "../limiter.ts";
import type { Evidence } from "../types.ts";
import type { PlannedDisplay, RefusedPorts } from "./refused_ports.ts";
import { keepForInspection, rollBack } from "./roll_back.ts";
import { NotReached, pollUntil, runOrVerify, runStep, type SettleTimeouts } from "./run_step.ts";
import type { CreatedResources, CreatedZvol } from "./created_resources.ts";

/** What happens to incomplete VMs when the user cancels. */
export type CancelMode = "roll-back" | "keep";

/** What creating a VM needs. */
export interface CreationContext {
  /** Its writes are always sent; used for rollback. */
  readonly caller: Caller;
  /** Its queued writes are dropped when the user cancels; used for creation. */
  readonly cancellable: Caller;
  readonly memory: MemoryReservation;
  /** Template values of each VM type, including its overrides. */
  readonly templates: (type: string) => TemplateManager;
  /** The displays' password; sent to the NAS and nowhere else. */
  readonly displayPassword: string;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
  /** Its reason is a {@link CancelMode}. */
  readonly signal: AbortSignal;
  /** Aborts when a VM with `on_failure: stop` has failed, so that no further VM is started. */
  readonly stop: AbortController;
  /** Display ports that the NAS refused, and replacements. */
  readonly ports: { readonly refused: RefusedPorts; readonly allocator: PortAllocator };
  /** Whether the account can create zvols directly; cleared at the first refusal. */
  readonly zvols: { mayCreate: boolean };
}

/** Creates or completes one VM. Never throws; the log contains the result. */
export async function createVm(context: CreationContext, vm: PlannedVm): Promise<void> {
  const uuid = vm.vmId === null ? crypto.randomUUID() : null;
  const made: CreatedResources = {
    operation: context.log.id,
    uuid,
    vmId: vm.vmId,
    devices: [],
    zvols: [],
    started: false,
    doneSteps: [],
  };
  let started = false;
  const prefetch = new ZvolPrefetch();
  try {
    if (context.stop.signal.aborted) throw new Stopped(String(context.stop.signal.reason));
    const cancellable = { ...context, caller: context.cancellable };
    for (const step of vm.steps) {
      if (context.signal.aborted) throw new Cancelled();
      prefetch.throwIfFailed();
      started = true;
      // Only once the VM exists, because recovery after a crash identifies the zvols by it.
      if (made.vmId !== null) prefetch.begin(cancellable, vm, made);
      await (prefetch.resultOf(step) ?? performStep(cancellable, vm, step, made));
      made.doneSteps.push(step);
    }
    context.log.append({ type: "vm", vm: vm.name, outcome: "created", vmId: knownId(made) });
  } catch (error) {
    await prefetch.abandon();
    const now = context.log.view.vms.find(({ name }) => name === vm.name)?.steps ?? [];
    for (const { step } of now.filter(({ status }) => status === "pending")) {
      context.log.append({ type: "step", vm: vm.name, step, status: "skipped" });
    }
    if (started) return await endFailed(context, vm, made, error);
    const message = `${describeFailure(error)}. Nothing was created`;
    context.log.append({ type: "vm", vm: vm.name, outcome: "cancelled", message });
  }
}

/** Creates zvols while earlier steps are running; each device is created in its turn. */
class ZvolPrefetch {
  readonly #disks = new Map<
    string,
    { readonly turn: PromiseWithResolvers<void>; readonly done: Promise<void> }
  >();
  #started = false;
  #failure: { readonly error: unknown } | null = null;

  /** Starts every disk whose zvol must be created, once. */
  begin(context: CreationContext, vm: PlannedVm, made: CreatedResources): void {
    if (this.#started) return;
    this.#started = true;
    // Otherwise creating the device also creates its zvol, and nothing can be done early.
    if (!context.zvols.mayCreate) return;
    for (const device of vm.devices) {
      if (!makesZvol(device) || !vm.steps.includes(device.step)) continue;
      const turn = Promise.withResolvers<void>();
      turn.promise.catch(() => {});
      const done = deviceStep(context, vm, device, made, turn.promise);
      done.catch((error) => this.#failure ??= { error });
      this.#disks.set(device.step, { turn, done });
    }
  }

  /** Resolves when this step's early work is done; undefined when there is none. */
  resultOf(step: string): Promise<void> | undefined {
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
    for (const { turn } of disks) turn.reject(new NotReached());
    await Promise.allSettled(disks.map(({ done }) => done));
  }
}

/** The user cancelled before this step. */
class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** Another VM failed and `on_failure` is `stop`. */
class Stopped extends Error {
  override readonly name = "Stopped";
}

async function endFailed(
  context: CreationContext,
  vm: PlannedVm,
  made: CreatedResources,
  error: unknown,
): Promise<void> {
  // A call that was running when the user cancelled can fail; the cancellation still applies.
  const cancelled = context.signal.aborted || error instanceof Cancelled || error instanceof Stopped ||
    error instanceof NotSent;
  const why = describeFailure(error);
  if (vm.onFailure === "stop" && !cancelled) {
    context.stop.abort(`${vm.name} failed and on_failure is stop`);
  }
  const keep = context.signal.aborted ? context.signal.reason === "keep" : vm.onFailure === "keep";
  if (keep) await keepForInspection(context, { vm: vm.name, made, why, cancelled });
  else await rollBack(context, { vm: vm.name, made, why, cancelled });
}

function describeFailure(error: unknown): string {
  if (error instanceof Cancelled || error instanceof NotSent) return "Cancelled";
  if (error instanceof Stopped) return `Not started: ${error.message}`;
  return reasonOf(error);
}

function performStep(
  context: CreationContext,
  vm: PlannedVm,
  step: string,
  made: CreatedResources,
): Promise<void> {
  if (step === "vm") return createStep(context, vm, made);
  if (step === "start") return startStep(context, vm, made);
  const device = vm.devices.find((candidate) => candidate.step === step);
  if (device === undefined) throw new Error(`The plan has no device for its step ${step}`);
  return deviceStep(context, vm, device, made);
}

async function createStep(context: CreationContext, vm: PlannedVm, made: CreatedResources) {
  const { caller, log, settle } = context;
  const spec = context.templates(vm.type).createVmSpec(vm.name, vm.cores, vm.threads, vm.memoryMib);
  const own = vm.description === "" ? spec.description ?? "" : vm.description;
  const chosen = {
    description: markedDescription(own),
    ...(vm.autostart === null ? {} : { autostart: vm.autostart }),
  };
  const row = await runStep(log, {
    vm: vm.name,
    step: "vm",
    method: "vm.create",
    makes: `VM ${vm.name}, uuid ${made.uuid}`,
    evidence: () => made.uuid === null ? null : { uuid: made.uuid },
    run: () => caller.call("vm.create", [{ ...spec, ...chosen, uuid: made.uuid }]),
    verify: async () => (await caller.call("vm.query", vmQuery(["uuid", "=", made.uuid])))[0] ?? null,
    detail: ({ id }) => `id ${id}, ${vm.vcpus} vCPUs, ${formatMib(vm.memoryMib)}`,
  }, settle);
  made.vmId = row.id;
}

function makesZvol(device: PlannedDevice): device is PlannedDisk {
  return device.dtype === "DISK" && !device.adopt;
}

/** Creates a device after its zvol; the device itself waits for its turn. */
async function deviceStep(
  context: CreationContext,
  vm: PlannedVm,
  planned: PlannedDevice,
  made: CreatedResources,
  turn: Promise<void> = Promise.resolve(),
): Promise<void> {
  const { caller, log, settle } = context;
  // A display gets other ports if the NAS refuses the planned ones.
  let device = planned;
  if (made.uuid === null) made.devices.push(device);
  const zvol = makesZvol(device) ? device : null;
  if (zvol !== null) made.zvols.push({ name: zvol.zvol, marked: context.zvols.mayCreate, answered: false });
  await runStep(log, {
    vm: vm.name,
    step: device.step,
    method: zvol !== null && context.zvols.mayCreate ? "pool.dataset.create" : "vm.device.create",
    makes: describeDevice(device),
    evidence: () => deviceEvidence(device, made),
    run: async (next) => {
      const isAnnounced = zvol === null || !context.zvols.mayCreate;
      if (zvol !== null) await makeZvol(context, vm, zvol, made);
      await expectTurn(turn, device, made);
      if (!isAnnounced) await next("vm.device.create");
      const step = { vm, vmId: knownId(made), made };
      if (device.dtype !== "DISPLAY") return await createDevice(context, { ...step, device });
      return await createDisplay(context, { ...step, device }, async (other) => {
        device = other;
        if (made.uuid === null) made.devices.push(other);
        await next("vm.device.create");
      });
    },
    verify: async () => {
      const rows = await caller.call("vm.device.query", [[["vm", "=", knownId(made)]]]);
      return rows.find((row) => isDevice(row, device)) ?? null;
    },
    detail: () => describeCreated(device, planned),
  }, settle);
}

function describeCreated(device: PlannedDevice, planned: PlannedDevice): string {
  const text = describeDevice(device);
  return device === planned
    ? text
    : `${text}, because another service on the NAS uses ${describeDevice(planned)} or its web port`;
}

/** A device whose creation was never requested is not recorded as added. */
async function expectTurn(turn: Promise<void>, device: PlannedDevice, made: CreatedResources): Promise<void> {
  try {
    await turn;
  } catch (error) {
    const added = made.devices.indexOf(device);
    if (added >= 0) made.devices.splice(added, 1);
    throw error;
  }
}

function deviceEvidence(device: PlannedDevice, made: CreatedResources): Evidence | null {
  const zvol = device.dtype === "DISK" ? made.zvols.find(({ name }) => name === device.zvol) : undefined;
  const added = made.uuid === null && made.devices.includes(device);
  if (zvol === undefined && !added) return null;
  return {
    ...(zvol === undefined ? {} : zvolEvidence(zvol)),
    ...(added ? { vmId: knownId(made), device } : {}),
  };
}

function zvolEvidence({ name, marked, answered }: CreatedZvol): Evidence {
  return { zvol: name, ...(marked ? {} : { unmarked: true }), ...(answered ? { answered } : {}) };
}

type PlannedDisk = Extract<PlannedDevice, { dtype: "DISK" }>;

/** Creates the zvol with its ownership properties; without permission for that, creating the device creates it. */
async function makeZvol(
  context: CreationContext,
  vm: PlannedVm,
  device: PlannedDisk,
  made: CreatedResources,
): Promise<void> {
  const { caller, zvols, settle } = context;
  if (!zvols.mayCreate) return expectThick(device);
  const owner = made.uuid ?? vm.vmUuid ?? "";
  const find = async () => {
    const found = await fetchDatasets(caller, [device.zvol]);
    const dataset = found.known ? found.value[0] : undefined;
    return dataset?.mark?.operation === made.operation ? { id: dataset.name } : null;
  };
  try {
    const spec = zvolSpec(device, owner, made.operation);
    await runOrVerify(() => caller.call("pool.dataset.create", [spec]), find, settle);
    replaceZvol(made, { name: device.zvol, marked: true, answered: true });
  } catch (error) {
    if (isUnavailable(error)) {
      zvols.mayCreate = false;
      replaceZvol(made, { name: device.zvol, marked: false, answered: false });
      return expectThick(device);
    }
    if (refusedBeforeEffect(error)) forgetZvol(made, device.zvol);
    throw error;
  }
}

function zvolSpec(device: PlannedDisk, owner: string, operation: string): Record<string, unknown> {
  return {
    name: device.zvol,
    type: "VOLUME",
    volsize: device.sizeBytes,
    ...(device.sparse === true ? { sparse: true } : {}),
    ...(device.force ? { force_size: true } : {}),
    ...(device.blockSize === null ? {} : { volblocksize: device.blockSize }),
    user_properties: ownerProperties(owner, operation),
  };
}

/** vm.device.create only creates thick zvols. */
function expectThick({ sparse, zvol }: PlannedDisk): void {
  if (sparse !== true) return;
  throw new TrueNASError(
    `The account is not allowed to create the sparse zvol ${zvol}; grant it the role DATASET_WRITE, or turn sparse off`,
  );
}

/** TrueNAS's errnos for "not authorized" and for a method that does not exist in this release. */
const EACCES = 13;
const ENOMETHOD = 201;
/** JSON-RPC's "Method does not exist". */
const METHOD_NOT_FOUND = -32601;

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof TrueNASCallError)) return false;
  const { code, errno } = error.refusal;
  return code === METHOD_NOT_FOUND || errno === EACCES || errno === ENOMETHOD;
}

function replaceZvol(made: CreatedResources, zvol: CreatedZvol): void {
  forgetZvol(made, zvol.name);
  made.zvols.push(zvol);
}

function forgetZvol(made: CreatedResources, name: string): void {
  const index = made.zvols.findIndex((zvol) => zvol.name === name);
  if (index >= 0) made.zvols.splice(index, 1);
}

interface DeviceStep {
  readonly vm: PlannedVm;
  readonly vmId: number;
  readonly device: PlannedDevice;
  readonly made: CreatedResources;
}

async function createDevice(context: CreationContext, step: DeviceStep): Promise<DeviceRow> {
  const { device, made } = step;
  const spec = { ...deviceSpec(context, step), order: device.order };
  try {
    return await context.caller.call("vm.device.create", [spec]);
  } catch (error) {
    if (refusedBeforeEffect(error)) {
      // A zvol that the device was to create does not exist either; one created before does.
      const zvol = device.dtype === "DISK" ? made.zvols.find(({ name }) => name === device.zvol) : undefined;
      if (zvol?.marked === false) forgetZvol(made, zvol.name);
      const added = made.devices.indexOf(device);
      if (added >= 0) made.devices.splice(added, 1);
    }
    throw error;
  }
}

/** Maximum number of port pairs tried for one display. */
const MAX_PORT_TRIES = 50;

/** TrueNAS reports ports used by its own services only when a display is created; then the next free ports are tried. */
async function createDisplay(
  context: CreationContext,
  step: DeviceStep & { readonly device: PlannedDisplay },
  change: (device: PlannedDisplay) => Promise<void>,
): Promise<DeviceRow> {
  const { refused, allocator } = context.ports;
  let { device } = step;
  for (let tries = 1;; tries++) {
    try {
      return await createDevice(context, { ...step, device });
    } catch (error) {
      const other = refused.learn(error, device) && tries < MAX_PORT_TRIES
        ? allocator.next(device.port)
        : null;
      if (other === null) throw error;
      device = { ...device, ...other };
      await change(device);
    }
  }
}

/** TrueNAS validates before it writes, so after a refusal that names fields nothing was created. */
function refusedBeforeEffect(error: unknown): boolean {
  if (error instanceof TrueNASCallError) return error.refusal.fields.length > 0;
  return error instanceof TrueNASError && error.outcome === "not-done";
}

function deviceSpec(context: CreationContext, { vm, vmId, device, made }: DeviceStep) {
  const templates = context.templates(vm.type);
  switch (device.dtype) {
    case "DISPLAY":
      return templates.createDisplayDevice(
        vmId,
        device.port,
        context.displayPassword,
        device.webPort ?? undefined,
      );
    case "CDROM":
      return templates.createCdromDevice(vmId, device.path);
    case "NIC":
      return templates.createNicDevice(vmId, device.attach, device.mac);
    case "DISK": {
      const isThere = device.adopt || made.zvols.some(({ name, marked }) => name === device.zvol && marked);
      return isThere
        ? templates.createAttachedDiskDevice(vmId, device.zvol)
        : templates.createDiskDevice(vmId, device.zvol, device.sizeBytes);
    }
  }
}

async function startStep(
  { caller, log, settle, memory }: CreationContext,
  vm: PlannedVm,
  made: CreatedResources,
) {
  const vmId = knownId(made);
  const isRunning = async () => (await fetchVm(caller, vmId))?.state === "RUNNING" || null;
  made.started = true;
  await runStep(log, {
    vm: vm.name,
    step: "start",
    method: "vm.start",
    evidence: () => made.uuid === null ? { vmId } : null,
    run: async () => {
      await startWithImages(caller, { id: vmId, name: vm.name }, async () => {
        if (vm.overcommit) await caller.call("vm.start", [vmId, { overcommit: true }]);
        else await memory.start(vm.memoryMib, () => caller.call("vm.start", [vmId]));
      });
      // The VM counts as started only when it is seen running.
      if (await pollUntil(isRunning, settle) !== null) return true;
      throw new TrueNASError(
        `TrueNAS reported success for vm.start, but ${vm.name} is not running; check the VM in TrueNAS`,
        { method: "vm.start" },
      );
    },
    verify: isRunning,
    detail: () => "RUNNING",
  }, settle);
}

function knownId({ vmId }: CreatedResources): number {
  if (vmId === null) throw new Error("A step needs the VM, which was not created");
  return vmId;
}
