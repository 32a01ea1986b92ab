/** Downloads an image through the worker for downloads, and tells its memory at some points. */
import process from "node:process";
import { downloadsOver } from "../../lib/images/acquiring/remote_download.ts";
import type { Sample } from "./images.ts";

const [url = "", total = "0"] = Deno.args;
/** Shares of the whole at which the memory is told; between them, the most is. */
const SHARES = [0.125, 0.25, 0.5, 0.75, 1];

const worker = new Worker(import.meta.resolve("../../routes/server/download_worker.ts"), { type: "module" });
const { port1, port2 } = new MessageChannel();
worker.postMessage(port2, [port2]);
const { openUrl: open } = downloadsOver(port1);
const began = performance.now();
const samples: Sample[] = [{ bytes: 0, rssBytes: Deno.memoryUsage().rss, ms: 1 }];
const image = await open({ url, sha256: null, allowPrivate: true });
let bytes = 0;
let peak = 0;
for await (const chunk of image.body) {
  bytes += chunk.length;
  peak = Math.max(peak, Deno.memoryUsage().rss);
  const share = SHARES[samples.length - 1] ?? 1;
  if (bytes >= share * Number(total)) {
    samples.push({ bytes, rssBytes: peak, ms: performance.now() - began });
    peak = 0;
  }
}
process.stdout.write(JSON.stringify(samples));
Deno.exit(0);
