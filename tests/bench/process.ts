/**
 * (e) The program as a process: the time from its start to the first answer, and its memory when idle and after 1,000
 * operations.
 */
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { startProgram, withFolder } from "../support/program/program.ts";
import type { Report } from "./report.ts";
import { memoryMb, percentile } from "./statistics.ts";

const STARTS = 5;
const ROUND = 250;

/** As `deno task start` does. */
const AS_STARTED = { env: { DENO_NO_UPDATE_CHECK: "1" } } as const;

/** An open page is sent the VMs as soon as they are known. */
async function untilListed(url: string): Promise<void> {
  const gone = new AbortController();
  const { body } = await fetch(`${url}/events`, { signal: gone.signal });
  for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    if (text.includes('id="vm-1"')) break;
  }
  gone.abort();
}

/** Measures. */
export async function benchProcess(report: Report, quick: boolean): Promise<void> {
  const times = { callMs: 0, zvolMs: 0, startMs: 0, shutdownMs: 0, deleteRunningMs: 0 };
  await withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times, foreignVms: 5 });
    const startsMs: number[] = [];
    const listsMs: number[] = [];
    for (let start = 0; start < (quick ? 1 : STARTS); start++) {
      const began = performance.now();
      const program = await startProgram(simulator, folder, AS_STARTED);
      await (await fetch(program.url)).body?.cancel();
      startsMs.push(performance.now() - began);
      await untilListed(program.url);
      listsMs.push(performance.now() - began);
      await program.stop("SIGTERM");
    }
    report.title("The program as a process");
    report.head("start", ["first answer", "and its VMs"]);
    report.row("start", [percentile(startsMs, 50), percentile(listsMs, 50)]);
    const program = await startProgram(simulator, folder, AS_STARTED);
    await (await fetch(program.url)).text();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    report.head("memory", ["operations", "MB"]);
    report.row("memory", [0, await memoryMb(program)]);
    const [vm] = simulator.store.vms.values();
    if (vm === undefined) throw new Error("there is a VM");
    for (let done = 0; done < (quick ? ROUND : 4 * ROUND);) {
      for (let round = 0; round < ROUND; round++, done++) {
        const action = vm.state === "RUNNING" ? "poweroff" : "start";
        const started = await fetch(`${program.url}/vms/${vm.id}/${action}`, {
          method: "POST",
          body: new URLSearchParams(),
          headers: { origin: program.url },
          redirect: "manual",
        });
        await started.body?.cancel();
        const path = started.headers.get("location");
        if (path === null) {
          // The list has not heard of the last change yet.
          round--;
          done--;
          continue;
        }
        await (await fetch(`${program.url}${path}/events`)).text();
      }
      report.row("memory", [done, await memoryMb(program)]);
    }
    await program.stop("SIGTERM");
  });
}
