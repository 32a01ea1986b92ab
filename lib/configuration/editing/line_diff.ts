/** What changes between two texts, line by line. Pure. */
import { structuredPatch } from "npm:diff@9.0.0";

/** A line of a comparison. */
export interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
  /** Its number in the old text; null for an added line. */
  readonly before: number | null;
  /** Its number in the new text; null for a removed line. */
  readonly after: number | null;
}

/** Lines that stand together: changes and the lines around them. */
export type DiffPart = readonly DiffLine[];

/** Unchanged lines that are shown before and after a change. */
const AROUND = 3;

/** Texts that differ more are shown as one replaced by the other, because comparing them would take too long. */
const MAX_CHANGES = 1_000;

/** The changed parts; none when the texts are equal. A line end at the very end does not count. */
export function lineDiff(before: string, after: string): readonly DiffPart[] {
  const [old, next] = [linesOf(before), linesOf(after)];
  if (old === next) return [];
  const patch = structuredPatch("", "", old, next, "", "", { context: AROUND, maxEditLength: MAX_CHANGES });
  if (patch === undefined) return [replaced(old, next)];
  return patch.hunks.map(({ oldStart, newStart, lines }) => numbered(lines, oldStart, newStart));
}

/** How many lines go and come. */
export function countChanges(
  parts: readonly DiffPart[],
): { readonly removed: number; readonly added: number } {
  const count = (kind: DiffLine["kind"]) =>
    parts.reduce((sum, part) => sum + part.filter((line) => line.kind === kind).length, 0);
  return { removed: count("removed"), added: count("added") };
}

function linesOf(text: string): string {
  const lines = text.replaceAll("\r\n", "\n");
  return lines === "" || lines.endsWith("\n") ? lines : `${lines}\n`;
}

const KINDS: Readonly<Record<string, DiffLine["kind"]>> = { " ": "same", "-": "removed", "+": "added" };

function numbered(lines: readonly string[], oldStart: number, newStart: number): DiffPart {
  let [before, after] = [oldStart, newStart];
  return lines.flatMap((line): DiffLine[] => {
    const kind = KINDS[line[0] ?? ""];
    if (kind === undefined) return [];
    return [{
      kind,
      text: line.slice(1),
      before: kind === "added" ? null : before++,
      after: kind === "removed" ? null : after++,
    }];
  });
}

function replaced(old: string, next: string): DiffPart {
  const signed = (text: string, sign: string) => text.split("\n").slice(0, -1).map((line) => sign + line);
  return numbered([...signed(old, "-"), ...signed(next, "+")], 1, 1);
}
