/**
 * (d) The time from an event of the NAS to the bytes at 1, 20 and 200 open pages. The program runs as its own process,
 * and another client of the NAS makes the change.
 */
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { type Program, startProgram, withFolder } from "../support/program/program.ts";
import { openSession } from "../support/session.ts";
import type { Report } from "./report.ts";
import { memoryMb, percentile } from "./statistics.ts";

/** Of fewer, the 99th percentile would be the slowest one: the first, before the runtime has compiled what it takes. */
const CHANGES = 100;
const WARM_PAGES = 20;
/** So many further pages tell what one costs: of a few, the memory is lost in what the process takes and keeps anyway. */
const FURTHER_PAGES = 600;

/** Measures. */
export async function benchWatchers(report: Report, quick: boolean): Promise<void> {
  report.title("An event of the NAS until the pages that are open have been told");
  report.head("watchers", ["pages", "p50", "p99", "kB a page"]);
  for (const pages of quick ? [1, 20] : [1, 20, 200]) await measure(report, pages, quick ? 5 : CHANGES);
}

async function measure(report: Report, pages: number, changes: number): Promise<void> {
  await withFolder(TEST_CONFIG, async (folder) => {
    const times = { callMs: 0, zvolMs: 0, startMs: 0, shutdownMs: 0, deleteRunningMs: 0 };
    await using simulator = await startSimulator({ times, foreignVms: 20 });
    const program = await startProgram(simulator, folder);
    const elsewhere = await openSession(simulator.url);
    await until(program, "/readyz");
    // What any stream needs once is no part of what a page needs.
    const warm = new AbortController();
    const stream = await streamOf(program);
    await Promise.all(Array.from({ length: WARM_PAGES }, () => watch(stream, () => {}, warm.signal)));
    warm.abort();
    const told = new Set<() => void>();
    const opened = Array.from({ length: pages }, () =>
      watch(stream, (text) => {
        if (text.includes('id="vm-1"')) { for (const notify of told) notify(); }
      }));
    await Promise.all(opened);
    const tookMs: number[] = [];
    for (let change = 0; change < changes; change++) {
      // Each change is alone, and the pages are open before the first.
      await new Promise((resolve) => setTimeout(resolve, 100));
      let eventAt = 0;
      const forget = elsewhere.onEvent(() => eventAt ||= performance.now());
      const all = Promise.withResolvers<void>();
      let left = pages;
      const notify = () => {
        tookMs.push(performance.now() - eventAt);
        if (--left === 0) all.resolve();
      };
      told.add(notify);
      await elsewhere.call("vm.update", [1, { autostart: change % 2 === 1 }]);
      await all.promise;
      told.delete(notify);
      forget();
    }
    const before = await memoryMb(program);
    const further = new AbortController();
    // As browsers do: a page names the list that it shows, and is not sent it again.
    for (let page = 0; page < FURTHER_PAGES; page++) {
      await watch(await streamOf(program), () => {}, further.signal);
    }
    const after = await memoryMb(program);
    further.abort();
    report.row("watchers", [
      pages,
      percentile(tookMs, 50),
      percentile(tookMs, 99),
      (after - before) * 1000 / FURTHER_PAGES,
    ]);
    await elsewhere.close();
    await program.stop("SIGTERM");
  });
}

/** The stream that a page opens. */
async function streamOf({ url }: Program): Promise<string> {
  const page = await (await fetch(url)).text();
  const stream = /"(\/events[^"]*)"/.exec(page)?.[1]?.replaceAll("&amp;", "&");
  if (stream === undefined) throw new Error("the page has a stream");
  return url + stream;
}

/**
 * Opens a page's stream; resolves with the first bytes, and reports each chunk after that. A socket, and not fetch:
 * what is measured is when the bytes are there, and 200 readers of streams in this process would take as long as that.
 */
async function watch(
  stream: string,
  onPiece: (text: string) => void,
  signal: AbortSignal | null = null,
): Promise<void> {
  const { hostname, port, host, pathname, search } = new URL(stream);
  const socket = await Deno.connect({ hostname, port: Number(port) });
  const close = () => socket.close();
  signal?.addEventListener("abort", close, { once: true });
  await socket.write(new TextEncoder().encode(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
  const started = Promise.withResolvers<void>();
  void (async () => {
    const decoder = new TextDecoder();
    const piece = new Uint8Array(65_536);
    try {
      for (let length = await socket.read(piece); length !== null; length = await socket.read(piece)) {
        const text = decoder.decode(piece.subarray(0, length), { stream: true });
        onPiece(text);
        if (text.includes("data: ")) started.resolve();
      }
      close();
    } catch (error) {
      if (!signal?.aborted) started.reject(error);
    }
  })();
  await started.promise;
}

async function until({ url }: Program, path: string): Promise<void> {
  for (let ready = false; !ready;) {
    const answer = await fetch(url + path);
    await answer.body?.cancel();
    ready = answer.ok;
  }
}
