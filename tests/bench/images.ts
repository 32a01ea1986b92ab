/**
 * (g) Images on their way: the memory of a process through which 2 GiB stream, as a download that is hashed, unpacked and checked.
 * The process reads through the worker for downloads, as the program does.
 */
import zlib from "node:zlib";
import { packedByXz, rawImage } from "../support/images/disk_images.ts";
import type { Report } from "./report.ts";

const MIB = 1024 ** 2;
const BLOCK_BYTES = 4 * MIB;
const TOTAL_BYTES = 2048 * MIB;
const QUICK_BYTES = 512 * MIB;

/** What a process tells: the bytes that have passed, its resident memory and the time. */
export interface Sample {
  readonly bytes: number;
  readonly rssBytes: number;
  readonly ms: number;
}

/** Half of it packs well, as in an image. */
function block(): Uint8Array<ArrayBuffer> {
  const bytes = rawImage(BLOCK_BYTES);
  bytes.fill(0, BLOCK_BYTES / 2);
  return bytes;
}

/** Files of each packing may consist of several, one behind the other. */
const PACKINGS: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>>> = {
  raw: (bytes) => Promise.resolve(bytes),
  gz: (bytes) => Promise.resolve(zlib.gzipSync(bytes, { level: 1 })),
  zst: (bytes) => Promise.resolve(zlib.zstdCompressSync(bytes)),
  xz: packedByXz,
};

/** Measures. */
export async function benchImages(report: Report, quick: boolean): Promise<void> {
  const total = quick ? QUICK_BYTES : TOTAL_BYTES;
  for (const [name, pack] of Object.entries(PACKINGS)) {
    const packed = await pack(block());
    const served = repeated(packed, total / BLOCK_BYTES);
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
      const headers = { "content-length": String(packed.length * total / BLOCK_BYTES) };
      return new Response(served(), { headers });
    });
    const samples = await measure(`http://127.0.0.1:${server.addr.port}/image`, total);
    report.title(`${total / MIB / 1024} GiB of an image (${name})`);
    report.head("image", ["MiB passed", "MB", "MiB/s"]);
    for (const { bytes, rssBytes, ms } of samples) {
      report.row("image", [
        Math.round(bytes / MIB),
        Math.round(rssBytes / 1e6),
        Math.round(bytes / MIB / (ms / 1000)),
      ]);
    }
  }
}

function repeated(bytes: Uint8Array, count: number): () => ReadableStream<Uint8Array> {
  return () => {
    let left = count;
    return new ReadableStream({
      pull: (controller) => {
        if (left-- > 0) controller.enqueue(bytes.slice());
        else controller.close();
      },
    }, { highWaterMark: 0 });
  };
}

/** Reads in a process of its own, whose memory is counted. */
async function measure(url: string, total: number): Promise<readonly Sample[]> {
  const child = new URL("./images_child.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", child, url, String(total)],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}
