/**
 * `deno task package` builds what people install, in dist, from npm and Debian alone. The same sources give the same
 * bytes on every machine.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createHash } from "node:crypto";
import { basename } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import project from "../deno.json" with { type: "json" };
import { makeDeb } from "./deb/deb.ts";
import { type Architecture, ARCHITECTURES } from "./elf.ts";
import { makeImage } from "./oci/oci.ts";
import type { PackageParts } from "./parts.ts";
import { bundleProgram, readSources } from "./program.ts";
import { makeRunFile } from "./run/run.ts";
import { fetchRuntime } from "./runtime.ts";
import { readThirdParties, runtimeAsThirdParty } from "./third_parties.ts";
import { COMMAND, makeTree, NOTICES, SBOM, type TreeContents } from "./tree.ts";

const USAGE = "deno task package [x86_64] [aarch64] [--only run|deb|oci.tar] [--output DIR]";

/** What can be built. */
export const FORMATS = ["run", "deb", "oci.tar"] as const;

/** A kind of package. */
export type Format = typeof FORMATS[number];

/** How each kind is made. */
const MAKERS = { run: makeRunFile, deb: makeDeb, "oci.tar": makeImage } as const satisfies Record<
  Format,
  (parts: PackageParts, output: string) => Promise<void>
>;

/** The name of a package's file. */
export function fileNameOf(format: Format, architecture: Architecture): string {
  return `${COMMAND}-${architecture}.${format}`;
}

/** What to build, and where. */
export interface Wanted {
  readonly architectures: readonly Architecture[];
  readonly formats: readonly Format[];
  /** The folder of the packages. */
  readonly output: string;
}

/** Builds packages and returns their paths. */
export async function makePackages({ architectures, formats, output }: Wanted): Promise<string[]> {
  await mkdir(output, { recursive: true });
  const program = await mkdtemp(`${tmpdir()}/${COMMAND}-program-`);
  try {
    const sources = await readSources();
    await bundleProgram(sources, program);
    const thirdParties = await readThirdParties(sources.packages);
    const made: string[] = [];
    for (const architecture of architectures) {
      const contents = { program, thirdParties: [...thirdParties, await runtimeAsThirdParty(architecture)] };
      made.push(...await makePackagesFor(architecture, contents, { formats, output }));
    }
    return made;
  } finally {
    await rm(program, { recursive: true });
  }
}

async function makePackagesFor(
  architecture: Architecture,
  contents: Omit<TreeContents, "runtime">,
  { formats, output }: Omit<Wanted, "architectures">,
): Promise<string[]> {
  const folder = await mkdtemp(`${tmpdir()}/${COMMAND}-package-`);
  try {
    const runtime = await fetchRuntime(architecture, folder);
    const tree = `${folder}/tree`;
    await makeTree(tree, { ...contents, runtime });
    const { version } = project;
    const parts = { architecture, version, libc: runtime.libc, tree, thirdParties: contents.thirdParties };
    const made: string[] = [];
    for (const format of formats) {
      const file = `${output}/${fileNameOf(format, architecture)}`;
      await MAKERS[format](parts, file);
      made.push(file);
    }
    const name = `${output}/${COMMAND}-${architecture}`;
    await copyFile(`${tree}/${SBOM}`, `${name}.cdx.json`);
    await copyFile(`${tree}/${NOTICES}`, `${name}.${NOTICES}`);
    return [...made, `${name}.cdx.json`, `${name}.${NOTICES}`];
  } finally {
    await rm(folder, { recursive: true });
  }
}

function readWanted(args: readonly string[]): Wanted {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { only: { type: "string", multiple: true }, output: { type: "string" } },
  });
  return {
    architectures: chosen(positionals, ARCHITECTURES, "architecture"),
    formats: chosen(values.only ?? [], FORMATS, "format"),
    output: values.output ?? "dist",
  };
}

/** The given ones of a list, or all of it when none is given. */
function chosen<Name extends string>(
  given: readonly string[],
  all: readonly Name[],
  what: string,
): readonly Name[] {
  const unknown = given.find((name) => !all.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`Unknown ${what} "${unknown}"; there are ${all.join(", ")}`);
  return given.length === 0 ? all : all.filter((name) => given.includes(name));
}

if (import.meta.main) {
  try {
    const startedAt = performance.now();
    const wanted = readWanted(process.argv.slice(2));
    let sums = "";
    for (const file of await makePackages(wanted)) {
      const bytes = await readFile(file);
      const hash = createHash("sha256").update(bytes).digest("hex");
      sums += `${hash}  ${basename(file)}\n`;
      process.stdout.write(`${hash}  ${file}  ${(bytes.length / 1e6).toFixed(1)} MB\n`);
    }
    await writeFile(`${wanted.output}/SHA256SUMS`, sums);
    process.stdout.write(`Built in ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(1);
  }
}
