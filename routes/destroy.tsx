/** Destroying: what would go, the typed confirmation, and the operation. */
import { type Context, Hono } from "hono";
import { vmTypes } from "../lib/config.ts";
import { ConfigurationError, type Problem } from "../lib/errors.ts";
import { DEFAULT_PREFIXES, describeMissing } from "../lib/plan/destruction.ts";
import type { DestructionPlan } from "../lib/plan/types.ts";
import { DestroyPage } from "../templates/pages/destroy_page.tsx";
import type { DestroyProps, DestroyWish } from "../templates/props.ts";
import { confirm } from "./confirm.ts";
import { actorOf, type Dashboard, pageFrame, sendPage, wantsJson } from "./dashboard.ts";
import { prefixesOf, readForm } from "./forms.ts";

/** GET /destroy, POST /destroy. */
export function destroyRoutes(dashboard: Dashboard): Hono {
  const { manager } = dashboard;
  const app = new Hono();
  app.get("/destroy", async (c) => {
    const usual = await usualPrefixes(dashboard);
    const wish = wishOf(new URL(c.req.url).searchParams, usual);
    const plan = await manager.planDestruction(requestOf(wish));
    if (wantsJson(c)) return c.json(plan);
    return show(c, dashboard, { plan, wish, problems: missingIn(plan, usual) }, 200);
  });
  app.post("/destroy", async (c) => {
    const fields = await readForm(c.req.raw);
    const usual = await usualPrefixes(dashboard);
    const isWhole = fields?.has("phrase") && (fields.has("prefixes") || fields.has("vm"));
    if (fields === null || !isWhole) {
      const wish = wishOf(new URLSearchParams(), usual);
      const plan = await manager.planDestruction(requestOf(wish));
      const notice = "The form did not arrive: nothing was destroyed.";
      return show(c, dashboard, { plan, wish, notice }, 400);
    }
    const wish = wishOf(fields, usual);
    const request = requestOf(wish);
    return await confirm(c, dashboard, fields, {
      makePlan: () => manager.planDestruction(request),
      problemsOf: (plan) => missingIn(plan, usual),
      begin: (shown) => manager.beginDestruction(request, shown, { by: actorOf(c) }),
      show: (plan, again, status) => show(c, dashboard, { plan, wish, ...again }, status),
    });
  });
  return app;
}

/** The types of the configuration; one that cannot be read is no reason to destroy nothing. */
async function usualPrefixes({ configuration }: Dashboard): Promise<readonly string[]> {
  try {
    return vmTypes((await configuration()).configuration);
  } catch (error) {
    if (error instanceof ConfigurationError) return DEFAULT_PREFIXES;
    throw error;
  }
}

/** What a person asks for, from a URL or a form; where it names nothing, the usual prefixes. */
function wishOf(fields: URLSearchParams, usual: readonly string[]): DestroyWish {
  return {
    prefixes: fields.get("prefixes")?.trim() ?? (fields.has("vm") ? "" : usual.join(", ")),
    vms: fields.getAll("vm"),
    keepDisks: fields.get("keep") === "yes",
    shutdown: fields.get("shutdown") === "yes",
  };
}

function requestOf({ prefixes, vms, keepDisks, shutdown }: DestroyWish) {
  return { prefixes: prefixesOf(prefixes), names: vms, unmarked: vms, keepDisks, shutdown };
}

/** What was asked for and is not there; a type of the configuration may have no VM. */
function missingIn({ missing }: DestructionPlan, usual: readonly string[]): readonly Problem[] {
  return missing.filter(({ by, value }) => by !== "prefix" || !usual.includes(value)).map((selection) => ({
    field: selection.by === "prefix" ? "prefixes" : "",
    message: describeMissing(selection),
  }));
}

type Shown = Pick<DestroyProps, "plan" | "wish"> & Partial<DestroyProps>;

function show(c: Context, dashboard: Dashboard, shown: Shown, status: 200 | 400 | 409 | 422): Response {
  const token = dashboard.tokens.issue();
  const destroy = { phrase: "", notice: null, problems: [], token, ...shown };
  return sendPage(c, <DestroyPage frame={pageFrame(c, dashboard)} destroy={destroy} />, status);
}
