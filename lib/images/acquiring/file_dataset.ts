/** The dataset of an image's file: made before the file, marked whole after it, and removed when the file never became whole. */
import { TrueNASError } from "../../errors/errors.ts";
import { isFileMissing, isTransient } from "../../errors/refusals.ts";
import type { StepCalls } from "../../operations/steps/run_step.ts";
import { expectKnown, fetchDatasets } from "../../truenas/batched_reads.ts";
import type { Caller } from "../../truenas/client.ts";
import { FILE_PROPERTIES, fileDataset, type ImageFile, readImageFile } from "./image_files.ts";

/** How a dataset is worked on. */
export interface DatasetWork {
  /** Goes on when the user cancels. */
  readonly caller: Caller;
  readonly calls: StepCalls;
  /** Id of the operation. */
  readonly operation: string;
  /** Notes the dataset before it is created, so that it is journalled with the call. */
  readonly note: (dataset: string) => void;
}

/** Which image, and where. */
export interface ImagePlace {
  /** The dataset of images: `tank/images`. */
  readonly dataset: string;
  /** The image's name. */
  readonly name: string;
}

/** A file that arrived. */
export interface ArrivedFile {
  readonly path: string;
  readonly bytes: number;
  readonly digest: string;
  readonly format: string;
  readonly virtualBytes: number | null;
  readonly from: string;
}

/** What is known of operations that left a file unfinished. */
export interface Earlier {
  /** Whether an operation is one of this program's, which runs no longer. */
  readonly isKnown: (operation: string) => boolean;
  /** Removes what else it left. */
  readonly onTakeOver: (operation: string) => Promise<void>;
}

/**
 * Makes the dataset of a new file, or takes over the one that an operation of this program left unfinished.
 *
 * @param wanted The digest that a file that is there already may have; null: none is known, so none may be there.
 * @returns the file that is there already; null when it has to be fetched.
 * @throws {TrueNASError} when something else is there.
 */
export async function prepareDataset(
  work: DatasetWork,
  place: ImagePlace,
  { wanted, isKnown, onTakeOver }: Earlier & { readonly wanted: string | null },
): Promise<ImageFile | null> {
  const { caller, operation } = work;
  const own = fileDataset(place.dataset, place.name);
  const file = await readImageFile(caller, place.dataset, place.name);
  if (file === null && await exists(caller, own)) {
    throw new TrueNASError(
      `The dataset ${own} exists, and this program did not make it; rename it on the NAS`,
    );
  }
  if (file?.path != null) {
    if (file.digest === wanted) return file;
    throw new TrueNASError(
      `There is another image ${place.name} already (SHA-256 ${file.digest}); remove it first, or choose another name`,
    );
  }
  if (file === null) await createDataset(work, place);
  else if (file.operation !== operation) await takeOver(work, file, { isKnown, onTakeOver });
  else work.note(own);
  return null;
}

async function createDataset(work: DatasetWork, { dataset, name }: ImagePlace): Promise<void> {
  const { caller, calls, operation } = work;
  const own = fileDataset(dataset, name);
  if (!await exists(caller, dataset)) {
    await calls.next("pool.dataset.create");
    const isThere = async () => await exists(caller, dataset) ? { id: dataset } : null;
    const parent = { name: dataset, type: "FILESYSTEM" };
    await calls.send(() => caller.call("pool.dataset.create", [parent]), isThere);
  }
  work.note(own);
  await calls.next("pool.dataset.create");
  const properties = [{ key: FILE_PROPERTIES.operation, value: operation }];
  const spec = { name: own, type: "FILESYSTEM", user_properties: properties };
  const isOurs = async () =>
    (await readImageFile(caller, dataset, name))?.operation === operation ? { id: own } : null;
  await calls.send(() => caller.call("pool.dataset.create", [spec]), isOurs);
}

