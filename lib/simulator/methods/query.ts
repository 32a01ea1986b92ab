/** TrueNAS's query filters and options on rows in memory, like its filter_list. */
import { ERRNO } from "../../errors/errno.ts";
import { callError, type MethodError, notFound, plainException } from "../wire/wire_errors.ts";

/** A row of anything. */
export type Row = Readonly<Record<string, unknown>>;

/** The options of a query method, defaults filled in. */
export interface Options {
  readonly select?: readonly (string | readonly string[])[];
  readonly order_by?: readonly string[];
  readonly count?: boolean;
  readonly get?: boolean;
  readonly limit?: number;
  readonly offset?: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The operators of filters. */
export const OPERATORS: Readonly<Record<string, (found: unknown, wanted: unknown) => boolean>> = {
  "=": (a, b) => same(a, b),
  "!=": (a, b) => !same(a, b),
  ">": (a, b) => inOrder(a, b, [1]),
  ">=": (a, b) => inOrder(a, b, [0, 1]),
  "<": (a, b) => inOrder(a, b, [-1]),
  "<=": (a, b) => inOrder(a, b, [-1, 0]),
  "~": (a, b) => new RegExp(`^(?:${String(b)})`).test(String(a)),
  in: (a, b) => Array.isArray(b) && b.some((item) => same(a, item)),
  nin: (a, b) => Array.isArray(b) && !b.some((item) => same(a, item)),
  rin: (a, b) => has(a, b),
  rnin: (a, b) => a !== null && a !== undefined && !has(a, b),
  "^": (a, b) => typeof a === "string" && a.startsWith(String(b)),
  "!^": (a, b) => typeof a === "string" && !a.startsWith(String(b)),
  "$": (a, b) => typeof a === "string" && a.endsWith(String(b)),
  "!$": (a, b) => typeof a === "string" && !a.endsWith(String(b)),
};

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** -1, 0 or 1; null when the two cannot be put in order. */
function order(a: unknown, b: unknown): number | null {
  if (typeof a === "number" && typeof b === "number") return Math.sign(a - b);
  if (typeof a !== "string" || typeof b !== "string") return null;
  return a < b ? -1 : a > b ? 1 : 0;
}

function inOrder(a: unknown, b: unknown, wanted: readonly number[]): boolean {
  const found = order(a, b);
  return found !== null && wanted.includes(found);
}

function has(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return a.some((item) => same(item, b));
  return typeof a === "string" && typeof b === "string" && a.includes(b);
}

/** Filters, sorts, selects and counts. */
export function query(rows: readonly Row[], filters: readonly unknown[], options: Options = {}): unknown {
  const found = rows.filter((row) => filters.every((filter) => matches(row, filter)));
  if (options.get) {
    const [first] = found;
    if (first === undefined) throw noMatch();
    return select(first, options.select ?? []);
  }
  if (options.count) return found.length;
  const { limit = 0, offset = 0 } = options;
  const sorted = sort(found, options.order_by ?? []).slice(offset, limit > 0 ? offset + limit : undefined);
  return sorted.map((row) => select(row, options.select ?? []));
}

/** Choices whose values are their own labels. */
export function choicesOf(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, name]));
}

/** The row with this id, like get_instance. */
export function instance(rows: readonly Row[], id: unknown, what: string): Row {
  const row = rows.find((row) => row.id === id);
  if (row === undefined) throw notFound(`${what} ${String(id)} does not exist`);
  return row;
}

/** Python's error when one row is requested and none exists. */
export function noMatch(): MethodError {
  return plainException("MatchNotFound", "MatchNotFound()", "MatchNotFound()");
}

function matches(row: Row, filter: unknown): boolean {
  if (!Array.isArray(filter)) throw callError(ERRNO.EINVAL, `Invalid filter ${JSON.stringify(filter)}`);
  if (filter[0] === "OR" && filter.length === 2 && Array.isArray(filter[1])) {
    return filter[1].some((branch) => isFilter(branch) ? matches(row, branch) : allMatch(row, branch));
  }
  const [field, operator, wanted] = filter;
  const compare = typeof operator === "string" ? OPERATORS[operator] : undefined;
  if (typeof field !== "string" || compare === undefined || filter.length !== 3) {
    throw callError(ERRNO.EINVAL, `Invalid filter ${JSON.stringify(filter)}`);
  }
  return compare(valueAt(row, field), wanted);
}

function isFilter(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === "string";
}

function allMatch(row: Row, branch: unknown): boolean {
  return Array.isArray(branch) && branch.every((filter) => matches(row, filter));
}

function valueAt(row: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (value, key) => typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    row,
  );
}

function sort(rows: readonly Row[], orderBy: readonly string[]): readonly Row[] {
  return orderBy.toReversed().reduce((sorted, by) => {
    const descending = by.startsWith("-");
    const field = by.replace(/^-/, "").replace(/^nulls_(first|last):-?/, "");
    const sign = descending ? -1 : 1;
    return sorted.toSorted((a, b) => sign * (order(valueAt(a, field), valueAt(b, field)) ?? 0));
  }, rows);
}

/** A field keeps its place in the row; a pair renames it. */
function select(row: Row, fields: readonly (string | readonly string[])[]): Row {
  if (fields.length === 0) return row;
  const picked: Record<string, unknown> = {};
  for (const field of fields) {
    const [path = "", name] = typeof field === "string" ? [field] : field;
    if (name === undefined) put(picked, path.split("."), valueAt(row, path));
    else picked[name] = valueAt(row, path);
  }
  return picked;
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    into[key] = value;
    return;
  }
  const known = into[key];
  const inner = typeof known === "object" && known !== null ? { ...known } : {};
  put(inner, rest, value);
  into[key] = inner;
}
