/** Removes the zvols of one VM beside each other: with their devices before it, or by name after it. */
import { TrueNASCallError } from "../errors.ts";
import type { Vm } from "../inventory.ts";
import type { DestructionVm } from "../plan/types.ts";
import type { Caller } from "../truenas/client.ts";
import { lookAtDatasets, lookAtVm } from "../truenas/looks.ts";
import { formatCount } from "../units.ts";
import type { OperationLog } from "./log.ts";
import { NotSent } from "./pace.ts";
import { runStep, type SettleTimes } from "./steps.ts";

/** What they are removed with. */
export interface RemovalsContext {
  readonly caller: Caller;
  /** Its writes that still wait for their turn are given up when the person cancels. */
  readonly going: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimes;
}

/**
 * Removes the disks whose zvols were shown, each with its zvol. What the NAS refuses to remove so (a zvol with
 * snapshots, an account without the right), or what waits when others are removed and the person cancels, is left to
 * vm.delete, which takes those too or says why not.
 *
 * @returns the zvols that are left, and how many are not.
 * @throws {NotSent} when the person cancelled before any was removed.
 */
export async function removeDisks(context: RemovalsContext, vm: DestructionVm, found: Vm): Promise<Removed> {
  const { caller, going, log } = context;
  const meant = new Set(vm.zvols.map(({ name }) => name));
  const disks = found.disks.flatMap(({ zvol, deviceId }) =>
    zvol !== null && meant.has(zvol) ? [{ zvol, deviceId }] : []
  );
  if (disks.length === 0) {
    log.append({ type: "step", vm: vm.name, step: "disks", status: "skipped", detail: "it has none" });
    return { left: [], count: 0 };
  }
  const options = { zvol: true, raw_file: false, force: false };
  return await removeEach(context, vm, {
    step: "disks",
    method: "vm.device.delete",
    zvols: disks.map(({ zvol }) => zvol),
    remove: (n) => going.call("vm.device.delete", [disks[n]?.deviceId ?? NaN, options]),
    isGone: async () => {
      const now = await lookAtVm(caller, vm.id);
      return disks.every(({ deviceId }) => !now?.disks.some((disk) => disk.deviceId === deviceId));
    },
    leftTo: "vm.delete",
  });
}

/** Removes the zvols of a VM that is gone. What the NAS refuses is left to the check, which tries once more. */
export async function removeByName(context: RemovalsContext, vm: DestructionVm): Promise<void> {
  const { caller } = context;
  const zvols = vm.zvols.map(({ name }) => name);
  await removeEach(context, vm, {
    step: "zvols",
    method: "pool.dataset.delete",
    zvols,
    remove: (n) => caller.call("pool.dataset.delete", [zvols[n] ?? "", { recursive: true }]),
    isGone: async () => {
      const now = await lookAtDatasets(caller, zvols);
      return now.known && now.value.length === 0;
    },
    leftTo: "the check",
  });
}

/** Zvols, and how each is removed. */
interface Removals {
  readonly step: "disks" | "zvols";
  readonly method: "vm.device.delete" | "pool.dataset.delete";
  readonly zvols: readonly string[];
  /** Removes the one of this index. */
  readonly remove: (n: number) => Promise<unknown>;
  /** Whether all are gone, as is seen on the NAS. */
  readonly isGone: () => Promise<boolean>;
  /** What takes care of those that are refused. */
  readonly leftTo: string;
}

/** What became of them. */
export interface Removed {
  /** Those that the NAS refused to remove, or that were not asked for any more. */
  readonly left: readonly string[];
  /** How many were removed. */
  readonly count: number;
}

/** Removes zvols beside each other. */
async function removeEach(
  { log, settle }: RemovalsContext,
  vm: DestructionVm,
  { step, method, zvols, remove, isGone, leftTo }: Removals,
): Promise<Removed> {
  const { left, count } = await runStep(log, {
    vm: vm.name,
    step,
    method,
    makes: zvols.join(", "),
    run: async (next) => {
      await Promise.all(zvols.slice(1).map(() => next(method)));
      const ends = await Promise.allSettled(zvols.map((_, n) => remove(n)));
      const failures = ends.flatMap((end, n) =>
        end.status === "rejected" ? [{ zvol: zvols[n] ?? "", error: end.reason }] : []
      );
      const errors = failures.map(({ error }) => error);
      if (errors.length === zvols.length && errors.every((error) => error instanceof NotSent)) {
        throw errors[0];
      }
      const others = errors.filter((error) =>
        !(error instanceof TrueNASCallError || error instanceof NotSent)
      );
      // One that may have happened tells what is known of the step, whatever became of the others.
      if (others.length > 0) throw others.find((error) => error.outcome === "unknown") ?? others[0];
      const left = failures.map(({ zvol, error }) => ({ zvol, because: error.message }));
      return { left, count: zvols.length - left.length };
    },
    look: async () => await isGone() ? { left: [], count: zvols.length } : null,
    detail: ({ left, count }) =>
      [
        formatCount(count, "zvol"),
        ...left.map(({ zvol, because }) => `${zvol} is left to ${leftTo}, because ${because}`),
      ].join("; "),
  }, settle);
  return { left: left.map(({ zvol }) => zvol), count };
}
