/** Destroying: what would go, the typed confirmation, and the operation. */
import { type Context, Hono } from "hono";
import type { Problem } from "../lib/errors.ts";
import { DEFAULT_PREFIXES } from "../lib/plan/destruction.ts";
import type { DestructionPlan } from "../lib/plan/types.ts";
import { DestroyPage } from "../templates/pages/destroy_page.tsx";
import { paths } from "../templates/paths.ts";
import { type Dashboard, pageFrame, sendPage } from "./dashboard.ts";
import { prefixesOf, readForm } from "./forms.ts";

/** GET /destroy, POST /destroy. */
export function destroyRoutes(dashboard: Dashboard): Hono {
  const { manager } = dashboard;
  const app = new Hono();
  app.get("/destroy", async (c) => {
    const prefixes = c.req.query("prefixes") ?? DEFAULT_PREFIXES.join(", ");
    const plan = await manager.planDestruction(prefixesOf(prefixes), c.req.queries("vm") ?? []);
    return show(c, dashboard, { plan, prefixes }, 200);
  });
  app.post("/destroy", async (c) => {
    const fields = await readForm(c.req.raw);
    if (fields === null || !fields.has("phrase")) {
      const prefixes = DEFAULT_PREFIXES.join(", ");
      const plan = await manager.planDestruction(DEFAULT_PREFIXES, []);
      return show(
        c,
        dashboard,
        { plan, prefixes, notice: "The form did not arrive: nothing was destroyed." },
        400,
      );
    }
    return await destroy(c, dashboard, fields);
  });
  return app;
}

async function destroy(c: Context, dashboard: Dashboard, fields: URLSearchParams): Promise<Response> {
  const { manager, tokens } = dashboard;
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const [prefixes, phrase, token, shown] = [text("prefixes"), text("phrase"), text("token"), text("plan")];
  const request = { prefixes: prefixesOf(prefixes), unmarked: fields.getAll("vm") };
  const planAgain = () => manager.planDestruction(request.prefixes, request.unmarked);
  const again = async (
    status: 409 | 422,
    notice: string | null,
    problems: (plan: DestructionPlan) => Problem[],
  ) => {
    const plan = await planAgain();
    return show(c, dashboard, { plan, prefixes, phrase, notice, problems: problems(plan) }, status);
  };
  if (!tokens.knows(token)) {
    return await again(409, "Nothing was destroyed: this is the list as it is now. Confirm it.", () => []);
  }
  if (!tokens.isUsed(token)) {
    const plan = await planAgain();
    if (plan.fingerprint === shown && phrase.toLowerCase() !== plan.phrase) {
      return await again(422, null, wrongPhrase);
    }
    if (manager.writing !== null) {
      const notice =
        `Another operation is under way: ${manager.writing.view.title}. Wait for its end; nothing was destroyed.`;
      return await again(409, notice, () => []);
    }
  }
  const led = await tokens.redeem(token, async () => {
    const begun = await manager.beginDestruction(request, shown);
    return begun.begun ? paths.operation(begun.operation.log.id) : null;
  });
  if (led !== null) return c.redirect(led, 303);
  return await again(
    409,
    "The VMs have changed since the list was shown; nothing was destroyed. This is the list now.",
    () => [],
  );
}

function wrongPhrase({ phrase }: DestructionPlan): Problem[] {
  return [{ field: "phrase", message: `Type ${phrase} to confirm; nothing was destroyed` }];
}

interface Shown {
  readonly plan: DestructionPlan;
  readonly prefixes: string;
  readonly phrase?: string;
  readonly notice?: string | null;
  readonly problems?: readonly Problem[];
}

function show(c: Context, dashboard: Dashboard, shown: Shown, status: 200 | 400 | 409 | 422): Response {
  const token = dashboard.tokens.issue();
  const destroy = { phrase: "", notice: null, problems: [], token, ...shown };
  return sendPage(c, <DestroyPage frame={pageFrame(c, dashboard)} destroy={destroy} />, status);
}
