/**
 * Carries out a plan for one VM: its steps in order, and, when one fails, the way back. What this run made is known
 * by evidence (the uuid it chose, the zvols that were not there before), and only that is removed.
 */
import { TrueNASCallError, TrueNASError } from "../errors.ts";
import { markedDescription } from "../plan/marks.ts";
import type { PlannedDevice, PlannedVm } from "../plan/types.ts";
import { zvolOfPath } from "../names.ts";
import type { TemplateManager } from "../template_manager.ts";
import type { Caller } from "../truenas/client.ts";
import type { DeviceRow } from "../truenas/methods.ts";
import { formatBytes, formatMib } from "../units.ts";
import type { OperationLog } from "./log.ts";
import type { Evidence } from "./types.ts";
import { rollBack } from "./roll_back.ts";
import { lookUntil, runStep, type SettleTimes } from "./steps.ts";

/** What the runner of a creation works with. */
export interface CreationContext {
  readonly caller: Caller;
  readonly templates: TemplateManager;
  /** The displays' password; it goes to the NAS and nowhere else. */
  readonly displayPassword: string;
  readonly log: OperationLog;
  readonly settle: SettleTimes;
  readonly signal: AbortSignal;
}

/** What this run has made of one VM so far. */
export interface Made {
  /** The uuid that the VM was asked to have; null when the VM was there before. */
  readonly uuid: string | null;
  /** The NAS's id once it is known. */
  vmId: number | null;
  /** Ids of the devices made. */
  readonly deviceIds: number[];
  /** Zvols that may have been made: asked for, absent before, and not refused. */
  readonly zvols: string[];
  /** Steps that were done, to be marked when they are rolled back. */
  readonly doneSteps: string[];
}

/** Creates or completes one VM. It never throws: the log tells what became of it. */
export async function createVm(context: CreationContext, vm: PlannedVm): Promise<void> {
  const uuid = vm.vmId === null ? crypto.randomUUID() : null;
  const made: Made = { uuid, vmId: vm.vmId, deviceIds: [], zvols: [], doneSteps: [] };
  let reached = 0;
  try {
    for (const step of vm.steps) {
      if (context.signal.aborted) throw new Cancelled();
      reached++;
      await performStep(context, vm, step, made);
      made.doneSteps.push(step);
    }
    context.log.append({ type: "vm", vm: vm.name, outcome: "created", vmId: knownId(made) });
  } catch (error) {
    for (const step of vm.steps.slice(reached)) {
      context.log.append({ type: "step", vm: vm.name, step, status: "skipped" });
    }
    await rollBack(context, {
      vm: vm.name,
      made,
      why: describeFailure(error),
      cancelled: error instanceof Cancelled,
    });
  }
}

/** The person cancelled before this step. */
class Cancelled extends Error {
  override readonly name = "Cancelled";
}

function describeFailure(error: unknown): string {
  if (error instanceof Cancelled) return "It was cancelled";
  return error instanceof Error ? error.message : String(error);
}

function performStep(context: CreationContext, vm: PlannedVm, step: string, made: Made): Promise<void> {
  if (step === "vm") return createStep(context, vm, made);
  if (step === "start") return startStep(context, vm, made);
  const device = vm.devices.find((candidate) => candidate.step === step);
  if (device === undefined) throw new Error(`The plan has no device for its step ${step}`);
  return deviceStep(context, vm, device, made);
}

async function createStep({ caller, templates, log, settle }: CreationContext, vm: PlannedVm, made: Made) {
  const spec = templates.createVmSpec(vm.name, vm.cores, vm.threads, vm.memoryMib);
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
    look: async () => (await caller.call("vm.query", [[["uuid", "=", made.uuid]]]))[0] ?? null,
    detail: ({ id }) => `id ${id}, ${vm.vcpus} vCPUs, ${formatMib(vm.memoryMib)}`,
  }, settle);
  made.vmId = row.id;
}

