/** Destroying: what would go, the typed confirmation, and the operation. */
import { type Context, Hono } from "hono";
import { DEFAULT_PREFIXES } from "../lib/plan/destruction.ts";
import { DestroyPage } from "../templates/pages/destroy_page.tsx";
import type { DestroyProps, DestroyWish } from "../templates/props.ts";
import { confirm } from "./confirm.ts";
import { actorOf, type Dashboard, pageFrame, sendPage } from "./dashboard.ts";
import { prefixesOf, readForm } from "./forms.ts";

/** GET /destroy, POST /destroy. */
export function destroyRoutes(dashboard: Dashboard): Hono {
  const { manager } = dashboard;
  const app = new Hono();
  app.get("/destroy", async (c) => {
    const wish = wishOf(new URL(c.req.url).searchParams);
    return show(c, dashboard, { plan: await manager.planDestruction(requestOf(wish)), wish }, 200);
  });
  app.post("/destroy", async (c) => {
    const fields = await readForm(c.req.raw);
    if (fields === null || !fields.has("phrase")) {
      const wish = wishOf(new URLSearchParams());
      const plan = await manager.planDestruction(requestOf(wish));
      const notice = "The form did not arrive: nothing was destroyed.";
      return show(c, dashboard, { plan, wish, notice }, 400);
    }
    const wish = wishOf(fields);
    const request = requestOf(wish);
    return await confirm(c, dashboard, fields, {
      makePlan: () => manager.planDestruction(request),
      begin: (shown) => manager.beginDestruction(request, shown, { by: actorOf(c) }),
      show: (plan, again, status) => show(c, dashboard, { plan, wish, ...again }, status),
    });
  });
  return app;
}

/** What a person asks for, from a URL or a form. */
function wishOf(fields: URLSearchParams): DestroyWish {
  return {
    prefixes: fields.get("prefixes")?.trim() ?? DEFAULT_PREFIXES.join(", "),
    vms: fields.getAll("vm"),
    keepDisks: fields.get("keep") === "yes",
    shutdown: fields.get("shutdown") === "yes",
  };
}

function requestOf({ prefixes, vms, keepDisks, shutdown }: DestroyWish) {
  return { prefixes: prefixesOf(prefixes), unmarked: vms, keepDisks, shutdown };
}

type Shown = Pick<DestroyProps, "plan" | "wish"> & Partial<DestroyProps>;

function show(c: Context, dashboard: Dashboard, shown: Shown, status: 200 | 400 | 409 | 422): Response {
  const token = dashboard.tokens.issue();
  const destroy = { phrase: "", notice: null, problems: [], token, ...shown };
  return sendPage(c, <DestroyPage frame={pageFrame(c, dashboard)} destroy={destroy} />, status);
}
