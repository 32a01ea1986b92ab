/** The process: what it says, how it ends, and its own facts. */
import { ConfigurationError, remedyOf, TrueNASError } from "../errors/errors.ts";
import { printable } from "./printable.ts";
import { describeSystemError, reasonOf, systemErrorCode } from "../errors/system_errors.ts";

/** What the program ends with: see the README. `differs` is for `plan --detailed-exitcode` alone. */
export const EXIT = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/** A mistake in how the program was called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The command whose help tells more, where one was named. */
  readonly command: string | null;

  constructor(message: string, command: string | null = null) {
    super(message);
    this.command = command;
  }
}

/** The work may be done, and only its answer could not be written. */
class UnwrittenAnswer extends Error {
  override readonly name = "UnwrittenAnswer";
}

/** Runs something that ends with an exit code; an error is explained, and has a code too. */
export async function withErrorsExplained(
  run: () => Promise<number>,
  { trace = false } = {},
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    printError(explainError(error));
    if (trace && error instanceof Error) printError(error.stack ?? "");
    return error instanceof ConfigurationError || error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

/** An error for a person. A trace means nothing to one: it is written only where it was asked for. */
export function explainError(error: unknown): string {
  if (error instanceof UsageError) {
    return `${error.message}\nSee: main.ts ${error.command === null ? "help" : `${error.command} --help`}`;
  }
  if (error instanceof ConfigurationError) return error.message;
  if (error instanceof UnwrittenAnswer) {
    return `${error.message}\nOnly the answer is missing: whatever the command did is done. See: main.ts list`;
  }
  if (error instanceof TrueNASError) return `${error.message}\n${remedyOf(error)}`;
  const what = error instanceof Error ? error.message : String(error);
  const system = describeSystemError(error);
  if (system !== null) return `It cannot go on: ${system}. --log-level DEBUG adds where this came from`;
  return `This program has a fault: ${what}\n` +
    "What was changed until then is in the journal. Please report it, with what --log-level DEBUG adds";
}

/**
 * Says lines on standard output. Whoever reads may have had enough (`list | head -1`): then the work goes on, and ends
 * with its own exit code.
 *
 * @throws {UnwrittenAnswer} when they cannot be written for another reason.
 */
export function print(text: string): void {
  answer(`${printable(text)}\n`);
}

/** Writes a file's text on standard output as it is, with its own line ends; otherwise as {@link print}. */
export function printFile(text: string): void {
  answer(text.split("\r\n").map(printable).join("\r\n"));
}

function answer(text: string): void {
  try {
    write(Deno.stdout, text);
  } catch (error) {
    if (systemErrorCode(error) === "EPIPE") return;
    throw new UnwrittenAnswer(`The answer could not be written: ${reasonOf(error)}`, { cause: error });
  }
}

/** Says lines on standard error. */
export function printError(text: string): void {
  writeLogLine(printable(text));
}

/** Whether a person can be asked. */
export function isInteractive(): boolean {
  return Deno.stdin.isTerminal();
}

/**
 * Asks on the terminal, and waits for a line.
 *
 * @returns the line, or null at the end of the input and when the signal ends the wait.
 */
export async function askLine(question: string, signal: AbortSignal): Promise<string | null> {
  write(Deno.stderr, `${printable(question)} `);
  const stopped = Promise.withResolvers<null>();
  const onStop = () => stopped.resolve(null);
  signal.addEventListener("abort", onStop, { once: true });
  try {
    return signal.aborted ? null : await Promise.race([readLine(), stopped.promise]);
  } finally {
    signal.removeEventListener("abort", onStop);
  }
}

/** A terminal hands over one line at a time. */
async function readLine(): Promise<string | null> {
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(4_096);
  for (let line = "";;) {
    const count = await Deno.stdin.read(bytes);
    if (count === null) return line === "" ? null : line;
    line += decoder.decode(bytes.subarray(0, count), { stream: true });
    if (line.includes("\n")) return line.slice(0, line.indexOf("\n"));
  }
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
