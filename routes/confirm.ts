/** Confirms a destruction: the list must be the one that was shown, the phrase must match, and the token works once. */
import type { Problem } from "../lib/errors/errors.ts";
import type { StartedOrReplanned } from "../lib/operations/operations.ts";
import { describeOverlap, type Overlap } from "../lib/operations/turns/claims.ts";
import { paths } from "../templates/paths.ts";
import type { Dashboard } from "./server/dashboard.ts";
import type { AppContext } from "./server/context.ts";
import type { WordsToType } from "../templates/pages/destroy_page.tsx";

/** A plan to confirm: its fingerprint and its phrase. */
export interface Confirmable {
  readonly fingerprint: string;
  readonly phrase: string;
}

/** What a page shows with the plan if the confirmation is refused. */
export interface ShownAgain {
  readonly notice: string | null;
  readonly problems: readonly Problem[];
  /** As typed, by field. */
  readonly typed: Readonly<Record<string, string>>;
}

/** What differs between the pages that destroy something. */
export interface Confirmation<Plan extends Confirmable> {
  readonly makePlan: () => Promise<Plan>;
  /** The words to type, by field; by default the plan's phrase in `phrase`. */
  readonly wordsOf?: (plan: Plan) => readonly Pick<WordsToType, "field" | "words">[];
  /** Problems with the request; if there are any, nothing is done. By default none. */
  readonly problemsOf?: (plan: Plan) => readonly Problem[];
  /** What a refusal says has not been done; by default `Nothing was destroyed`. */
  readonly nothing?: string;
  /** What differs from the request that was shown, in words; by default nothing. */
  readonly changedOf?: () => string | null;
  readonly start: (shown: string) => Promise<StartedOrReplanned<Plan>>;
  readonly show: (plan: Plan, again: ShownAgain, status: 409 | 422) => Response;
}

/** A refusal as JSON, with the current plan. */
export function refusalJson<Plan>(
  plan: Plan,
  { notice, problems }: Pick<ShownAgain, "notice" | "problems">,
): { readonly error: string; readonly problems: readonly Problem[]; readonly plan: Plan } {
  const errors = [...(notice === null ? [] : [notice]), ...problems.map(({ message }) => message)];
  return { error: errors.join("; "), problems, plan };
}

function phraseOnly({ phrase }: Confirmable) {
  return [{ field: "phrase", words: phrase }];
}

/** Why something that was confirmed is not done while another operation runs. */
export function whyNotNow(overlap: Overlap, nothing: string): string {
  return `${describeOverlap(overlap)}. ${nothing}. Try again when it has finished.`;
}

/** Starts the operation if everything matches; otherwise shows the current plan and the problems. */
export async function confirm<Plan extends Confirmable>(
  c: AppContext,
  { tokens }: Dashboard,
  fields: URLSearchParams,
  {
    makePlan,
    wordsOf = phraseOnly,
    problemsOf = () => [],
    changedOf = () => null,
    start,
    show,
    nothing = "Nothing was destroyed",
  }: Confirmation<Plan>,
): Promise<Response> {
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const [token, shown] = [text("token"), text("plan")];
  const typedFor = (plan: Plan) => Object.fromEntries(wordsOf(plan).map(({ field }) => [field, text(field)]));
  const changed = async (notice: string) => {
    const plan = await makePlan();
    return show(plan, { notice, problems: problemsOf(plan), typed: typedFor(plan) }, 409);
  };
  if (!tokens.knows(token)) {
    return await changed(
      `This form has expired. ${nothing}. Check the current list below and confirm it.`,
    );
  }
  if (!tokens.isUsed(token)) {
    const different = changedOf();
    if (different !== null) return await changed(different);
    const plan = await makePlan();
    const problems = problemsOf(plan);
    const typed = typedFor(plan);
    if (problems.length > 0) {
      return show(
        plan,
        { notice: `${nothing}. See what is wrong below.`, problems, typed },
        422,
      );
    }
    const mismatched = wordsOf(plan).filter(({ field, words }) =>
      text(field).toLowerCase() !== words.toLowerCase()
    );
    if (plan.fingerprint === shown && mismatched.length > 0) {
      const mismatches = mismatched.map(({ field, words }) => ({
        field,
        message: `The phrase did not match. ${nothing}. Type ${words} to confirm`,
      }));
      return show(plan, { notice: null, problems: mismatches, typed }, 422);
    }
  }
  let overlap: Overlap | null = null;
  const next = await tokens.redeem(token, async () => {
    const started = await start(shown);
    if (started.started) return paths.operation(started.operation.log.id);
    ({ overlap } = started);
    return null;
  });
  if (next !== null) return c.redirect(next, 303);
  return await changed(
    overlap === null
      ? `The VMs or disks changed after the list was shown. ${nothing}. Check the current list below and confirm it.`
      : whyNotNow(overlap, nothing),
  );
}
