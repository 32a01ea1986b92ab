/** Checks a query's filters and options like TrueNAS does before it reads any row. */
import { OPERATORS } from "./query.ts";
import { ERRNO } from "../../errors/errno.ts";
import { type Invalid, type MethodError, plainException, validationErrors } from "../wire/wire_errors.ts";

const HIGHEST_LIMIT = 10_000;

/** How a release checks queries. */
interface QueryRules {
  /** Whether the options' own check refuses a limit above 10,000 (25.10 and 26); later their schema does. */
  readonly checksLimit: boolean;
  /** Whether the query itself checks the filters, as the older engine does. */
  readonly isLegacy: boolean;
}

/** The mistake in the query of a call; null when there is none, or when the method is not a query. */
export function queryProblem(
  names: readonly string[],
  args: readonly unknown[],
  { checksLimit, isLegacy }: QueryRules,
): MethodError | null {
  const filters = names.findIndex((name) => /^(query[_-])?filters$/.test(name));
  const options = names.findIndex((name) => /^(query[_-])?options$/.test(name));
  if (filters < 0) return null;
  const errors: Invalid[] = [];
  const wrong = filterProblem(args[filters]);
  if (wrong !== null && isLegacy) return plainException("ValueError", wrong);
  if (wrong !== null) errors.push([names[filters] ?? "", `Value error, ${wrong}`, ERRNO.EINVAL]);
  const { limit = 0 } = (args[options] ?? {}) as { limit?: number };
  if (checksLimit && limit > HIGHEST_LIMIT) {
    const message = `Value error, Options limit must be between 1 and ${HIGHEST_LIMIT}`;
    errors.push([names[options] ?? "", message, ERRNO.EINVAL]);
  }
  return errors.length === 0 ? null : validationErrors(errors);
}

function filterProblem(filters: unknown): string | null {
  if (!Array.isArray(filters)) return null;
  return filters.map(oneProblem).find((wrong) => wrong !== null) ?? null;
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
