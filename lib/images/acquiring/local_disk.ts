/** The disk of the NAS, where this program runs on the NAS itself. Nothing else in the library touches the file system of images. */
import { reasonOf } from "../../errors/system_errors.ts";

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
    const { state } = await Deno.permissions.query({ name: "write", path: folder });
    if (state !== "granted") {
      return `the program may not write to ${folder}; without READ_ONLY, a restart gives it the permission`;
    }
    const probe = `${folder}/.truenas-vm-manager-${crypto.randomUUID()}`;
    try {
      if (!isTried) {
        await Deno.stat(folder);
        return null;
      }
      await Deno.writeFile(probe, new Uint8Array(), { createNew: true });
      await Deno.remove(probe);
      return null;
    } catch (error) {
      // The dataset is made with the first image.
      if (error instanceof Deno.errors.NotFound) return null;
      return reasonOf(error);
    }
  },
  write: async (path, chunks, onChunk) => {
    using file = await Deno.open(path, { write: true, create: true, truncate: true, mode: MODE });
    let size = 0;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
      size += chunk.length;
      onChunk();
    }
    await file.sync();
    return size;
  },
  readHead: async (path, length) => {
    using file = await Deno.open(path);
    const head = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const count = await file.read(head.subarray(at));
      if (count === null) break;
      at += count;
    }
    return head.subarray(0, at);
  },
};
