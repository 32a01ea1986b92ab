/** The process: what it says, how it ends, and its own facts. */
import { ConfigurationError, TrueNASError } from "./errors.ts";
import { printable } from "./printable.ts";

/** What the program ends with: see the README. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** A mistake in how the program was called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Runs something that ends with an exit code; an error is told, and has one too. */
export async function explained(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${error.message}\nSee: main.ts help`);
      return EXIT.usage;
    }
    if (error instanceof ConfigurationError) {
      complain(error.message);
      return EXIT.usage;
    }
    complain(
      error instanceof TrueNASError
        ? error.message
        : `An error of this program: ${error instanceof Error ? error.stack : error}`,
    );
    return EXIT.failed;
  }
}

/** Says lines on standard output. */
export function print(text: string): void {
  write(Deno.stdout, `${printable(text)}\n`);
}

/** Says lines on standard error. */
export function complain(text: string): void {
  write(Deno.stderr, `${printable(text)}\n`);
}

/** Writes one line of the log on standard error. */
export function writeLogLine(line: string): void {
  try {
    write(Deno.stderr, `${line}\n`);
  } catch {
    // Nobody reads the log any more (a closed pipe): there is no place to say so, and work goes on without it.
  }
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

/** The process's id. */
export function processId(): number {
  return Deno.pid;
}

/** The memory that the operating system counts as the process's own, in bytes. */
export function residentBytes(): number {
  return Deno.memoryUsage().rss;
}
