/** Plans a rollback to a checkpoint: which zvols, which later snapshots go, and what prevents it. Pure. */
import { sourceOf, type Vm } from "../../inventory/inventory.ts";
import { fingerprint } from "../../plan/fingerprint.ts";
import { formatCount } from "../../units.ts";
import type { Checkpoint, CheckpointVm } from "../checkpoint.ts";
import type { CheckpointFacts } from "../read_checkpoints.ts";
import { type PlanFacts, type PlanProblem, rightProblems, unreadProblems } from "./facts.ts";
import type { RollbackPlan, VmToRollBack, ZvolToRollBack } from "./plans.ts";

/** What is asked for. */
export interface RollbackRequest {
  /** The checkpoint's name. */
  readonly checkpoint: string;
  /** The VMs' names at the time of the checkpoint; null: all of them. */
  readonly names: readonly string[] | null;
  /** Whether later snapshots may go. */
  readonly discardNewer: boolean;
}

/** The plan. */
export function planRollback(request: RollbackRequest, facts: PlanFacts): RollbackPlan {
  const { checkpoint: name, names, discardNewer } = request;
  const { read, rights } = facts;
  const checkpoint = read.known ? read.value.checkpoints.find((it) => it.name === name) ?? null : null;
  const wanted = (checkpoint?.vms ?? []).filter((vm) => names === null || names.includes(vm.name));
  const vms = read.known ? wanted.map((vm) => plannedVm(vm, { ...facts, ...read.value, discardNewer })) : [];
  const active = vms.filter(({ blocked }) => blocked.length === 0);
  const newer = vms.flatMap(({ zvols }) => zvols.flatMap((zvol) => zvol.newer)).length;
  const deletes = active.some(({ zvols }) => zvols.some((zvol) => zvol.newer.length > 0));
  const problems: readonly PlanProblem[] = [
    ...unreadProblems(facts),
    ...(read.known && checkpoint === null
      ? [{ field: "", message: `There is no checkpoint called ${name}` }]
      : []),
    ...missing(names, checkpoint),
    ...rightProblems(rights, {
      needs: [rights.rollbackRoles, ...(deletes ? [["SNAPSHOT_DELETE"]] : [])],
      deletes: true,
    }),
    ...(checkpoint !== null && active.length === 0
      ? [{
        field: newer > 0 && !discardNewer ? "discard" : "",
        message: "None of these VMs can be rolled back",
      }]
      : []),
  ];
  const plan = {
    checkpoint: name,
    vms,
    discardNewer,
    newer,
    problems,
    notices: noticesOf(checkpoint, active),
  };
  const phrase = `roll back ${formatCount(active.length, "vm")}`;
  return { ...plan, phrase, fingerprint: fingerprint([name, discardNewer, vms]) };
}

function missing(names: readonly string[] | null, checkpoint: Checkpoint | null): readonly PlanProblem[] {
  if (names === null || checkpoint === null) return [];
  return names.filter((name) => !checkpoint.vms.some((vm) => vm.name === name)).map((name) => ({
    field: "",
    message: `${name} is not part of the checkpoint ${checkpoint.name}`,
  }));
}

interface Around extends CheckpointFacts {
  readonly vms: readonly Vm[];
  readonly discardNewer: boolean;
}

function plannedVm(wanted: CheckpointVm, around: Around): VmToRollBack {
  const vm = around.vms.find(({ id }) => id === wanted.vmId) ?? null;
  const zvols = wanted.snapshots.map(({ name, zvol, createtxg }): ZvolToRollBack => ({
    name,
    zvol,
    createtxg,
    newer: around.snapshots.filter((it) => sourceOf(it.name) === zvol && it.createtxg > createtxg)
      .map((it) => ({ name: it.name, createtxg: it.createtxg })).toReversed(),
  }));
  return {
    id: vm?.id ?? 0,
    name: vm?.name ?? wanted.name,
    uuid: wanted.uuid,
    state: vm?.state ?? "",
    memoryMib: vm?.memoryMib ?? 0,
    zvols,
    changes: wanted.changes,
    running: wanted.running,
    stops: vm?.state === "RUNNING",
    blocked: vm === null ? ["it no longer exists"] : [
      ...stateProblems(vm),
      ...zvols.flatMap((zvol) => zvolProblems(zvol, vm, around)),
      ...newerProblems(zvols, around),
    ],
  };
}

function stateProblems({ state }: Vm): readonly string[] {
  if (state === "RUNNING" || state === "STOPPED") return [];
  return [`it is ${state.toLowerCase()}; resume it or power it off first`];
}

function zvolProblems(
  { zvol, newer }: ZvolToRollBack,
  vm: Vm,
  { vms, zvols, snapshots }: Around,
): readonly string[] {
  const users = vms.filter(({ disks }) => disks.some((disk) => disk.zvol === zvol));
  const other = users.find(({ id }) => id !== vm.id);
  const held = newer.flatMap(({ name }) => {
    const { holds = [] } = snapshots.find((it) => it.name === name) ?? {};
    return holds.length === 0
      ? []
      : [`the later snapshot ${name} has a hold (${holds.join(", ")}); release it in TrueNAS`];
  });
  const cloned = newer.flatMap(({ name }) =>
    [...zvols].filter(([, origin]) => origin === name)
      .map(([clone]) => `${clone} is a clone of the later snapshot ${name}; promote it in TrueNAS first`)
  );
  return [
    ...(other === undefined ? [] : [`its disk ${zvol} is used by ${other.name} too`]),
    ...(users.some(({ id }) => id === vm.id) ? [] : [`its disk ${zvol} is no longer attached to it`]),
    ...held,
    ...cloned,
  ];
}

function newerProblems(zvols: readonly ZvolToRollBack[], { discardNewer }: Around): readonly string[] {
  const count = zvols.flatMap(({ newer }) => newer).length;
  if (count === 0 || discardNewer) return [];
  return [
    `${
      formatCount(count, "later snapshot")
    } would be lost; tick “Discard later snapshots” (--discard-newer on the command line) to allow that`,
  ];
}

function noticesOf(checkpoint: Checkpoint | null, vms: readonly VmToRollBack[]): readonly string[] {
  const stops = vms.filter(({ stops }) => stops).length;
  return [
    ...(checkpoint === null || checkpoint.isWhole
      ? []
      : ["The checkpoint is not complete: some VMs or disks have no snapshot, and stay as they are"]),
    ...(stops === 0 ? [] : [
      `${formatCount(stops, "running VM")} ${stops === 1 ? "is" : "are"} shut down first and started again`,
    ]),
    ...(vms.some(({ changes }) => changes.length > 0)
      ? [
        "Only disks are rolled back. Settings that have changed since stay as they are; change them on the VM's page",
      ]
      : []),
  ];
}
