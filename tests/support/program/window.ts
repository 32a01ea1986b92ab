/** A window of a real terminal (tmux), in which a program runs: what a person sees is asserted, not what was sent. */
import assert from "node:assert/strict";
import { consume } from "../consumers.ts";

/** How a window is opened. */
export interface WindowOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly cwd: string;
  /** Added to the own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An open window. */
export interface TerminalWindow {
  /** What is seen; with its colours as escape sequences if asked for. */
  readonly text: (options?: { readonly colors: boolean }) => Promise<string>;
  /** What is seen, and what has scrolled away. */
  readonly whole: () => Promise<string>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** Types keys as tmux names them: `Enter`, `C-c`. */
  readonly type: (...keys: string[]) => Promise<void>;
  readonly isCursorSeen: () => Promise<boolean>;
  /** Waits until what is seen satisfies it, and returns that. */
  readonly until: (isIt: (text: string) => boolean) => Promise<string>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const PATIENCE_MS = 20_000;

/** The last line that is seen once the program has ended. */
export const ENDED = /^ended with (\d+)$/m;

let windows = 0;

/** Runs a program in a window, which stays open after its end. */
export async function openWindow(
  [program, ...args]: readonly [string, ...string[]],
  { columns = 80, rows = 24, cwd, env = {} }: WindowOptions,
): Promise<TerminalWindow> {
  const socket = `test-${Deno.pid}-${windows++}`;
  const tmux = async (...words: string[]) => {
    const { code, stdout, stderr } = await consume("tmux", ["-u", "-f", "/dev/null", "-L", socket, ...words]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  // What continuous integration sets has a meaning to the program.
  const variables = Object.entries({ CI: "", NO_COLOR: "", ...env }).flatMap(([name, value]) => [
    "-e",
    `${name}=${value}`,
  ]);
  // The shell outlives Ctrl+C, which is typed for the program.
  const script = 'trap : INT; "$0" "$@"; echo "ended with $?"; exec sleep 60';
  await tmux(
    ...["new-session", "-d", "-x", String(columns), "-y", String(rows), "-c", cwd, ...variables],
    ...["--", "sh", "-c", script, program, ...args],
  );
  const text = async ({ colors } = { colors: false }) =>
    await tmux("capture-pane", "-p", ...(colors ? ["-e"] : []));
  return {
    text,
    whole: () => tmux("capture-pane", "-p", "-J", "-S", "-"),
    resize: async (width, height) => {
      await tmux("resize-window", "-x", String(width), "-y", String(height));
    },
    type: async (...keys) => {
      await tmux("send-keys", ...keys);
    },
    isCursorSeen: async () => (await tmux("display-message", "-p", "#{cursor_flag}")).trim() === "1",
    until: async (isIt) => {
      const end = performance.now() + PATIENCE_MS;
      for (;;) {
        const seen = await text();
        if (isIt(seen)) return seen;
        assert.ok(performance.now() < end, `it is not seen:\n${seen}`);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await tmux("kill-server");
    },
  };
}
