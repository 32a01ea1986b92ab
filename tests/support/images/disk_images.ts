/** Disk images for tests: beginnings of those that qemu-img 7.2 made, and small raw ones. */
import { gunzipSync } from "node:zlib";
import { readFileSync } from "node:fs";

const DATA = new URL("../../data/images/", import.meta.url);

/** The first 4 MiB of an image that qemu-img made: `plain.qcow2`, `dynamic.vhdx`. */
export function recordedImage(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gunzipSync(readFileSync(new URL(`${name}.gz`, DATA))));
}

/** A raw image with a boot sector; the rest does not compress. */
export function rawImage(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(sizeBytes);
  // A generator of its own: the same bytes each time.
  let state = 1;
  for (let at = 512; at < sizeBytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    image[at] = state >>> 24;
  }
  image.set([0x55, 0xaa], 510);
  return image;
}

/** The beginning of an ISO 9660 file system. */
export function isoImage(sizeBytes = 64 * 1024): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(sizeBytes);
  image.set(new TextEncoder().encode("\x01CD001"), 0x8000);
  return image;
}

/** Packs with the program `xz`, because the runtime cannot. */
export async function packedByXz(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  await using child = new Deno.Command("xz", { args: ["-1", "-c"], stdin: "piped", stdout: "piped" }).spawn();
  const output = new Response(child.stdout).bytes();
  const writer = child.stdin.getWriter();
  await writer.write(bytes);
  await writer.close();
  await child.status;
  return await output;
}
