/** Single values of config.yaml, each with the message for a wrong one. */
import { choiceExpected, isWithinRange, type Range, show, wholeNumberExpected } from "../inputs.ts";
import { z } from "../zod.ts";

/** A value that passes a check, or else the message for it. */
export function checkedValue<T>(
  isValid: (value: unknown) => value is T,
  explain: (value: unknown) => string,
) {
  return z.unknown().transform((value, context): T => {
    if (isValid(value)) return value;
    // Fatal: the checks of its parent do not run.
    context.addIssue({ code: "custom", message: explain(value), fatal: true });
    return z.NEVER;
  });
}

/** A whole number within a range. */
export function wholeNumber(what: string, range: Range) {
  return checkedValue(
    (value) => isWithinRange(value, range),
    (value) => wholeNumberExpected(what, range, value),
  ).meta({ type: "integer", minimum: range.lowest, maximum: range.highest });
}

/** true or false. */
export function flag(what: string) {
  return checkedValue(
    (value) => typeof value === "boolean",
    (value) => `${what} must be true or false, found ${show(value)}`,
  ).meta({ type: "boolean" });
}

/** One of several words. */
export function choice<T extends string>(what: string, choices: readonly T[]) {
  return checkedValue(
    (value): value is T => choices.some((known) => known === value),
    (value) => choiceExpected(what, choices, value),
  ).meta({ type: "string", enum: [...choices] });
}

/** A text that is not empty; `check` returns what is wrong with it. */
export function text(what: string, check: (text: string) => string | null = () => null) {
  return checkedValue(
    (value): value is string => typeof value === "string" && value !== "" && check(value) === null,
    (value) => {
      if (value === undefined || value === null || value === "") return `${what} is missing; enter it`;
      return typeof value === "string" && check(value) || `${what} must be text, found ${show(value)}`;
    },
  ).meta({ type: "string", minLength: 1 });
}

/** The error for a value that is absent or has the wrong type. */
export function otherwise(message: string) {
  return { error: ({ code }: { code: string }) => code === "invalid_type" ? message : undefined };
}

/** How a list is named in messages. */
export interface ListWords {
  readonly what: string;
  readonly most: number;
  /** `[curl, git]` */
  readonly example: string;
}

/** A list of at least one value. */
export function listOf<T>(value: z.ZodType<T>, { what, most, example }: ListWords) {
  const list = z.array(value, otherwise(`${what} must be a list: ${example}`));
  return list.superRefine((entries, context) => {
    if (entries.length > 0 && entries.length <= most) return;
    const message = entries.length === 0
      ? `${what} is empty; remove it, or write it like ${example}`
      : `${what} has ${entries.length} entries; the maximum is ${most}`;
    context.addIssue({ code: "custom", message });
  });
}
