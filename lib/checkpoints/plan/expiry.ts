/** Which earlier checkpoints of a VM expire when a new one is taken. Pure. */
import type { Vm } from "../../inventory/inventory.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { Keeping } from "./facts.ts";
import type { SnapshotToRemove } from "./plans.ts";

const DAY_MS = 24 * 60 * 60_000;

/**
 * The snapshots of a VM's checkpoints that are too many or too old once there is a new one. Held ones, and those that
 * something was cloned from, stay and count all the same.
 */
export function expiredOf(
  vm: Pick<Vm, "uuid" | "name">,
  checkpoints: readonly Checkpoint[],
  { keep = Infinity, days = Infinity }: Keeping,
  now: number,
): readonly SnapshotToRemove[] {
  const own = checkpoints.flatMap(({ takenAt, vms }) =>
    vms.filter(({ uuid, name }) => uuid === null ? name === vm.name : uuid === vm.uuid)
      .map(({ snapshots }) => ({ takenAt, snapshots }))
  ).toSorted((a, b) => (b.takenAt ?? Infinity) - (a.takenAt ?? Infinity));
  const isExpired = ({ takenAt }: (typeof own)[number], index: number) =>
    // The new one is the first that is kept.
    index + 1 >= keep || (takenAt !== null && now - takenAt > days * DAY_MS);
  return own.filter(isExpired).flatMap(({ snapshots }) =>
    snapshots.filter(({ holds, clones }) => holds.length === 0 && clones.length === 0)
      .map(({ name, createtxg }) => ({ name, createtxg }))
  );
}
