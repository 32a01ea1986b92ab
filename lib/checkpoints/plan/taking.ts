/** Plans a checkpoint: what is snapshotted, how, and what expires. Pure. */
import type { Vm } from "../../inventory/inventory.ts";
import { fingerprint } from "../../plan/fingerprint.ts";
import { formatCount } from "../../units.ts";
import { MAX_SNAPSHOT_CHARS, nameProblem, noteProblem, settingsOf, snapshotOf } from "../checkpoint.ts";
import { expiredOf } from "./expiry.ts";
import { type PlanFacts, type PlanProblem, rightProblems, unreadProblems } from "./facts.ts";
import type { CheckpointPlan, VmToCheckpoint } from "./plans.ts";

/** What is asked for. */
export interface CheckpointRequest {
  readonly name: string;
  readonly note: string;
  /** Whether running VMs are shut down first and started afterwards. */
  readonly shutdown: boolean;
  readonly vms: readonly Vm[];
}

/** The plan. */
export function planCheckpoint(request: CheckpointRequest, facts: PlanFacts): CheckpointPlan {
  const { name, note, shutdown } = request;
  const vms = request.vms.map((vm) => plannedVm(vm, request, facts));
  const taken = vms.filter(({ blocked }) => blocked.length === 0);
  const deletes = taken.some(({ expired }) => expired.length > 0);
  const problems = [
    ...nameProblems(request, taken, facts),
    ...problemAt("note", noteProblem(note)),
    ...unreadProblems(facts),
    ...rightProblems(facts.rights, {
      needs: [["SNAPSHOT_WRITE"], ...(deletes ? [["SNAPSHOT_DELETE"]] : [])],
      deletes,
    }),
    ...(taken.length === 0 ? [{ field: "", message: nothingToDo(vms) }] : []),
  ];
  const plan = { name, note, shutdown, vms, problems, notices: noticesOf(taken) };
  // Name, note and shutdown are entered beside the list, so the list that was shown does not depend on them.
  return { ...plan, fingerprint: fingerprint(vms.map(identity)) };
}

function identity({ id, name, uuid, state, zvols, expired }: VmToCheckpoint): unknown {
  return [id, name, uuid, state === "STOPPED", zvols, expired];
}

function plannedVm(vm: Vm, { shutdown }: CheckpointRequest, facts: PlanFacts): VmToCheckpoint {
  const { id, name, uuid, state, memoryMib, disks } = vm;
  const zvols = disks.flatMap(({ zvol }) => zvol ?? []);
  const { read, keeping, now } = facts;
  const gone = read.known ? zvols.filter((zvol) => !read.value.zvols.has(zvol)) : [];
  const isOff = state === "STOPPED";
  return {
    id,
    name,
    uuid,
    state,
    memoryMib,
    zvols,
    left: disks.filter(({ zvol }) => zvol === null).map(({ path }) => path),
    settings: settingsOf(vm),
    stops: shutdown && state === "RUNNING",
    expired: read.known ? expiredOf(vm, read.value.checkpoints, keeping, now) : [],
    blocked: [
      ...(zvols.length === 0 ? ["it has no disk that is a zvol"] : []),
      ...gone.map((zvol) => `its disk ${zvol} no longer exists`),
      ...(shutdown && !isOff && state !== "RUNNING"
        ? [`it is ${state.toLowerCase()}, so it cannot be shut down; resume it or power it off first`]
        : []),
    ],
  };
}

function nameProblems(
  { name }: CheckpointRequest,
  vms: readonly VmToCheckpoint[],
  { read }: PlanFacts,
): readonly PlanProblem[] {
  const wrong = nameProblem(name);
  if (wrong !== null) return problemAt("name", wrong);
  if (!read.known) return [];
  if (read.value.checkpoints.some((checkpoint) => checkpoint.name === name)) {
    return problemAt("name", `There is a checkpoint called ${name} already. Choose another name`);
  }
  const snapshots = vms.flatMap(({ zvols }) => zvols.map((zvol) => snapshotOf(zvol, name)));
  const taken = snapshots.find((snapshot) => read.value.snapshots.some((it) => it.name === snapshot));
  if (taken !== undefined) {
    return problemAt("name", `The snapshot ${taken} exists, and was not made here. Choose another name`);
  }
  const long = snapshots.find((snapshot) => snapshot.length > MAX_SNAPSHOT_CHARS);
  if (long === undefined) return [];
  return problemAt(
    "name",
    `${long} would have ${long.length} characters, and ZFS allows ${MAX_SNAPSHOT_CHARS}. Choose a shorter name`,
  );
}

function problemAt(field: string, message: string | null): readonly PlanProblem[] {
  return message === null ? [] : [{ field, message }];
}

function nothingToDo(vms: readonly VmToCheckpoint[]): string {
  return vms.length === 0 ? "No VM is selected" : "None of these VMs can be checkpointed";
}

function noticesOf(vms: readonly VmToCheckpoint[]): readonly string[] {
  const running = vms.filter(({ state, stops }) => state !== "STOPPED" && !stops);
  const apart = running.filter(({ zvols }) => zvols.length > 1);
  const files = vms.filter(({ left }) => left.length > 0);
  return [
    ...(running.length === 0 ? [] : [
      `${formatCount(running.length, "VM")} stay${
        running.length === 1 ? "s" : ""
      } on: the disks are as after a ` +
      "power failure (crash-consistent)",
    ]),
    ...(vms.length + apart.length > 1
      ? [
        "Snapshots are taken one by one, so those of several disks and VMs are a moment apart",
      ]
      : []),
    ...files.map(({ name, left }) =>
      `Not part of the checkpoint, because they are not zvols: ${left.join(", ")} of ${name}`
    ),
  ];
}
