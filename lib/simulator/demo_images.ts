/**
 * The demo's images: one that is on the simulated NAS, a small server of another one to be downloaded, and a VM type that is made
 * from the first in seconds.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { runtime } from "../runtime/runtime.ts";
import { GIB, MIB } from "../units.ts";
import { qcow2Head } from "./images/disk_image.ts";
import { addDataset, addFile, type Store } from "./store.ts";

/** The image that is on the NAS. */
const PATH = "/mnt/tank/images/debian-13.qcow2";
const FILE_NAME = "demo-linux.qcow2";
/** Small enough for a demo's memory, and large enough to watch. */
const FILE_BYTES = 24 * MIB;
const CHUNK_BYTES = 512 * 1024;
/** A pause before each chunk lets the download last some seconds. */
const CHUNK_MS = 60;

/** The server of images. */
export interface DemoImages extends AsyncDisposable {
  /** The sections that they add to a configuration. */
  readonly sections: string;
}

/** Puts an image onto the NAS, and serves another one until this is disposed of. */
export async function startDemoImages(store: Store): Promise<DemoImages> {
  addDataset(store, { name: "tank/images", type: "FILESYSTEM" });
  addFile(store, PATH, { sizeBytes: 420 * MIB, head: qcow2Head(3 * GIB) });
  const file = new Uint8Array(FILE_BYTES);
  file.set(qcow2Head(2 * GIB));
  const sha256 = createHash("sha256").update(file).digest("hex");
  const server = await runtime.serve({ hostname: "127.0.0.1", port: 0 }, ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === "/SHA256SUMS") return new Response(`${sha256}  ${FILE_NAME}\n`);
    if (pathname !== `/${FILE_NAME}`) return new Response("Not found", { status: 404 });
    return new Response(slowly(file), { headers: { "content-length": String(file.length) } });
  });
  const address = `http://127.0.0.1:${server.port}/${FILE_NAME}`;
  return { sections: sectionsOf(address, sha256), [Symbol.asyncDispose]: () => server.shutdown() };
}

function slowly(file: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (at >= file.length) return controller.close();
      await sleep(CHUNK_MS);
      controller.enqueue(file.slice(at, at += CHUNK_BYTES));
    },
  });
}

function sectionsOf(url: string, sha256: string): string {
  return `
# Only in the demo: an image that is on the simulated NAS, and one that is downloaded from the demo itself.
images:
  debian13:
    path: ${PATH}
  demo-linux:
    url: ${url}
    sha256: ${sha256}

# Eight VMs whose disks are clones of the image. Their guests (played by the demo) set themselves up, and say when they have.
node:
  count: 8
  memory: 1024
  cpu: 1
  image: debian13
  disk:
    root: 20
  network:
    lan: br0
  seed:
    kind: cloud-init
    user: admin
    ssh_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ you@example.org
    packages:
      - qemu-guest-agent
  ready: phone-home
`;
}
