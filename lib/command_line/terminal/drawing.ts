/** What is sent to a terminal so that lines stay below everything that is printed. Pure. */
import { widthOf } from "./text_width.ts";

/** The cursor is seen again. */
export const SHOW_CURSOR = "\x1b[?25h";
const HIDE_CURSOR = "\x1b[?25l";
/** Between these a terminal that knows them shows nothing half-done; the others ignore them. */
const [BEGIN, END] = ["\x1b[?2026h", "\x1b[?2026l"] as const;
/** A line that turns out longer than the window is cut, so that it stays one line. */
const [CUT, WRAP] = ["\x1b[?7l", "\x1b[?7h"] as const;
const CLEAR_BELOW = "\x1b[J";
const CLEAR_LINE = "\x1b[K";

/** Text that is printed above the lines, which then are drawn in the place of those before. */
export function redrawn(
  before: readonly string[],
  { text, lines, columns }: {
    /** Empty, or whole lines. */
    readonly text: string;
    readonly lines: readonly string[];
    /** Of the window, now. */
    readonly columns: number;
  },
): string {
  const up = before.reduce((sum, line) => sum + rowsOf(line, columns), 0);
  const start = up === 0 ? "" : `\x1b[${up}A`;
  const clear = text === "" && up === before.length ? "" : CLEAR_BELOW;
  const drawing = lines.map((line) => `${line}${CLEAR_LINE}\n`).join("");
  const cursor = lines.length === 0 ? SHOW_CURSOR : HIDE_CURSOR;
  return `${BEGIN}${start}\r${clear}${text}${CUT}${drawing}${CLEAR_BELOW}${WRAP}${cursor}${END}`;
}

/** A window that became narrower has broken longer lines. */
function rowsOf(line: string, columns: number): number {
  return Math.max(1, Math.ceil(extentOf(line) / columns));
}

/** How far a line reaches; parts of it are at columns of their own. */
function extentOf(line: string): number {
  const [first = "", ...parts] = line.split("\x1b[");
  let extent = widthOf(first);
  for (const part of parts) {
    const [sequence = "", value, letter] = /^(\d*)([A-Za-z])/.exec(part) ?? [];
    if (letter === "G") extent = Number(value) - 1;
    extent += widthOf(part.slice(sequence.length));
  }
  return extent;
}
