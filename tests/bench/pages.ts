/**
 * (c) The list of 10 to 5,000 VMs: the server's time for the page, its size raw and compressed, and requests per
 * second.
 */
import { gzipSync } from "node:zlib";
import { startDashboard } from "../support/pages/dashboard.ts";
import type { Report } from "./report.ts";

/** What was measured of one length of the list. */
interface PageMeasure {
  readonly vms: number;
  /** Median of the server's own time for the page, without network. */
  readonly medianMs: number;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly requestsPerSecond: number;
}

const RUNS = 30;

/** (c) Measures the list at its lengths. */
export async function benchPages(report: Report, quick: boolean): Promise<void> {
  report.title(
    "The list of VMs: the server's time for the page (median), its size, and requests a second (goals at 1,000 VMs: 30 ms, 80 kB)",
  );
  report.head("pages", ["VMs", "ms", "kB", "kB gzipped", "requests/s"]);
  for (const vms of quick ? [10, 1_000] : [10, 100, 1_000, 5_000]) {
    const { medianMs, bytes, gzipBytes, requestsPerSecond } = await measureList(vms);
    report.row("pages", [vms, medianMs, bytes / 1000, gzipBytes / 1000, requestsPerSecond]);
  }
}

/** Measures one length of the list: the whole way of a request through the app, without a socket. */
async function measureList(vms: number): Promise<PageMeasure> {
  await using dashboard = await startDashboard({ simulator: { foreignVms: vms } });
  // Longer than a page would wait for it: the list as it is once it is known.
  for (const { live } = dashboard.manager.inventory; live.snapshot.vms === null;) await live.ready();
  const ask = async () => await (await dashboard.app.fetch(new Request("http://127.0.0.1/"))).text();
  const body = await ask();
  const timesMs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    await ask();
    timesMs.push(performance.now() - started);
  }
  const medianMs = timesMs.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0;
  const totalMs = timesMs.reduce((sum, it) => sum + it, 0);
  return {
    vms,
    medianMs,
    bytes: body.length,
    gzipBytes: gzipSync(body).length,
    requestsPerSecond: RUNS / totalMs * 1000,
  };
}
