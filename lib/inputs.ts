/** Reads values that people enter, and says which values are possible. Pure. */

/** The whole numbers that a value can be. */
export interface Range {
  readonly lowest: number;
  readonly highest: number;
  /** Placed after the numbers in messages: ` MiB`. */
  readonly unit?: string;
}

/** Ports to listen on; 0 picks a free one. */
export const LISTEN_PORTS: Range = { lowest: 0, highest: 65_535 };

/** Ids and sequence numbers. */
export const IDS: Range = { lowest: 0, highest: Number.MAX_SAFE_INTEGER };

/** A whole number from decimal digits; null when the text is anything else or the number is out of range. */
export function parseWholeNumber(text: string, range: Range): number | null {
  return /^\d+$/.test(text) && isWithinRange(Number(text), range) ? Number(text) : null;
}

/** The number, or the text if it is not a number. An empty field does not count as 0. */
export function numberOf(typed: string): number | string | undefined {
  if (typed === "") return undefined;
  return /^[+-]?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
}

const MIB_BY_UNIT: Readonly<Record<string, number>> = { m: 1, g: 1024, t: 1024 * 1024 };

/** `4 GiB` or `2.5G` in MiB; a number alone is MiB already, and anything else is left as it was typed. */
export function mibOf(typed: string): number | string | undefined {
  return sizeOf(typed, 1);
}

/** `20 GiB` or `1 TiB` in GiB; a number alone is GiB already, and anything else is left as it was typed. */
export function gibOf(typed: string): number | string | undefined {
  return sizeOf(typed, 1024);
}

/** A size in the unit of so many MiB. */
function sizeOf(typed: string, unitMib: number): number | string | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([mgt])(?:i?b)?$/i.exec(typed) ?? [];
  const factor = MIB_BY_UNIT[unit?.toLowerCase() ?? ""];
  return amount === undefined || factor === undefined ? numberOf(typed) : Number(amount) * factor / unitMib;
}

/** Whether a value is a whole number in the range. */
export function isWithinRange(value: unknown, { lowest, highest }: Range): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= lowest && value <= highest;
}

/** The message for a value that is not in the range: `PORT must be a whole number from 0 to 65535, found "x"`. */
export function wholeNumberExpected(
  what: string,
  { lowest, highest, unit = "" }: Range,
  found: unknown,
): string {
  const expected = `a whole number from ${lowest} to ${highest}${unit}`;
  return found === undefined || found === null
    ? `${what} is missing; enter ${expected}`
    : `${what} must be ${expected}, found ${show(found)}`;
}

/** The message for a value that is none of the choices: `--on-failure must be roll-back, keep, stop; found "x"`. */
export function choiceExpected(what: string, choices: readonly string[], found: unknown): string {
  return `${what} must be ${choices.join(", ")}${found === undefined ? "" : `; found ${show(found)}`}`;
}

/** The longest value that a message repeats as a whole: longer than any name that TrueNAS accepts. */
const MAX_SHOWN_CHARS = 160;
/** What it repeats of a longer one. */
const EXCERPT_CHARS = 40;

/** A value in a message; callers of the library can pass values that JSON cannot represent. */
export function show(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string" && value.length > MAX_SHOWN_CHARS) {
    return `${JSON.stringify(`${value.slice(0, EXCERPT_CHARS)}…`)} (${value.length} characters)`;
  }
  if (typeof value === "bigint") return `${value}n`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return "a value that is not plain data";
  }
}
