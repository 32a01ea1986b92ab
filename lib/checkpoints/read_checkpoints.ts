/** Reads the checkpoints of a NAS, and what has become of their VMs. */
import { sourceOf, type Vm } from "../inventory/inventory.ts";
import type { Caller } from "../truenas/client.ts";
import type { ReadOptions } from "../truenas/read_inventory.ts";
import {
  type OwnedSnapshot,
  readOwnedSnapshots,
  readSnapshotNames,
  readZvols,
} from "../truenas/read_snapshots.ts";
import {
  type Checkpoint,
  checkpointIn,
  type CheckpointSnapshot,
  type CheckpointVm,
  markOf,
  type SnapshotMark,
} from "./checkpoint.ts";
import { changesSince } from "./comparison.ts";

/** What plans about checkpoints are made from. */
export interface CheckpointFacts {
  /** The newest first. */
  readonly checkpoints: readonly Checkpoint[];
  /** All snapshots of the zvols that were asked for or are in a checkpoint, oldest first. */
  readonly snapshots: readonly OwnedSnapshot[];
  /** Every zvol, and the snapshot that it was cloned from, if any. */
  readonly zvols: ReadonlyMap<string, string | null>;
}

/** Reads them; `also` are zvols whose snapshots are wanted whether or not they are in a checkpoint. */
export async function readCheckpoints(
  caller: Caller,
  { vms, also = [] }: { readonly vms: readonly Vm[]; readonly also?: readonly string[] },
  options: ReadOptions = {},
): Promise<CheckpointFacts> {
  const zvols = await readZvols(caller, options);
  const names = await readSnapshotNames(caller, [...zvols.keys()], options);
  const sources = names.filter((name) => checkpointIn(name) !== null || also.includes(sourceOf(name))).map(
    sourceOf,
  );
  const snapshots = await readOwnedSnapshots(caller, [...new Set(sources)], options);
  return { checkpoints: checkpointsIn(snapshots, zvols, vms), snapshots, zvols };
}

/** The checkpoints that snapshots belong to, the newest first. Pure. */
export function checkpointsIn(
  snapshots: readonly OwnedSnapshot[],
  zvols: ReadonlyMap<string, string | null>,
  vms: readonly Vm[],
): readonly Checkpoint[] {
  const marked = snapshots.flatMap((snapshot) => {
    const mark = markOf(snapshot);
    return mark === null ? [] : [{ snapshot, mark }];
  });
  const byName = Map.groupBy(marked, ({ mark }) => mark.name);
  const clones = Map.groupBy(
    [...zvols].filter(([, origin]) => origin !== null),
    ([, origin]) => origin ?? "",
  );
  const clonesOf = (name: string) => (clones.get(name) ?? []).map(([zvol]) => zvol);
  const all = [...byName.values()].map((own) => toCheckpoint(own, { zvols, vms, clonesOf }));
  return all.toSorted((a, b) => (b.takenAt ?? 0) - (a.takenAt ?? 0) || (a.name < b.name ? 1 : -1));
}

interface Marked {
  readonly snapshot: OwnedSnapshot;
  readonly mark: SnapshotMark;
}

interface Around {
  readonly zvols: ReadonlyMap<string, string | null>;
  readonly vms: readonly Vm[];
  readonly clonesOf: (snapshot: string) => readonly string[];
}

function toCheckpoint(own: readonly Marked[], around: Around): Checkpoint {
  const [first] = own;
  if (first === undefined) throw new TypeError("A checkpoint without snapshots");
  const { name, note, operation, vms: wanted } = first.mark;
  const byVm = Map.groupBy(own, ({ mark: { vm } }) => JSON.stringify([vm.uuid, vm.name]));
  const vms = [...byVm.values()].map((some) => toVm(some, around));
  const sizes = own.map(({ snapshot }) => snapshot.usedBytes);
  const isWhole = vms.length >= wanted &&
    own.every(({ mark }) =>
      mark.zvols.every((zvol) => own.some(({ snapshot }) => sourceOf(snapshot.name) === zvol))
    );
  return {
    name,
    note,
    operation,
    takenAt: first.snapshot.takenAt,
    usedBytes: sizes.some((size) => size === null)
      ? null
      : sizes.reduce((sum: number, size) => sum + (size ?? 0), 0),
    wanted,
    isWhole,
    vms: vms.toSorted((a, b) => a.name < b.name ? -1 : 1),
  };
}

function toVm(own: readonly Marked[], { zvols, vms, clonesOf }: Around): CheckpointVm {
  const [first] = own;
  if (first === undefined) throw new TypeError("A VM without snapshots");
  const { vm: { name, uuid }, running } = first.mark;
  const present = vms.find((vm) => uuid === null ? vm.name === name : vm.uuid === uuid) ?? null;
  return {
    name,
    uuid,
    vmId: present?.id ?? null,
    nameNow: present?.name ?? null,
    running,
    snapshots: own.map(({ snapshot }) => toSnapshot(snapshot, clonesOf)),
    changes: changesSince(first.mark, present, new Set(zvols.keys())),
  };
}

function toSnapshot(
  { name, createtxg, usedBytes, holds }: OwnedSnapshot,
  clonesOf: Around["clonesOf"],
): CheckpointSnapshot {
  return { name, zvol: sourceOf(name), createtxg, usedBytes, holds, clones: clonesOf(name) };
}
