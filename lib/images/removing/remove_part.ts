/** Removes one zvol or filesystem of an image: checks it first, promotes a clone where that was chosen, and verifies the removal. */
import { TrueNASError } from "../../errors/errors.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import { Cancelled, runStep, type Step } from "../../operations/steps/run_step.ts";
import { runVm, type VmContext } from "../../operations/steps/run_vm.ts";
import {
  expectAsShown,
  hasSnapshots,
  type RemovalContext,
  removalContext,
  removeSnapshots,
  zvolsStep,
} from "../../operations/steps/zvol_removal.ts";
import type { Caller } from "../../truenas/client.ts";
import { expectKnown, fetchRelations } from "../../truenas/batched_reads.ts";
import { readVms } from "../../truenas/read_inventory.ts";
import { readImageRow } from "../listing/read_image_list.ts";
import { type Promotion, type RemovedPart, signatureOf } from "./plan.ts";

/** The steps, in order. */
export function partRemovalSteps(part: RemovedPart): readonly string[] {
  return [
    "verify",
    ...(part.promotion === null ? [] : ["promote"]),
    ...(hasSnapshots([part]) ? ["snapshots"] : []),
    "delete",
    "check",
  ];
}

/** Removes the part. Never throws; the log contains the result. */
export async function removeImagePart(context: VmContext, part: RemovedPart): Promise<void> {
  const { name, blocked, promotion } = part;
  const removal = removalContext({ ...context, vmName: name }, context.cancellable);
  let promoted = false;
  await runVm(removal, {
    run: async () => {
      if (blocked.length > 0) throw new TrueNASError(`Not removed: ${blocked.join("; ")}`);
      if (context.signal.aborted) throw new Cancelled();
      const exists = await runStep(removal, verifyStep(context, part));
      if (!exists) return { outcome: "already-gone", message: "Already gone" };
      if (promotion !== null) {
        await runStep(removal, promoteStep(removal, part, promotion));
        promoted = true;
      }
      const left = await independent(removal, part);
      await removeSnapshots(removal, [left]);
      await runStep(removal, zvolsStep(removal, { step: "delete", zvols: [left] }));
      return { outcome: "destroyed", message: await runStep(removal, checkStep(context, part)) };
    },
    onFailure: ({ message, cancelled }) => {
      const state = promoted && promotion !== null
        ? `${promotion.clone} holds the image's data now, and ${name} is left`
        : `${name} was not changed`;
      if (cancelled) return { outcome: "cancelled", message: `Cancelled; ${state}` };
      return { outcome: "failed", message: promoted ? `${message}. ${state}; remove it again` : message };
    },
  });
}

/** Verifies that it is still what was shown: ours, used by no VM, and without new dependents. */
function verifyStep({ caller }: VmContext, part: RemovedPart): Step<boolean> {
  return {
    step: "verify",
    method: "pool.dataset.query",
    call: async () => {
      const [row, vms] = await Promise.all([readImageRow(caller, part.name), readVms(caller)]);
      const folder = `/mnt/${part.name}/`;
      const user = vms.find(({ disks, cdroms }) =>
        disks.some(({ zvol, path }) => zvol === part.name || path.startsWith(folder)) ||
        cdroms.some(({ path }) => path.startsWith(folder))
      );
      if (user !== undefined) {
        throw new TrueNASError(`${user.name} now uses ${part.name}. It was not changed`);
      }
      if (row === null) return false;
      if (row.type !== part.type || signatureOf(row) !== part.signature) {
        const text =
          `${part.name} has changed since the list was shown. It was not changed; open Images again`;
        throw new TrueNASError(text);
      }
      await expectNoNewClones(caller, part);
      return true;
    },
    verify: null,
    detail: (exists) => exists ? "used by no VM" : "no longer exists",
  };
}

async function expectNoNewClones(caller: Caller, part: RemovedPart): Promise<void> {
  if (part.promotion === null) return await expectAsShown(caller, [part], part.name);
  const { clones, snapshots } = await fetchRelations(caller, [part.name]);
  const shown = new Set(part.dependants.map(({ zvol }) => zvol));
  const other = expectKnown(clones).find(({ zvol }) => !shown.has(zvol));
  const again = `It was not changed; open Images again`;
  if (other !== undefined) {
    throw new TrueNASError(`${other.zvol} was cloned from ${part.name} after the list was shown. ${again}`);
  }
  const names = new Set((part.snapshots ?? []).map(({ name }) => name));
  const added = expectKnown(snapshots).find(({ name }) => !names.has(name));
  if (added !== undefined) {
    throw new TrueNASError(`The snapshot ${added.name} appeared after the list was shown. ${again}`);
  }
}

/**
 * The clone takes over the snapshot that it was made from, and the image's zvol becomes a clone of it, which nothing depends on.
 * Recorded on TrueNAS: facts on clones, `pool.dataset.promote`.
 */
function promoteStep(
  { caller, writer }: RemovalContext,
  { name }: RemovedPart,
  { clone, origin }: Promotion,
): Step<void> {
  return {
    step: "promote",
    method: "pool.dataset.promote",
    makes: `${clone}, which takes over the data of ${name}`,
    call: async ({ send }) => {
      const row = await readImageRow(caller, clone);
      // An earlier run was interrupted after its call.
      if (row !== null && row.origin === null) return;
      if (row?.origin !== origin) {
        throw new TrueNASError(
          `${clone} is no longer a clone of ${name}. Nothing was changed; open Images again`,
        );
      }
      const isPromoted = async () => {
        const found = await readImageRow(caller, clone);
        return found !== null && found.origin !== origin || null;
      };
      await send(async () => {
        await writer().call("pool.dataset.promote", [clone]);
        return true;
      }, isPromoted);
    },
    verify: null,
    detail: () => `${clone} no longer depends on ${name}`,
  };
}

/** The part as it is now, if nothing depends on it: a promoted clone has taken snapshots over. */
async function independent({ caller }: RemovalContext, part: RemovedPart): Promise<RemovedPart> {
  if (part.promotion === null) return part;
  const { snapshots, clones } = await fetchRelations(caller, [part.name]);
  const [clone] = expectKnown(clones);
  if (clone !== undefined) {
    throw new TrueNASError(`${clone.zvol} still depends on ${sourceOf(clone.origin)}, so it was not removed`);
  }
  const present = new Set(expectKnown(snapshots).map(({ name }) => name));
  return {
    ...part,
    snapshots: (part.snapshots ?? []).filter(({ name }) => present.has(name)),
    dependants: [],
  };
}

function checkStep({ caller }: VmContext, { name }: RemovedPart): Step<string> {
  return {
    step: "check",
    method: "pool.dataset.query",
    call: async () => {
      if (await readImageRow(caller, name) === null) return "Removed";
      throw new TrueNASError(`${name} still exists`);
    },
    verify: null,
    detail: (result) => result,
  };
}
