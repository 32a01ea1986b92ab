/** Clones a snapshot as the zvol of a disk, which is marked at birth, and grows it. */
import { TrueNASError } from "../errors/errors.ts";
import { readDisks } from "./read_images.ts";
import { ownerProperties } from "../inventory/marks.ts";
import { expectKnown, fetchDatasets } from "../truenas/batched_reads.ts";
import type { CreatedResources } from "../operations/steps/created_resources.ts";
import type { StepCalls, StepContext } from "../operations/steps/run_step.ts";

/** A zvol to clone. */
export interface NewClone {
  /** The zvol to make. */
  readonly zvol: string;
  /** The snapshot that it has the data of. */
  readonly snapshot: string;
  /** The uuid of its VM. */
  readonly owner: string;
}

/** Marked at birth: the properties come with the clone. One that is there already is left as it is. */
export async function cloneZvol(
  context: StepContext & { readonly created: CreatedResources },
  calls: StepCalls,
  { zvol, snapshot, owner }: NewClone,
): Promise<void> {
  const { caller, created, log } = context;
  const markOf = async () => expectKnown(await fetchDatasets(caller, [zvol]))[0]?.mark ?? null;
  const present = (await readDisks(caller, [zvol])).get(zvol);
  if (present !== undefined) {
    const mark = await markOf();
    const isOurs = mark?.operation === log.id || mark?.vm === owner;
    if (isOurs && present.origin === snapshot) return;
    throw new TrueNASError(`The zvol ${zvol} already exists; rename or delete it on the NAS`);
  }
  created.zvols.set(zvol, { marked: true, answered: false });
  await calls.next("pool.snapshot.clone");
  const properties = Object.fromEntries(ownerProperties(owner, log.id).map(({ key, value }) => [key, value]));
  const spec = { snapshot, dataset_dst: zvol, dataset_properties: properties };
  const verify = async () => (await markOf())?.operation === log.id || null;
  await calls.send(() => caller.call("pool.snapshot.clone", [spec]), verify);
}

/** The guest sees the size when it starts. */
export async function growZvol(
  { caller }: StepContext,
  calls: StepCalls,
  { zvol, sizeBytes, force }: { readonly zvol: string; readonly sizeBytes: number; readonly force: boolean },
): Promise<void> {
  const hasSize = async () =>
    expectKnown(await fetchDatasets(caller, [zvol])).some(({ volsizeBytes }) =>
      (volsizeBytes ?? 0) >= sizeBytes
    ) || null;
  if (await hasSize()) return;
  await calls.next("pool.dataset.update");
  const change = { volsize: sizeBytes, ...(force ? { force_size: true as const } : {}) };
  await calls.send(() => caller.call("pool.dataset.update", [zvol, change]), hasSize);
}
