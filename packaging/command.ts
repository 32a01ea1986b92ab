/** Runs the programs that packages are built with. */
import type { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { buffer } from "node:stream/consumers";
import { isMissing } from "../lib/errors/system_errors.ts";

const ROOT = new URL("../", import.meta.url);

/** How a program is run. */
export interface CommandOptions {
  /** The project's folder by default. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A file to which the output is written as it is, instead of being returned. */
  readonly output?: string;
}

interface SpawnOptions {
  readonly cwd: string | URL;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Output {
  readonly success: boolean;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Runs a program to its end and returns its output; throws with its errors when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  { cwd, env = {}, output }: CommandOptions = {},
): Promise<string> {
  const { success, stdout, stderr } = await outputOf(command, args, {
    cwd: cwd ?? ROOT,
    env: { ...process.env, ...env },
  });
  const decoder = new TextDecoder();
  if (!success) {
    const said = decoder.decode(stderr).trim() || decoder.decode(stdout).trim();
    throw new Error(`"${command} ${args[0]}" failed: ${said}`);
  }
  if (output === undefined) return decoder.decode(stdout);
  await writeFile(output, stdout);
  return "";
}

async function outputOf(command: string, args: readonly string[], options: SpawnOptions): Promise<Output> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  try {
    const [stdout, stderr, [code]] = await Promise.all([
      buffer(child.stdout),
      buffer(child.stderr),
      once(child, "close"),
    ]);
    return { success: code === 0, stdout, stderr };
  } catch (error) {
    if (isMissing(error)) {
      throw new Error(`"${command}" is not installed; packages cannot be built without it`, { cause: error });
    }
    throw error;
  }
}
