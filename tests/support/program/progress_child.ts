/** Draws an operation that goes on until Ctrl+C: `deno run progress_child.ts NAME...` */
import { openScreen, print } from "../../../lib/command_line/process.ts";
import { liveProgress } from "../../../lib/command_line/terminal/live_progress.ts";
import type { OperationFact } from "../../../lib/operations/types.ts";

const names = Deno.args;
const screen = openScreen({ colors: true });
if (screen === null) throw new Error("there is no terminal");
using live = liveProgress(screen);
let seq = 0;
const tell = (fact: OperationFact) => live.observe({ ...fact, seq: ++seq, at: 1_000 });

print("what was printed before");
const steps = ["vm", "disk0", "start"];
tell({
  type: "started",
  kind: "create",
  title: "Create VMs",
  vms: names.map((name) => ({ name, steps, summary: "" })),
});
for (const [index, vm] of names.entries()) {
  // The first one fails, the last ones wait, and of the others some are done.
  if (index >= names.length - 2) break;
  tell({ type: "step", vm, step: "vm", status: "done" });
  tell({ type: "step", vm, step: "disk0", status: "running" });
  tell({ type: "progress", vm, step: "disk0", percent: 50 });
  if (index === 0) tell({ type: "vm", vm, outcome: "failed" });
  else if (index % 3 === 0) tell({ type: "vm", vm, outcome: "created" });
}
const stopped = Promise.withResolvers<void>();
const onStop = () => stopped.resolve();
Deno.addSignalListener("SIGINT", onStop);
const [, second = ""] = names;
const transfer = { bytes: 1_000_000_000, totalBytes: 4_000_000_000, bytesPerSecond: 1_000_000 };
tell({ type: "progress", vm: second, step: "disk0", percent: 25, transfer });
// A line that comes meanwhile stays above what is drawn, and the next step has a shorter text.
const timer = setTimeout(() => {
  tell({ type: "step", vm: second, step: "disk0", status: "done" });
  tell({ type: "step", vm: second, step: "start", status: "running" });
  print("what was printed meanwhile");
}, 500);
await stopped.promise;
clearTimeout(timer);
Deno.removeSignalListener("SIGINT", onStop);
