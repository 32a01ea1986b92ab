/** The process: its output, its exit codes and facts about it. */
import fs from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import { runtime } from "../runtime/runtime.ts";
import { ConfigurationError, remedyOf, TrueNASError } from "../errors/errors.ts";
import { redrawn, SHOW_CURSOR } from "./terminal/drawing.ts";
import { PROGRAM } from "./program_name.ts";
import { printable } from "./terminal/printable.ts";
import type { Screen } from "./terminal/live_progress.ts";
import type { WindowSize } from "./terminal/progress_frame.ts";
import { describeSystemError, reasonOf, systemErrorCode } from "../errors/system_errors.ts";

/** Exit codes, as documented in the README. `differs` is used by `plan --detailed-exitcode` only. */
export const EXIT = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/** The program was called incorrectly. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The command whose help explains more, if one was named. */
  readonly command: string | null;

  constructor(message: string, command: string | null = null) {
    super(message);
    this.command = command;
  }
}

/** The work may have succeeded; only its output could not be written. */
class UnwrittenAnswer extends Error {
  override readonly name = "UnwrittenAnswer";
}

/** Runs a function that returns an exit code; explains its error and returns the matching code. */
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

/** An error as text for a person. A stack trace is added only at --log-level DEBUG. */
export function explainError(error: unknown): string {
  if (error instanceof UsageError) {
    return `${error.message}\nSee: ${PROGRAM} ${error.command === null ? "help" : `${error.command} --help`}`;
  }
  if (error instanceof ConfigurationError) return error.message;
  if (error instanceof UnwrittenAnswer) {
    return `${error.message}\nOnly the output is missing; any completed changes took effect. Check them with ${PROGRAM} list`;
  }
  if (error instanceof TrueNASError) return `${error.message}\n${remedyOf(error)}`;
  const what = error instanceof Error ? error.message : String(error);
  const system = describeSystemError(error);
  if (system !== null) {
    return `Stopped by an error${placeOf(what)}: ${system}. Run again with --log-level DEBUG for details`;
  }
  return `Internal error: ${what}\n` +
    "Completed changes are in the journal. Please report this error with the output of --log-level DEBUG";
}

/** The file that the message of a system error names at its end, with the words before it. */
function placeOf(message: string): string {
  const [, path, temporary] = /(?:'([^']+)'|: (tmpdir))$/.exec(message) ?? [];
  if (temporary !== undefined) return " in the folder of temporary files, /tmp or TMPDIR";
  return path === undefined ? "" : ` with ${path}`;
}

/**
 * Prints text and a newline on standard output. If the reader closed the pipe (`list | head -1`), the work continues and
 * keeps its own exit code.
 *
 * @throws {UnwrittenAnswer} when the text cannot be written for another reason.
 */
export function print(text: string): void {
  answer(`${printable(text)}\n`);
}

/** Prints a file's text unchanged, with its own line ends; otherwise like {@link print}. */
export function printFile(text: string): void {
  answer(text.split("\r\n").map(printable).join("\r\n"));
}

function answer(text: string): void {
  try {
    write(STDOUT, text);
  } catch (error) {
    if (systemErrorCode(error) === "EPIPE") return;
    throw new UnwrittenAnswer(`Cannot write the output: ${reasonOf(error)}`, { cause: error });
  }
}

/** Prints text and a newline on standard error. */
export function printError(text: string): void {
  writeLogLine(printable(text));
}

/** Whether there is a person to ask. */
export function isInteractive(): boolean {
  return isatty(STDIN);
}

/**
 * Asks on the terminal and waits for a line.
 *
 * @returns the line, or null at the end of input or when the signal aborts.
 */
export async function askLine(question: string, signal: AbortSignal): Promise<string | null> {
  draw([]);
  isAsking = true;
  send(STDERR, `${printable(question)} `);
  const stopped = Promise.withResolvers<null>();
  const onStop = () => stopped.resolve(null);
  signal.addEventListener("abort", onStop, { once: true });
  try {
    return signal.aborted ? null : await Promise.race([readLine(), stopped.promise]);
  } finally {
    isAsking = false;
    signal.removeEventListener("abort", onStop);
  }
}

/** In its normal mode a terminal delivers one line per read. */
async function readLine(): Promise<string | null> {
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(4_096);
  for (let line = "";;) {
    const { bytesRead: count } = await read(STDIN, bytes, 0, bytes.length, null);
    if (count === 0) return line === "" ? null : line;
    line += decoder.decode(bytes.subarray(0, count), { stream: true });
    if (line.includes("\n")) return line.slice(0, line.indexOf("\n"));
  }
}

/** Writes a log line on standard error. */
export function writeLogLine(line: string): void {
  try {
    write(STDERR, `${line}\n`);
  } catch {
    // A closed log pipe must not stop the work, and there is nowhere to report it.
  }
}

const [STDIN, STDOUT, STDERR] = [0, 1, 2];

const read = promisify(fs.read);

/** What is drawn below everything that is printed. */
let drawn: readonly string[] = [];
/** Nothing is drawn where an answer is typed. */
let isAsking = false;

/** The terminal as a window to draw in; null when the output goes elsewhere. */
export function openScreen({ colors }: Pick<Screen, "colors">): Screen | null {
  return isatty(STDOUT) ? { size: windowSize, draw, colors } : null;
}

/** A terminal that knows no size has the usual one. */
function windowSize(): WindowSize {
  const { columns, rows } = process.stdout;
  return { columns: columns || 80, rows: rows || 24 };
}

function draw(lines: readonly string[]): void {
  if (isAsking || drawn.length + lines.length === 0) return;
  const before = drawn;
  drawn = lines;
  try {
    send(STDOUT, redrawn(before, { text: "", lines, ...windowSize() }));
  } catch {
    // A terminal that is gone must not stop the work.
  }
}

/** Shows the cursor, which whatever was drawn has hidden. */
export function showCursor(): void {
  if (isatty(STDOUT)) send(STDOUT, SHOW_CURSOR);
}

function write(to: number, text: string): void {
  const lines = drawn;
  if (lines.length === 0 || !isatty(to)) send(to, text);
  else send(to, redrawn(lines, { text, lines, ...windowSize() }));
}

function send(to: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += fs.writeSync(to, bytes.subarray(at));
}

/** A program that is run for each VM. */
export interface ShellCommand {
  readonly shell: string;
  readonly command: string;
  /** Added to the program's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets what it writes, line by line. */
  readonly line: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Runs a command in a shell, and returns its exit code. */
export async function runShell({ shell, command, env, line, signal }: ShellCommand): Promise<number> {
  const follow = async (output: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    let rest = "";
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(line);
    }
    if (rest !== "") line(rest);
  };
  return await runtime.run({ program: shell, args: ["-c", command], env, follow, signal });
}

/** The process id. */
export function processId(): number {
  return process.pid;
}

/** Resident memory of the process, in bytes. */
export function residentBytes(): number {
  return process.memoryUsage.rss();
}
