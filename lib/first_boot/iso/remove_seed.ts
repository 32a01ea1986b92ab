/** Removes seeds that guests got by disk. Only a dataset that names the VM in its properties goes. */
import { isRefusedWith, isTransient } from "../../errors/refusals.ts";
import type { Step, StepCalls, StepContext } from "../../operations/steps/run_step.ts";
import { expectKnown, fetchDatasets, fetchDiskUsers } from "../../truenas/batched_reads.ts";

/** A seed to remove, and the VM that it was made for. */
export interface SeedToRemove {
  /** `tank/images/seed-worker01-1a2b3c4d` */
  readonly dataset: string;
  readonly uuid: string | null;
}

/**
 * What became of a seed. `refused`: the account may not remove datasets. `used`: another VM has the CD-ROM, such as a clone.
 * `none`: it is gone, or another VM's.
 */
export type SeedRemoval = "removed" | "none" | "refused" | "used";

/** Removes the dataset once the VM, or its CD-ROM, is gone. */
export function removeSeedStep(context: Pick<StepContext, "caller">, seed: SeedToRemove): Step<SeedRemoval> {
  return {
    step: "remove-seed",
    method: "pool.dataset.query",
    makes: seed.dataset,
    call: (calls) => removeSeed(context, calls, seed),
    verify: null,
    detail: (removal) => describeRemoval(removal, seed),
  };
}

/** What became of a seed, as a part of a sentence. */
export function describeRemoval(removal: SeedRemoval, { dataset }: SeedToRemove): string {
  switch (removal) {
    case "removed":
      return `${dataset} removed`;
    case "none":
      return "nothing was left";
    case "used":
      return `${dataset} with the first configuration (seed) stays, because another VM has it on a CD-ROM`;
    case "refused":
      return `${dataset} with the first configuration (seed) stays, because the account needs the role ` +
        "DATASET_DELETE to remove it; remove it in TrueNAS";
  }
}

/**
 * Looks at the dataset, and removes it if it names the VM.
 *
 * @throws {TrueNASError} when it cannot be read, or the NAS does not remove it.
 */
export async function removeSeed(
  { caller }: Pick<StepContext, "caller">,
  calls: Pick<StepCalls, "next" | "send">,
  { dataset, uuid }: SeedToRemove,
): Promise<SeedRemoval> {
  const read = async () => expectKnown(await fetchDatasets(caller, [dataset]))[0];
  const mark = (await read())?.mark ?? null;
  if (mark === null || uuid === null || mark.vm !== uuid) return "none";
  // TrueNAS stops VMs whose files it removes.
  if ((await fetchDiskUsers(caller, [dataset])).length > 0) return "used";
  await calls.next("pool.dataset.delete");
  const isGone = async () => await read() === undefined || null;
  try {
    await calls.send(() => caller.call("pool.dataset.delete", [dataset, { recursive: false }]), isGone, {
      passes: isTransient,
    });
    return "removed";
  } catch (error) {
    if (isRefusedWith(error, "EACCES")) return "refused";
    throw error;
  }
}
