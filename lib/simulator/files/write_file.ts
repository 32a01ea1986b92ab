/** filesystem.put's way of writing: as root, anywhere, and up to 25.10 even onto the device of a zvol. */
import { datasetAt, folderOf, isFolder, realPath } from "./paths.ts";
import { ReceivedFile } from "./stored_file.ts";
import type { Nas } from "../nas.ts";
import { poolFreeBytes, zvolAt } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, plainException } from "../wire/wire_errors.ts";
import { overwrite } from "../zfs/zfs.ts";

const FULL = "[Errno 28] No space left on device";

/** Options of filesystem.put. */
export interface PutOptions {
  readonly append: boolean;
}

/** Writes chunks to a path, or throws Python's own exceptions. */
export async function writeFile(
  nas: Nas,
  given: string,
  { append }: PutOptions,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const zvol = zvolAt(given);
  checkLinks(nas, given, zvol !== null && nas.store.datasets.has(zvol));
  if (zvol !== null && nas.store.datasets.has(zvol)) return await writeZvol(nas, zvol, append, chunks);
  const path = realPath(nas.store, given);
  checkTarget(nas, path);
  const before = append ? nas.store.files.get(path) ?? null : null;
  const received = new ReceivedFile(before);
  for await (const chunk of chunks) {
    received.add(chunk);
    nas.store.files.set(path, received.part());
    if (poolFreeBytes(nas.store) < 0) throw plainException("OSError", FULL);
  }
  nas.store.files.set(path, received.end());
}

/** From 26 on no part of a path is a link, which the device of a zvol is too. */
function checkLinks({ store, profile }: Nas, path: string, isDevice: boolean): void {
  if (profile.zfs === "classic" || (!isDevice && realPath(store, path) === path)) return;
  throw plainException("SymlinkInPathError", `[Errno 40] Symlink detected in path: '${path}'`);
}

function checkTarget({ store }: Nas, path: string): void {
  if (isFolder(store, path)) {
    throw plainException("IsADirectoryError", `[Errno 21] Is a directory: '${path}'`);
  }
  for (let folder = folderOf(path); folder !== ""; folder = folderOf(folder)) {
    if (store.files.has(folder)) {
      throw plainException("NotADirectoryError", `[Errno 20] Not a directory: '${path}'`);
    }
  }
  const dataset = datasetAt(store, path);
  if (dataset?.isLocked === true) {
    const text = `Unable to put contents at '${path}' as the path exists on a locked dataset`;
    throw callError(ERRNO.EINVAL, text);
  }
  if (dataset?.isReadonly === true) {
    throw plainException("OSError", `[Errno 30] Read-only file system: '${path}'`);
  }
}

/** Onto the block device, which cannot grow. */
async function writeZvol(
  { store }: Nas,
  name: string,
  append: boolean,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const dataset = store.datasets.get(name);
  if (dataset === undefined || append) throw plainException("OSError", FULL);
  const received = new ReceivedFile();
  for await (const chunk of chunks) {
    if (received.sizeBytes + chunk.length > dataset.volsizeBytes) throw plainException("OSError", FULL);
    received.add(chunk);
    overwrite(store, dataset, received.part().content, received.sizeBytes);
  }
  overwrite(store, dataset, received.end().content, received.sizeBytes);
}
