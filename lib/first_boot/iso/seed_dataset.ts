/**
 * Names of the datasets in which seeds lie that guests get by disk: one for each VM, because no API deletes a file. The dataset's
 * properties name the VM, and decide whether it is removed. Pure.
 */
import type { Vm } from "../../inventory/inventory.ts";

const FILE = "seed.iso";
const SEED_DATASET = /\/seed-[A-Za-z0-9_]+-[0-9a-f]{8}$/;

/** The same for a filter of TrueNAS, which compares from the beginning of a name. */
export const SEED_DATASETS = `.*${SEED_DATASET.source.replaceAll("\\/", "/")}`;

/** The dataset of a VM's seed, within the dataset of images. A VM that is made again has another uuid, and thus another one. */
export function seedDataset(
  images: string,
  { name, uuid }: { readonly name: string; readonly uuid: string },
): string {
  return `${images}/seed-${name}-${uuid.toLowerCase().replaceAll("-", "").slice(0, 8)}`;
}

/** The seed's path on the NAS. */
export function seedPath(dataset: string): string {
  return `/mnt/${dataset}/${FILE}`;
}

/** The dataset of the seed at this path; null for every other image. */
export function seedDatasetOf(path: string): string | null {
  const [, dataset] = /^\/mnt\/(.+)\/seed\.iso$/.exec(path) ?? [];
  return dataset !== undefined && isSeedDataset(dataset) ? dataset : null;
}

/** The dataset of the seed that a VM has on a CD-ROM; null when it has none. */
export function seedDatasetOfVm({ seedDisk }: Pick<Vm, "seedDisk">): string | null {
  return seedDisk == null ? null : seedDatasetOf(seedDisk.path);
}

/** Whether a dataset has the name of a seed's. */
export function isSeedDataset(dataset: string): boolean {
  return SEED_DATASET.test(dataset);
}