/** What an interrupted operation has left is fetched anew; the operation of another program may still run. */
async function takeOver(
  { caller, calls, operation, note }: DatasetWork,
  { dataset, name, operation: earlier }: ImageFile,
  { isKnown, onTakeOver }: Earlier,
): Promise<void> {
  if (earlier !== null && !isKnown(earlier)) {
    throw new TrueNASError(
      `The image ${name} is being fetched by the operation ${earlier} of another program; if that has ended, delete the dataset ${dataset} on the NAS`,
    );
  }
  if (earlier !== null) await onTakeOver(earlier);
  note(dataset);
  await calls.next("pool.dataset.update");
  const change = [{ key: FILE_PROPERTIES.operation, value: operation }];
  const parent = dataset.slice(0, dataset.lastIndexOf("/"));
  const isOurs = async () => (await readImageFile(caller, parent, name))?.operation === operation || null;
  await calls.send(
    () => caller.call("pool.dataset.update", [dataset, { user_properties_update: change }]),
    isOurs,
  );
}

/**
 * Compares the file on the NAS with what was sent, and marks the dataset whole.
 *
 * @throws {TrueNASError} when the NAS has another file, as after a transfer that fetched nothing.
 */
export async function finishDataset(
  { caller, calls }: DatasetWork,
  { dataset, name }: ImagePlace,
  { path, bytes, digest, format, virtualBytes, from }: ArrivedFile,
): Promise<void> {
  const found = await statOf(caller, path);
  if (found?.size !== bytes) {
    const is = found === null ? "is not there" : `has ${found.size} bytes`;
    throw new TrueNASError(`${path} ${is}, and ${bytes} bytes were sent; the image is not used`);
  }
  const values = {
    path,
    digest,
    format,
    from,
    version: versionOf(found),
    ...(virtualBytes === null ? {} : { size: String(virtualBytes) }),
  };
  const change = [
    ...Object.entries(values).map(([key, value]) => ({
      key: FILE_PROPERTIES[key as keyof typeof values],
      value,
    })),
    { key: FILE_PROPERTIES.operation, remove: true as const },
  ];
  await calls.next("pool.dataset.update");
  const isWhole = async () => {
    const file = await readImageFile(caller, dataset, name);
    return file?.path === path && file.operation === null ? true : null;
  };
  const update = () =>
    caller.call("pool.dataset.update", [fileDataset(dataset, name), { user_properties_update: change }]);
  await calls.send(update, isWhole);
}

/** Size and time of a file, which are another when it was changed. */
export function versionOf(
  { size, mtime }: { readonly size?: number | null; readonly mtime?: number | null },
) {
  return `${size ?? 0} ${mtime ?? 0}`;
}

/** What the NAS says of a file; null when it does not exist. */
export async function statOf(caller: Caller, path: string) {
  try {
    return await caller.call("filesystem.stat", [path]);
  } catch (error) {
    if (isFileMissing(error)) return null;
    throw error;
  }
}

/**
 * Removes the dataset of a file that never became whole. Looks again first: it is left alone when it is not, or no longer,
 * one that this operation was filling.
 *
 * @returns whether it was removed.
 */
export async function removeUnfinished(
  { caller, calls }: Pick<DatasetWork, "caller" | "calls">,
  own: string,
  operation: string,
): Promise<boolean> {
  const parent = own.slice(0, own.lastIndexOf("/"));
  const name = own.slice(fileDataset(parent, "").length);
  const file = await readImageFile(caller, parent, name);
  if (file === null || file.path !== null || file.operation !== operation) return false;
  await calls.next("pool.dataset.delete");
  const isGone = async () => !await exists(caller, own) || null;
  await calls.send(() => caller.call("pool.dataset.delete", [own, { recursive: false }]), isGone, {
    passes: isTransient,
  });
  return true;
}

async function exists(caller: Caller, name: string): Promise<boolean> {
  return expectKnown(await fetchDatasets(caller, [name])).length > 0;
}
