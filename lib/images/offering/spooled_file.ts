/**
 * A file that waits to be fetched. rclone asks for the size first and fetches large files in several parts at once, and gives
 * up a part that stays silent for five minutes, so an image is complete, and its digest right, before it is offered. It lies on
 * the disk, not in memory, under no name: it is gone when the program ends, however that happens.
 */
import { open, statfs, unlink } from "node:fs/promises";
import { TrueNASError } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";

/** See the file's comment. */
export interface SpooledFile {
  readonly sizeBytes: number;
  /** The bytes from one position up to another. */
  read(from: number, to: number): AsyncGenerator<Uint8Array>;
  /** Frees the disk. */
  close(): Promise<void>;
}

/** Where a file waits, and who is told how much of it there is. */
export interface SpoolOptions {
  readonly folder: string;
  readonly onBytes?: (bytes: number) => void;
  /** How many bytes of a folder's disk are free for this program; the default asks the system. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

const PIECE_BYTES = 256 * 1024;
const GIB = 1024 ** 3;
/** Remains free on the disk, because the journal is on it too, and no step is made that cannot be recorded. */
const RESERVED_GIB = 1;
/** The disk is looked at again after so many bytes, far less than what is reserved. */
const LOOK_BYTES = 16 * 1024 ** 2;

/**
 * Writes what arrives to the disk.
 *
 * @throws what the stream ends with, and a {@link TrueNASError} when it cannot be written.
 */
export async function spool(
  arriving: ReadableStream<Uint8Array>,
  { folder, onBytes = () => {}, freeBytes = freeBytesOf }: SpoolOptions,
): Promise<SpooledFile> {
  const path = `${folder}/fetch-${crypto.randomUUID()}`;
  const file = await explained(folder, async () => {
    await expectReserve(folder, freeBytes);
    const opened = await open(path, "wx+", 0o600);
    await unlink(path);
    return opened;
  }).catch(async (error) => {
    await arriving.cancel(error);
    throw error;
  });
  let sizeBytes = 0;
  let lookAt = LOOK_BYTES;
  try {
    for await (const piece of arriving) {
      if (sizeBytes >= lookAt) {
        await explained(folder, () => expectReserve(folder, freeBytes));
        lookAt = sizeBytes + LOOK_BYTES;
      }
      // A disk that is nearly full takes a part of a piece.
      for (let at = 0; at < piece.length;) {
        const { bytesWritten } = await explained(
          folder,
          () => file.write(piece, at, piece.length - at, sizeBytes),
        );
        at += bytesWritten;
        sizeBytes += bytesWritten;
      }
      onBytes(sizeBytes);
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    sizeBytes,
    async *read(from, to) {
      for (let at = from; at < to;) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, to - at));
        const { bytesRead } = await file.read(piece, 0, piece.length, at);
        if (bytesRead === 0) throw new Error("the file is shorter than it was");
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    },
    close: () => file.close(),
  };
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

async function expectReserve(folder: string, freeBytes: (folder: string) => Promise<number>): Promise<void> {
  if (await freeBytes(folder) >= RESERVED_GIB * GIB) return;
  throw new Error(
    `its disk has less than ${RESERVED_GIB} GiB free, which is kept for the journal; ` +
      "free some space, or set STATE_DIR to a folder of a larger disk",
  );
}

async function explained<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const message = `The image cannot be kept in ${folder} until the NAS fetches it: ${reasonOf(cause)}`;
    throw new TrueNASError(message, { cause });
  }
}
