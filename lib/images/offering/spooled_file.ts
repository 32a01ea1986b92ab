/**
 * A file that waits to be fetched. rclone asks for the size first and fetches large files in several parts at once, and gives
 * up a part that stays silent for five minutes, so an image is complete, and its digest right, before it is offered. It lies on
 * the disk, not in memory, under no name: it is gone when the program ends, however that happens.
 */
import { open, unlink } from "node:fs/promises";
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

const PIECE_BYTES = 256 * 1024;

/**
 * Writes what arrives to the disk.
 *
 * @throws what the stream ends with, and a {@link TrueNASError} when it cannot be written.
 */
export async function spool(
  arriving: ReadableStream<Uint8Array>,
  { folder, onBytes = () => {} }: { readonly folder: string; readonly onBytes?: (bytes: number) => void },
): Promise<SpooledFile> {
  const path = `${folder}/fetch-${crypto.randomUUID()}`;
  const file = await explained(folder, async () => {
    const opened = await open(path, "wx+", 0o600);
    await unlink(path);
    return opened;
  }).catch(async (error) => {
    await arriving.cancel(error);
    throw error;
  });
  let sizeBytes = 0;
  try {
    for await (const piece of arriving) {
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

async function explained<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const message = `The image cannot be kept in ${folder} until the NAS fetches it: ${reasonOf(cause)}`;
    throw new TrueNASError(message, { cause });
  }
}
