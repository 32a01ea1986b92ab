/** The disk of the NAS, where this program runs on the NAS itself. Nothing else in the library touches the file system of images. */
import { open, stat, unlink, writeFile } from "node:fs/promises";
import { runtime } from "../../runtime/runtime.ts";
import { isMissing, reasonOf } from "../../errors/system_errors.ts";

/** Files below the folders of the NAS. */
export interface LocalDisk {
  /**
   * Why files cannot be written to a folder; null when they can.
   *
   * @param options Whether that is tried with a file, which operations do; pages and plans only look.
   */
  whyNotWritable(folder: string, options: { readonly isTried: boolean }): Promise<string | null>;
  /** Writes a file anew, and returns its size. */
  write(path: string, chunks: AsyncIterable<Uint8Array>, onChunk: () => void): Promise<number>;
  /** The first bytes of a file. */
  readHead(path: string, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Readable by everybody, because the process of a VM is nobody's. */
const MODE = 0o644;

/** The disk of this machine. */
export const LOCAL_DISK: LocalDisk = {
  whyNotWritable: async (folder, { isTried }) => {
    if (!await runtime.mayWrite(folder)) {
      return `the program may not write to ${folder}; without READ_ONLY, a restart gives it the permission`;
    }
    const probe = `${folder}/.truenas-vm-manager-${crypto.randomUUID()}`;
    try {
      if (!isTried) {
        await stat(folder);
        return null;
      }
      await writeFile(probe, "", { flag: "wx" });
      await unlink(probe);
      return null;
    } catch (error) {
      // The dataset is made with the first image.
      if (isMissing(error)) return null;
      return reasonOf(error);
    }
  },
  write: async (path, chunks, onChunk) => {
    await using file = await open(path, "w", MODE);
    let size = 0;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
      size += chunk.length;
      onChunk();
    }
    await file.sync();
    return size;
  },
  readHead: async (path, length) => {
    await using file = await open(path);
    const head = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const { bytesRead } = await file.read(head, at, length - at, null);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return head.subarray(0, at);
  },
};