async function deviceStep(context: CreationContext, vm: PlannedVm, device: PlannedDevice, made: Made) {
  const { caller, log, settle } = context;
  const vmId = knownId(made);
  if (device.dtype === "DISK") made.zvols.push(device.zvol);
  const row = await runStep(log, {
    vm: vm.name,
    step: device.step,
    method: "vm.device.create",
    makes: describeDevice(device),
    ...(device.dtype === "DISK" ? { evidence: () => zvolEvidence(made, device.zvol) } : {}),
    run: () => createDevice(context, vmId, device, made),
    look: async () => {
      const rows = await caller.call("vm.device.query", [[["vm", "=", vmId]]]);
      return rows.find((row) => isDevice(row, device)) ?? null;
    },
    detail: () => describeDevice(device),
  }, settle);
  made.deviceIds.push(row.id);
}

function zvolEvidence(made: Made, zvol: string): Evidence | null {
  return made.zvols.includes(zvol) ? { zvol } : null;
}

async function createDevice(context: CreationContext, vmId: number, device: PlannedDevice, made: Made) {
  const spec = { ...deviceSpec(context, vmId, device), order: device.order };
  try {
    return await context.caller.call("vm.device.create", [spec]);
  } catch (error) {
    if (device.dtype === "DISK" && refusedBeforeEffect(error)) {
      made.zvols.splice(made.zvols.indexOf(device.zvol), 1);
    }
    throw error;
  }
}

/** TrueNAS validates first and writes afterwards: a refusal that names fields came before any zvol was made. */
function refusedBeforeEffect(error: unknown): boolean {
  if (error instanceof TrueNASCallError) return error.refusal.fields.length > 0;
  return error instanceof TrueNASError && error.outcome === "not-done";
}

function deviceSpec({ templates, displayPassword }: CreationContext, vmId: number, device: PlannedDevice) {
  switch (device.dtype) {
    case "DISPLAY":
      return templates.createDisplayDevice(vmId, device.port, displayPassword, device.webPort ?? undefined);
    case "CDROM":
      return templates.createCdromDevice(vmId, device.path);
    case "NIC":
      return templates.createNicDevice(vmId, device.attach, device.mac);
    case "DISK":
      return templates.createDiskDevice(vmId, device.zvol, device.sizeBytes);
  }
}

/** Whether a device on the NAS is the planned one, by what identifies it within its VM. */
function isDevice({ attributes }: DeviceRow, device: PlannedDevice): boolean {
  if (attributes.dtype !== device.dtype) return false;
  switch (device.dtype) {
    case "DISPLAY":
      return attributes.port === device.port;
    case "CDROM":
      return attributes.path === device.path;
    case "NIC":
      return attributes.mac === device.mac;
    case "DISK":
      return typeof attributes.path === "string" && zvolOfPath(attributes.path) === device.zvol;
  }
}

function describeDevice(device: PlannedDevice): string {
  switch (device.dtype) {
    case "DISPLAY":
      return `port ${device.port}`;
    case "CDROM":
      return device.path;
    case "NIC":
      return `${device.attach}, ${device.mac}`;
    case "DISK":
      return `${device.zvol}, ${formatBytes(device.sizeBytes)}`;
  }
}

async function startStep({ caller, log, settle }: CreationContext, vm: PlannedVm, made: Made) {
  const vmId = knownId(made);
  const isRunning = async () =>
    (await caller.call("vm.get_instance", [vmId])).status.state === "RUNNING" || null;
  await runStep(log, {
    vm: vm.name,
    step: "start",
    method: "vm.start",
    run: async () => {
      await caller.call("vm.start", vm.overcommit ? [vmId, { overcommit: true }] : [vmId]);
      // The NAS's word is not taken for it: the VM counts as started when it is seen to run.
      if (await lookUntil(isRunning, settle) !== null) return true;
      throw new TrueNASError(`vm.start was answered, but ${vm.name} does not run`, { method: "vm.start" });
    },
    look: isRunning,
    detail: () => "RUNNING",
  }, settle);
}

function knownId({ vmId }: Made): number {
  if (vmId === null) throw new Error("A step needs the VM, which was not made");
  return vmId;
}
