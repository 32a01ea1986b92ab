/**
 * rclone's copy from an HTTP server: it reads an index of links, asks for the size of each file, and fetches those that are
 * wanted; large ones in parts. Nothing to fetch is a success.
 */
import { datasetAt } from "../files/paths.ts";
import { ReceivedFile } from "../files/stored_file.ts";
import type { JobReport } from "../jobs/job_queue.ts";
import type { Nas } from "../nas.ts";
import { poolFreeBytes } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, type MethodError } from "../wire/wire_errors.ts";

/** What is pulled. */
export interface Pulled {
  readonly url: string;
  readonly folder: string;
  /** rclone's patterns; with a slash in front from the root. */
  readonly include: readonly string[];
  /** A folder on the NAS. */
  readonly target: string;
}

/** A file of the other side, with its path below the pulled folder. */
interface Remote {
  readonly path: string;
  readonly href: string;
}

/** Number of parts of a large file. */
const PARTS = 2;
const KIB = 1024;

/** The links of an index page, those of folders with a slash at their end. */
export async function listFolder(url: string, folder: string, signal?: AbortSignal): Promise<string[]> {
  const response = await fetch(addressOf(url, folder, ""), { signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP Error: ${response.status} ${response.statusText}`);
  const links = [...text.matchAll(/<a\s[^>]*href="([^"]+)"/gi)].map(([, href = ""]) => href);
  return links.filter((href) => !/^(\/|\?|[a-z]+:|\.\.)/i.test(href)).map(decodeURIComponent);
}

function addressOf(url: string, folder: string, name: string): string {
  const base = url.endsWith("/") ? url : `${url}/`;
  const parts = folder.split("/").filter((it) => it !== "").map((it) => `${encodeURIComponent(it)}/`);
  return `${base}${parts.join("")}${encodeURIComponent(name)}`;
}

/** Copies what is wanted into a folder of the NAS. */
export async function pull(nas: Nas, wanted: Pulled, report: JobReport): Promise<void> {
  const remotes = await wantedFiles(wanted, "", report.signal);
  const before = [...nas.store.files.keys()];
  let checked = 0;
  let copied = 0;
  for (const remote of remotes) {
    const path = `${wanted.target}/${remote.path}`;
    const sizeBytes = await sizeOf(remote, report.signal);
    if (before.includes(path) && nas.store.files.get(path)?.sizeBytes === sizeBytes) {
      checked++;
      continue;
    }
    await fetchFile(nas, { remote, path, sizeBytes, count: remotes.length }, report);
    copied++;
    report.log(`INFO  : ${remote.path}: Copied (new)\n`);
  }
  if (copied === 0) report.log("INFO  : There was nothing to transfer\n");
  if (copied === 0 && checked > 0) report.progress(100, `checks: ${checked} / ${checked}`);
}

/** The listed files that a pattern takes; without patterns all. */
async function wantedFiles(wanted: Pulled, below: string, signal: AbortSignal): Promise<Remote[]> {
  const folder = `${wanted.folder}/${below}`;
  const found: Remote[] = [];
  for (const link of await listFolder(wanted.url, folder, signal)) {
    const path = `${below}${link}`;
    if (link.endsWith("/")) found.push(...await wantedFiles(wanted, path, signal));
    else if (isIncluded(path, wanted.include)) {
      found.push({ path, href: addressOf(wanted.url, folder, link) });
    }
  }
  return found;
}

function isIncluded(path: string, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  return patterns.some((pattern) =>
    pattern.startsWith("/") ? `/${path}` === pattern : path === pattern || path.endsWith(`/${pattern}`)
  );
}

async function sizeOf({ href }: Remote, signal: AbortSignal): Promise<number | null> {
  const response = await fetch(href, { method: "HEAD", signal });
  await response.body?.cancel();
  const length = response.headers.get("content-length");
  return length === null ? null : Number(length);
}

interface Transfer {
  readonly remote: Remote;
  readonly path: string;
  readonly sizeBytes: number | null;
  readonly count: number;
}

/** Fetches one file, which is there only when it is whole. */
async function fetchFile(nas: Nas, transfer: Transfer, report: JobReport): Promise<void> {
  const { remote, path, sizeBytes, count } = transfer;
  const dataset = datasetAt(nas.store, path);
  if (dataset?.isReadonly === true || dataset?.isLocked === true) {
    throw failure(`Failed to copy: open ${path}: read-only file system`);
  }
  const received = new ReceivedFile();
  for (const range of rangesOf(nas, sizeBytes)) {
    const partBytes = range === null ? sizeBytes : range.to - range.from + 1;
    const headers = range === null ? undefined : { range: `bytes=${range.from}-${range.to}` };
    const response = await fetch(remote.href, { headers, signal: report.signal });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw failure(`Failed to copy: failed to open source object: HTTP Error: ${response.status}`);
    }
    if (range !== null && response.status !== 206) {
      await response.body.cancel();
      const text = `multipart copy: wrote ${sizeBytes} bytes but expected to write ${partBytes}`;
      throw failure(`Failed to copy: ${text}`);
    }
    await receive(nas, response.body, received, (bytes) => {
      const total = sizeBytes ?? bytes;
      const shown = `0 / ${count}, ${sizeText(bytes)} / ${sizeText(total)}, ${sizeText(bytes)}/s, ETA -`;
      report.progress(total === 0 ? 0 : Math.min(99, Math.floor(bytes / total * 100)), shown);
    });
  }
  if (sizeBytes !== null && received.sizeBytes !== sizeBytes) {
    const text = `corrupted on transfer: sizes differ ${sizeBytes} vs ${received.sizeBytes}`;
    throw failure(`Failed to copy: ${text}`);
  }
  nas.store.files.set(path, received.end());
  const size = sizeText(received.sizeBytes);
  report.progress(100, `${count} / ${count}, ${size} / ${size}, 0 B/s, ETA -`);
}

/** Large files come in parts. */
function rangesOf(
  { multipartBytes }: Nas,
  sizeBytes: number | null,
): readonly ({ readonly from: number; readonly to: number } | null)[] {
  if (sizeBytes === null || sizeBytes < multipartBytes) return [null];
  const half = Math.ceil(sizeBytes / PARTS);
  return [{ from: 0, to: half - 1 }, { from: half, to: sizeBytes - 1 }];
}

async function receive(
  nas: Nas,
  body: ReadableStream<Uint8Array>,
  received: ReceivedFile,
  progress: (bytes: number) => void,
): Promise<void> {
  const free = poolFreeBytes(nas.store);
  try {
    for await (const chunk of body) {
      received.add(chunk);
      progress(received.sizeBytes);
      if (received.sizeBytes > free) throw failure("Failed to copy: no space left on device");
    }
  } catch (error) {
    // A connection that ends early ends the transfer, after rclone's own tries.
    if (!(error instanceof TypeError)) throw error;
    throw failure("Failed to copy: unexpected EOF");
  }
}

function failure(text: string): MethodError {
  return callError(ERRNO.EFAULT, `Errors:                 1 (retrying may help)\n\n${text}\n`);
}

/** A size as rclone writes it: `19.438 MiB`, `12 B`. */
export function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (bytes / KIB ** power >= KIB && power < units.length - 1) power++;
  return `${Number((bytes / KIB ** power).toFixed(3))} ${units[power]}`;
}
