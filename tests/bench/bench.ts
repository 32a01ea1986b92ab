/**
 * Benchmarks: each prints what it compares, as ratios in one run, and fails on nothing.
 *
 * `deno task bench [work] [rpc] [pages] [watchers] [process] [--quick] [--json FILE]`; without a name all of them.
 */
import { parseArgs } from "node:util";
import { benchPages } from "./pages.ts";
import { benchProcess } from "./process.ts";
import { Report } from "./report.ts";
import { benchRpc } from "./rpc.ts";
import { benchWatchers } from "./watchers.ts";
import { benchWork } from "./work.ts";

const BENCHES = {
  work: benchWork,
  rpc: benchRpc,
  pages: benchPages,
  watchers: benchWatchers,
  process: benchProcess,
} as const;

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { quick: { type: "boolean" }, json: { type: "string" } },
});
const report = new Report();
for (const [name, bench] of Object.entries(BENCHES)) {
  if (positionals.length === 0 || positionals.includes(name)) await bench(report, values.quick ?? false);
}
if (values.json !== undefined) {
  const at = new Date().toISOString().slice(0, 10);
  const machine = `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`;
  await Deno.writeTextFile(
    values.json,
    `${JSON.stringify({ at, machine, tables: report.tables }, null, 2)}\n`,
  );
}
Deno.exit(0);
