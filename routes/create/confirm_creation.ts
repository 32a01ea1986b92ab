/** Starts a creation whose plan was shown and confirmed. */
import type { CreationRequest } from "../../lib/plan/creation_input.ts";
import { paths } from "../../templates/paths.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { whyNotNow } from "../confirm.ts";
import type { Dashboard } from "../server/dashboard.ts";

/** The operation's page, or why nothing was created. */
export type ConfirmedCreation = { readonly next: string } | { readonly notice: string };

/** Creates what was planned, once for each token; a null request has mistakes. */
export async function confirmCreation(
  c: AppContext,
  { manager, tokens }: Dashboard,
  fields: URLSearchParams,
  request: CreationRequest | null,
): Promise<ConfirmedCreation> {
  const token = fields.get("token") ?? "";
  if (request === null || !tokens.knows(token)) return { notice: NOT_SHOWN };
  let notice = CHANGED;
  const shown = fields.get("plan") ?? "";
  const next = await tokens.redeem(token, async () => {
    const started = await manager.operations.startCreation(request, shown, { by: actorOf(c) });
    if (started.started) return paths.operation(started.operation.log.id);
    if (started.overlap !== null) notice = whyNotNow(started.overlap, "Nothing was created");
    return null;
  });
  return next === null ? { notice } : { next };
}

const NOT_SHOWN = "Nothing has been created yet. Check the plan below, then confirm it.";
const CHANGED =
  "The NAS, the form or a file that it names changed after the plan was shown. Nothing was created. Check the new plan below and confirm it.";
