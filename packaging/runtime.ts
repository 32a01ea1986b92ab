/** The runtime that packages contain: Deno as npm publishes it for each architecture. */
import { readFile, rm } from "node:fs/promises";
import { createHash } from "node:crypto";
import { run } from "./command.ts";
import { type Architecture, expectArchitecture, oldestLibc } from "./elf.ts";
import runtime from "./runtime.json" with { type: "json" };

/** Its version, the same on every architecture. */
export const RUNTIME_VERSION = runtime.version;

/** The npm package of an architecture's runtime, and its hash as npm publishes it. */
export function runtimePackage(architecture: Architecture): { package: string; integrity: string } {
  return runtime[architecture];
}

/** A runtime that was fetched and checked. */
export interface Runtime {
  /** The executable. */
  readonly path: string;
  /** Needs the GNU C library 2.x, of at least this x. */
  readonly libc: number;
}

/** Fetches the runtime of an architecture into a folder. Throws when it is not the one that this version was made with. */
export async function fetchRuntime(architecture: Architecture, folder: string): Promise<Runtime> {
  const { package: name, integrity } = runtimePackage(architecture);
  const spec = `${name}@${RUNTIME_VERSION}`;
  const options = ["--silent", "--prefer-offline", "--pack-destination", folder];
  const file = `${folder}/${(await run("npm", ["pack", spec, ...options])).trim()}`;
  const hash = `sha512-${createHash("sha512").update(await readFile(file)).digest("base64")}`;
  if (hash !== integrity) {
    throw new Error(`${spec} has the hash ${hash}, but packaging/runtime.json expects ${integrity}`);
  }
  await run("tar", ["-xzf", file, "-C", folder, "--strip-components=1", "package/deno"]);
  await rm(file);
  const path = `${folder}/deno`;
  const executable = await readFile(path);
  expectArchitecture(executable, architecture, spec);
  return { path, libc: oldestLibc(executable) };
}
