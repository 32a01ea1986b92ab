/**
 * Benchmarks. Each prints ratios measured within one run, and none fails.
 *
 * `deno task bench [work] [rpc] [pages] [watchers] [process] [interact] [images] [clones] [--quick] [--json FILE]`; without a name, all of them.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { benchClones } from "./clones.ts";
import { benchImages } from "./images.ts";
import { benchInteractions } from "./interactions.ts";
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
  interact: benchInteractions,
  images: benchImages,
  clones: benchClones,
} as const;

const USAGE = `deno task bench [${Object.keys(BENCHES).join("] [")}] [--quick] [--json FILE]`;

function readArguments() {
  try {
    const options = {
      quick: { type: "boolean" },
      json: { type: "string" },
      help: { type: "boolean" },
    } as const;
    const { values, positionals } = parseArgs({ args: Deno.args, allowPositionals: true, options });
    const unknown = positionals.find((name) => !(name in BENCHES));
    if (unknown !== undefined) throw new TypeError(`There is no benchmark ${unknown}`);
    return { ...values, names: positionals };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    Deno.exit(2);
  }
}

const { quick = false, json, help, names } = readArguments();
if (help) {
  process.stdout.write(`${USAGE}\n`);
  Deno.exit(0);
}
const report = new Report();
for (const [name, bench] of Object.entries(BENCHES)) {
  if (names.length === 0 || names.includes(name)) await bench(report, quick);
}
if (json !== undefined) {
  const at = new Date().toISOString().slice(0, 10);
  const machine = `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`;
  await Deno.writeTextFile(
    json,
    `${JSON.stringify({ at, machine, tables: report.tables }, null, 2)}\n`,
  );
}
Deno.exit(0);
