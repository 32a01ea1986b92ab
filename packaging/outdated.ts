/** `deno task outdated`: every npm package that is named, with its licence, and the newest version of those that are behind. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import lockText from "../tests/deno.lock" with { type: "text" };
import { run } from "./command.ts";
import { RUNTIME_VERSION } from "./runtime.ts";

/** Why some stay behind. */
const STAYS: Readonly<Record<string, string>> = {
  "@novnc/novnc": "the last release whose modules can be imported",
  "@types/node": "of the release of Node that the library is tested with",
};

/** A package that is named somewhere. */
export interface Dependency {
  readonly name: string;
  readonly version: string;
  /** As the package names it. */
  readonly licence: string;
  /** The newest version; null when it is the one that is used. */
  readonly latest: string | null;
}

/** Reads all of them, in the order of their names. Asks the registry. */
export async function readDependencies(): Promise<readonly Dependency[]> {
  const { specifiers }: { specifiers: Record<string, string> } = JSON.parse(lockText);
  const named = Object.keys(specifiers).map((specifier) => {
    const [, name = "", version = ""] = /^npm:(.+)@(.+)$/.exec(specifier) ?? [];
    return { name, version };
  });
  named.push({ name: "deno", version: RUNTIME_VERSION });
  // Deno compares what a project imports; here that is everything, also what is named only in modules.
  const folder = await mkdtemp(`${tmpdir()}/truenas-vm-manager-outdated-`);
  try {
    const imports = Object.fromEntries(named.map(({ name, version }) => [name, `npm:${name}@${version}`]));
    await writeFile(`${folder}/deno.json`, JSON.stringify({ imports, nodeModulesDir: "auto" }));
    const deno = (...args: string[]) => run(process.execPath, args, { cwd: folder, env: { NO_COLOR: "1" } });
    await deno("install", "--quiet");
    const table = await deno("outdated");
    const rows = [...table.matchAll(/npm:(\S+)\s+│\s+\S+\s+│\s+\S+\s+│\s+(\S+)/g)];
    const latest = new Map(rows.map(([, name = "", version = ""]) => [name, version]));
    return await Promise.all(named.map(async ({ name, version }) => {
      const { license } = JSON.parse(await readFile(`${folder}/node_modules/${name}/package.json`, "utf8"));
      return { name, version, licence: String(license ?? "none named"), latest: latest.get(name) ?? null };
    }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function describe(dependencies: readonly Dependency[]): string {
  const rows = dependencies.map(({ name, version, licence, latest }) => {
    const news = latest === null ? "current" : `behind ${latest}`;
    const stays = latest === null ? undefined : STAYS[name];
    return [name, version, licence, stays === undefined ? news : `${news}; it stays: ${stays}`];
  });
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")).join("\n");
}

if (import.meta.main) process.stdout.write(`${describe(await readDependencies())}\n`);
