/** The packages of this machine's architecture, and how tests run them. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ARCHITECTURES } from "../../../packaging/elf.ts";
import { fileNameOf, type Format } from "../../../packaging/package.ts";

const DIST = fileURLToPath(new URL("../../../dist", import.meta.url));

/** This machine's architecture, as `uname -m` prints it. */
export const ARCHITECTURE = ARCHITECTURES.find((name) => name === Deno.build.arch) ?? "x86_64";

/** The package that `deno task package` has built for this machine. */
export function built(format: Format): string {
  const file = `${DIST}/${fileNameOf(format, ARCHITECTURE)}`;
  if (existsSync(file)) return file;
  throw new Error(`There is no ${file}; "deno task test:package" builds it`);
}

/** Prints a time on a line of its own, for the output of the tests. */
export function tell(what: string, ms: number): void {
  process.stdout.write(`${what}: ${(ms / 1000).toFixed(2)} s\n`);
}

/** A program that takes longer is stopped. */
const PATIENCE_MS = 120_000;

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end with nothing in its environment but what is given. */
export async function end(
  command: string,
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    ...(cwd === undefined ? {} : { cwd }),
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    stdin: "null",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** As `end`, but the program has to succeed; its output. */
export async function succeed(command: string, ...args: string[]): Promise<string> {
  const { code, out, err } = await end(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${err}`);
  return out;
}

/** A folder that other users can enter, removed in the end. */
export async function withPublicFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "package-" });
  try {
    await Deno.chmod(folder, 0o755);
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Names in a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort();
}
