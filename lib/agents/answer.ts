/** What a tool answers to an agent. Pure. */
import { ConfigurationError, remedyOf, TrueNASError } from "../errors/errors.ts";
import { describeSystemError } from "../errors/system_errors.ts";
import { NotApproved } from "./approvals.ts";

/** An answer: words or JSON. */
export interface Answer {
  readonly text: string;
  /** Whether it says why something was not done. */
  readonly isError: boolean;
}

/** Longer answers would fill an agent's memory, so it has to ask for less. */
const MAX_ANSWER_CHARS = 200_000;

/** Data as JSON. */
export function answerJson(value: unknown, { isError = false } = {}): Answer {
  const text = JSON.stringify(value);
  if (text.length <= MAX_ANSWER_CHARS) return { text, isError };
  return refusal(
    `The answer would have ${text.length} characters; at most ${MAX_ANSWER_CHARS} are sent. Nothing was changed. ` +
      "Ask for less: name types, or set a lower limit",
  );
}

/** Words. */
export function answerText(text: string): Answer {
  return { text: text.slice(0, MAX_ANSWER_CHARS), isError: false };
}

/** Why something was not done, what state things are in, and what to do. */
export function refusal(text: string): Answer {
  return { text: text.slice(0, MAX_ANSWER_CHARS), isError: true };
}

/** An error as an answer. */
export function answerError(error: unknown): Answer {
  if (error instanceof NotApproved) return refusal(error.message);
  if (error instanceof ConfigurationError) {
    return refusal(`${error.message}\nNothing was changed. Correct this, then try again.`);
  }
  if (error instanceof TrueNASError) return refusal(`${error.message}\n${remedyOf(error)}`);
  const what = describeSystemError(error) ?? (error instanceof Error ? error.message : String(error));
  return refusal(
    `Stopped by an error: ${what}\nCompleted changes are in the journal: see the tool status. A person can find more in the log.`,
  );
}
