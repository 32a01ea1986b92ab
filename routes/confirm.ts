/** Destroying takes a list that was shown, a phrase that was typed, and a token that works once: the same wherever it is asked. */
import type { Problem } from "../lib/errors/errors.ts";
import type { StartedOrReplanned } from "../lib/operations/runner.ts";
import { paths } from "../templates/paths.ts";
import type { WordsToType } from "../templates/props.ts";
import type { Dashboard } from "./server/dashboard.ts";
import type { AppContext } from "./server/context.ts";

/** What is confirmed: the exact set, and the words for it. */
export interface Confirmable {
  readonly fingerprint: string;
  readonly phrase: string;
}

/** What a page shows beside the list. */
export interface ShownAgain {
  readonly notice: string | null;
  readonly problems: readonly Problem[];
  /** As typed, by field. */
  readonly typed: Readonly<Record<string, string>>;
}

/** The parts that differ. */
export interface Confirmation<Plan extends Confirmable> {
  readonly makePlan: () => Promise<Plan>;
  /** What has to be typed into which field; default: the plan's phrase into `phrase`. */
  readonly wordsOf?: (plan: Plan) => readonly Pick<WordsToType, "field" | "words">[];
  /** What was asked for and cannot be done: then nothing of it is. Default: nothing. */
  readonly problemsOf?: (plan: Plan) => readonly Problem[];
  readonly begin: (shown: string) => Promise<StartedOrReplanned<Plan>>;
  readonly show: (plan: Plan, again: ShownAgain, status: 409 | 422) => Response;
}

/** A refusal for a script: what was wrong, with the plan as it is now. */
export function refusalJson<Plan>(
  plan: Plan,
  { notice, problems }: Pick<ShownAgain, "notice" | "problems">,
): { readonly error: string; readonly problems: readonly Problem[]; readonly plan: Plan } {
  const said = [...(notice === null ? [] : [notice]), ...problems.map(({ message }) => message)];
  return { error: said.join("; "), problems, plan };
}

function phraseOnly({ phrase }: Confirmable) {
  return [{ field: "phrase", words: phrase }];
}

/** Begins when everything agrees; otherwise shows the list as it is now, and says what was wrong. */
export async function confirm<Plan extends Confirmable>(
  c: AppContext,
  { manager, tokens }: Dashboard,
  fields: URLSearchParams,
  { makePlan, wordsOf = phraseOnly, problemsOf = () => [], begin, show }: Confirmation<Plan>,
): Promise<Response> {
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const [token, shown] = [text("token"), text("plan")];
  const typedFor = (plan: Plan) => Object.fromEntries(wordsOf(plan).map(({ field }) => [field, text(field)]));
  const changed = async (notice: string) => {
    const plan = await makePlan();
    return show(plan, { notice, problems: problemsOf(plan), typed: typedFor(plan) }, 409);
  };
  if (!tokens.knows(token)) {
    return await changed("Nothing was destroyed: this is the list as it is now. Confirm it.");
  }
  if (!tokens.isUsed(token)) {
    const plan = await makePlan();
    const problems = problemsOf(plan);
    const typed = typedFor(plan);
    if (problems.length > 0) return show(plan, { notice: "Nothing was destroyed.", problems, typed }, 422);
    const untyped = wordsOf(plan).filter(({ field, words }) =>
      text(field).toLowerCase() !== words.toLowerCase()
    );
    if (plan.fingerprint === shown && untyped.length > 0) {
      const missing = untyped.map(({ field, words }) => ({
        field,
        message: `Type ${words} to confirm; nothing was destroyed`,
      }));
      return show(plan, { notice: null, problems: missing, typed }, 422);
    }
    if (manager.operations.writing !== null) {
      return await changed(
        `Another operation is under way: ${manager.operations.writing.view.title}. Wait for its end; nothing was destroyed.`,
      );
    }
  }
  const led = await tokens.redeem(token, async () => {
    const started = await begin(shown);
    return started.started ? paths.operation(started.operation.log.id) : null;
  });
  if (led !== null) return c.redirect(led, 303);
  return await changed(
    "What is there has changed since the list was shown; nothing was destroyed. This is the list now.",
  );
}
