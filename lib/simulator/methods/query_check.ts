/** What TrueNAS refuses of a query's filters and options before it looks at any row. */
import { OPERATORS } from "./query.ts";
import { ERRNO } from "../../errors/errno.ts";
import { type Invalid, type MethodError, plainException, validationErrors } from "../wire/wire_errors.ts";

const HIGHEST_LIMIT = 10_000;

/** Which arguments of a method are filters and options. */
function positions(names: readonly string[]): { readonly filters: number; readonly options: number } {
  return {
    filters: names.findIndex((name) => /^(query[_-])?filters$/.test(name)),
    options: names.findIndex((name) => /^(query[_-])?options$/.test(name)),
  };
}

/** How a release checks queries. */
export interface QueryRules {
  /** A limit above 10,000 is refused in the options' own check (25.10 and 26); later by their schema. */
  readonly limits: boolean;
  /** The older engine leaves filters to the query itself. */
  readonly isLegacy: boolean;
}

/** What is wrong with the query of a call; null when nothing is, or when the method is no query. */
export function queryProblem(
  names: readonly string[],
  args: readonly unknown[],
  { limits, isLegacy }: QueryRules,
): MethodError | null {
  const { filters, options } = positions(names);
  if (filters < 0) return null;
  const errors: Invalid[] = [];
  const wrong = filterProblem(args[filters]);
  if (wrong !== null && isLegacy) return plainException("ValueError", wrong);
  if (wrong !== null) errors.push([names[filters] ?? "", `Value error, ${wrong}`, ERRNO.EINVAL]);
  const { limit = 0 } = (args[options] ?? {}) as { limit?: number };
  if (limits && limit > HIGHEST_LIMIT) {
    const message = `Value error, Options limit must be between 1 and ${HIGHEST_LIMIT}`;
    errors.push([names[options] ?? "", message, ERRNO.EINVAL]);
  }
  return errors.length === 0 ? null : validationErrors(errors);
}

function filterProblem(filters: unknown): string | null {
  if (!Array.isArray(filters)) return null;
  for (const filter of filters) {
    const wrong = oneProblem(filter);
    if (wrong !== null) return wrong;
  }
  return null;
}

function oneProblem(filter: unknown): string | null {
  if (!Array.isArray(filter)) return `Filter must be a list or tuple: ${inPython(filter)}`;
  if (filter.length === 2) {
    const [word, branches] = filter;
    if (word !== "OR" || !Array.isArray(branches)) return `Invalid filter ${inPython(filter)}`;
    const flat = branches.flatMap((branch) => Array.isArray(branch?.[0]) ? branch : [branch]);
    return filterProblem(flat);
  }
  if (filter.length !== 3) return `Invalid filter ${inPython(filter)}`;
  const [, operator] = filter;
  return typeof operator === "string" && operator in OPERATORS
    ? null
    : `Invalid operation: ${String(operator)}`;
}

/** A value as Python writes it. */
function inPython(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inPython).join(", ")}]`;
  if (typeof value === "string") return `'${value}'`;
  if (value === null) return "None";
  return typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value);
}
