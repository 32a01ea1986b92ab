/** VMs, plans and operations as JSON, identical on the dashboard and the command line. */
import type { Readiness } from "../first_boot/types.ts";
import type { Vm } from "./inventory.ts";
import { typeOf } from "./names.ts";
import { describeDevice } from "../plan/description.ts";
import type { CreationPlan, PlannedVm, SurplusVm } from "../plan/types.ts";
import type { OperationView, StepView } from "../operations/types.ts";
import type { AuditEntry } from "../observability/audit_entry.ts";
import type { VmLineage } from "../images/listing/lineage.ts";

/** A VM; memory in MiB, sizes in bytes. */
export function vmJson(
  vm: Vm,
  { image, clones }: VmLineage,
  readiness: Readiness | null = null,
): Record<string, unknown> {
  const { id, name, state, description, vcpus, memoryMib, autostart } = vm;
  return {
    id,
    name,
    state,
    type: typeOf(name),
    description,
    vcpus,
    memoryMiB: memoryMib,
    autostart,
    image,
    clones,
    ready: readyJson(readiness),
    disks: vm.disks.map(({ path, zvol, sizeBytes, usedBytes, sparse }) => ({
      path,
      zvol,
      sizeBytes,
      usedBytes,
      sparse,
    })),
    nics: vm.nics.map(({ attach, mac, ip }) => ({ attach, mac, ip: ip?.address ?? null })),
    displays: vm.displays.map(({ type, bind, port, webPort }) => ({ type, bind, port, webPort })),
    cdroms: vm.cdroms.map(({ path }) => ({ path })),
    others: vm.others.map(({ dtype, what }) => ({ dtype, what })),
  };
}

/** Whether a VM answers; one that nobody waited for is not known. */
export function readyJson(readiness: Readiness | null): Record<string, unknown> {
  const { state, address, by, at } = readiness ?? NOT_KNOWN;
  return { state, address, by, at: iso(at) };
}

const NOT_KNOWN: Readiness = { state: "unknown", address: null, by: null, at: null };

/**
 * A plan with what would change in each existing VM, field by field, and the VMs beyond their types' counts. `problems`
 * are its findings under the name that pipelines expect.
 */
export function planJson(plan: CreationPlan): Record<string, unknown> {
  const vms = plan.vms.map((vm) => ({ ...vm, changes: changesOf(vm) }));
  return { ...plan, vms: [...vms, ...plan.surplus.map(surplusJson)], problems: plan.findings };
}

/** Differing values, and devices that would be added; empty for a VM that does not exist. */
function changesOf({ differences, devices, missing }: PlannedVm): Record<string, unknown>[] {
  const fields = differences.map(({ field, found, wanted, needsStop, never, replaces }) => ({
    field,
    from: found,
    to: wanted,
    needsStop,
    never,
    replaces,
  }));
  const added = devices.filter(({ step }) => missing.includes(step)).map((device) => ({
    field: device.step,
    from: null,
    to: describeDevice(device),
    needsStop: true,
    never: null,
    replaces: false,
  }));
  return [...fields, ...added];
}

function surplusJson({ state, ...vm }: SurplusVm): Record<string, unknown> {
  return {
    ...vm,
    state,
    action: "surplus",
    reasons: [],
    differences: [],
    changes: [],
    devices: [],
    steps: [],
  };
}

/** An entry of the audit log; time as ISO 8601 in UTC. */
export function auditJson(
  { seq, at, by, what, vms, outcome, operation, repeated }: AuditEntry,
): Record<string, unknown> {
  const [who, from] = [by?.who ?? null, by?.from ?? null];
  const often = { times: repeated?.times ?? 1, lastAt: iso(repeated?.lastAt ?? at) };
  return { seq, at: iso(at), who, from, what, vms, outcome, operation, ...often };
}

/** An operation with its steps; times as ISO 8601 in UTC. */
export function operationJson(view: OperationView): Record<string, unknown> {
  return {
    id: view.id,
    kind: view.kind,
    title: view.title,
    status: view.status,
    by: view.by,
    startedAt: iso(view.startedAt),
    finishedAt: iso(view.finishedAt),
    waiting: view.waiting === null ? null : {
      since: iso(view.waiting.since),
      until: iso(view.waiting.until),
      message: view.waiting.message,
    },
    vms: view.vms.map(({ name, vmId, outcome, message }) => ({ name, id: vmId, outcome, message })),
    steps: view.vms.flatMap(({ steps }) => steps.map(stepJson)),
  };
}

function stepJson(
  { seq, vm, step, status, startedAt, finishedAt, detail, error, healed, transfer, awaits, signs }: StepView,
): Record<string, unknown> {
  const times = { startedAt: iso(startedAt), finishedAt: iso(finishedAt) };
  const moved = status === "running" && transfer !== null ? { transfer } : {};
  const tries = healed === 0 ? {} : { healed };
  const guest = awaits === undefined ? {} : {
    awaits,
    signs: (signs ?? []).map((sign) => ({ ...sign, at: iso(sign.at) })),
  };
  return {
    seq,
    vm,
    step,
    status,
    ...times,
    detail,
    error: error?.message ?? null,
    ...tries,
    ...moved,
    ...guest,
  };
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
