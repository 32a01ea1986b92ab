/** Destroying: the plan, the typed confirmation, and the operation. */
import { Hono } from "hono";
import { ConfigurationError, type Problem } from "../lib/errors/errors.ts";
import { IDS, parseWholeNumber } from "../lib/inputs.ts";
import { DEFAULT_PREFIXES, describeMissing, type DestructionRequest } from "../lib/plan/destruction.ts";
import type { DestructionPlan } from "../lib/plan/types.ts";
import { DestroyPage, type DestroyProps, type WordsToType } from "../templates/pages/destroy_page.tsx";
import { typeOf } from "../lib/inventory/names.ts";
import type { Staying } from "../templates/parts/goes_stays.tsx";
import { confirm, refusalJson } from "./confirm.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "./server/dashboard.ts";
import { findVm } from "./vms/find_vm.ts";
import { selectedIds } from "./vms/selection.ts";
import { prefixesOf, readForm } from "./forms/read_form.ts";
import { actorOf, type AppContext, type AppEnv } from "./server/context.ts";
import { type DestroyQuery, listedOptions, paths } from "../templates/paths.ts";

/** The most VMs in one request. */
const MAX_VMS = 5_000;

const OPTIONS_CHANGED =
  "The options changed after the list was shown. Nothing was destroyed. Check the new list below and confirm it.";

/** GET and POST /destroy, GET and POST /vms/:id/destroy. */
export function destroyRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const { manager } = dashboard;
  const app = new Hono<AppEnv>();
  app.get("/destroy", async (c) => {
    const searchParams = await selectionOf(dashboard, new URL(c.req.url).searchParams);
    const usual = usualPrefixes(dashboard);
    const query = queryOf(searchParams, usual);
    const plan = await manager.planDestruction(requestOf(query));
    if (wantsJson(c)) return c.json({ ...plan, words: wordsOf(plan) });
    const isEmpty = searchParams.has("selection") && query.ids.length === 0;
    const notice = isEmpty ? "No VMs selected. Select VMs in the list, or enter VM types below." : null;
    const problems = [...problemsIn(searchParams), ...missingIn(dashboard, plan, usual)];
    return show(c, dashboard, { plan, query, notice, problems }, 200);
  });
  app.post("/destroy", async (c) => {
    const fields = await readForm(c.req.raw);
    const usual = usualPrefixes(dashboard);
    const isComplete = fields?.has("phrase") && ["prefixes", "vm", "id"].some((name) => fields.has(name));
    if (fields === null || !isComplete) {
      const query = queryOf(new URLSearchParams(), usual);
      const plan = await manager.planDestruction(requestOf(query));
      const notice =
        "The form arrived incomplete. Nothing was destroyed. Check the list below and confirm it.";
      return show(c, dashboard, { plan, query, notice }, 400);
    }
    return await destroy(c, dashboard, fields, { query: queryOf(fields, usual), usual, only: null });
  });
  app.get("/vms/:id/destroy", async (c) => {
    const only = await vmOf(c, dashboard);
    if (only === null) return await c.notFound();
    const query = queryForVm(new URL(c.req.url).searchParams, only.id);
    const plan = await manager.planDestruction(requestOf(query));
    if (wantsJson(c)) return c.json({ ...plan, words: wordsOf(plan) });
    return show(c, dashboard, { plan, query, only, problems: missingIn(dashboard, plan, []) }, 200);
  });
  app.post("/vms/:id/destroy", async (c) => {
    const only = await vmOf(c, dashboard) ?? formerVm(dashboard, c.req.param("id"));
    if (only === null) return await c.notFound();
    const fields = await readForm(c.req.raw) ?? new URLSearchParams();
    return await destroy(c, dashboard, fields, { query: queryForVm(fields, only.id), usual: [], only });
  });
  return app;
}

interface DestroyRequest {
  readonly query: DestroyQuery;
  /** Prefixes that are allowed to match no VM. */
  readonly usual: readonly string[];
  readonly only: DestroyProps["only"];
}

/** Destroys what was shown, once the confirmation matches. */
async function destroy(
  c: AppContext,
  dashboard: Dashboard,
  fields: URLSearchParams,
  { query, usual, only }: DestroyRequest,
): Promise<Response> {
  const { manager } = dashboard;
  if (fields.get("list") === "yes") {
    return c.redirect(only === null ? paths.destroy(query) : paths.vmDestroy(only.id, query), 303);
  }
  const request = requestOf(query);
  return await confirm(c, dashboard, fields, {
    makePlan: () => manager.planDestruction(request),
    wordsOf,
    problemsOf: (
      plan,
    ) => [...(only === null ? problemsIn(fields) : []), ...missingIn(dashboard, plan, usual)],
    changedOf: () => {
      const listed = fields.get("listed");
      return listed === null || listed === listedOptions(query) ? null : OPTIONS_CHANGED;
    },
    start: (shown) => manager.operations.startDestruction(request, shown, { by: actorOf(c) }),
    show: (plan, again, status) => show(c, dashboard, { plan, query, only, ...again }, status),
  });
}

async function vmOf(c: AppContext, dashboard: Dashboard): Promise<DestroyProps["only"]> {
  const vm = await findVm(c, dashboard);
  return vm === undefined ? null : { id: vm.id, name: vm.name };
}

/** Finds a VM that no longer exists in its operations, so that submitting a form twice leads to the same page. */
function formerVm({ manager }: Dashboard, id: string | undefined): DestroyProps["only"] {
  const vms = manager.operations.store.list().flatMap(({ vms }) => vms);
  const known = vms.find(({ vmId }) => String(vmId) === id);
  return known === undefined ? null : { id: Number(id), name: known.name };
}

/** The VM types of the configuration. If it has errors, destroying still works with the default prefixes. */
function usualPrefixes({ configuration }: Dashboard): readonly string[] {
  try {
    return Object.keys(configuration().configuration.types);
  } catch (error) {
    if (error instanceof ConfigurationError) return DEFAULT_PREFIXES;
    throw error;
  }
}

/** A selection from the list with the IDs of its VMs, also where it is of all that match a filter. */
async function selectionOf(dashboard: Dashboard, fields: URLSearchParams): Promise<URLSearchParams> {
  if (!fields.has("matching")) return fields;
  const ids = await selectedIds(dashboard, fields);
  return new URLSearchParams([["selection", "yes"], ...ids.map((id) => ["id", id])]);
}

/** The selection from a URL or a form; if it names nothing, the usual prefixes. */
function queryOf(fields: URLSearchParams, usual: readonly string[]): DestroyQuery {
  const isSelection = ["vm", "id", "selection"].some((name) => fields.has(name));
  return {
    prefixes: fields.get("prefixes")?.trim() ?? (isSelection ? "" : usual.join(", ")),
    vms: fields.getAll("vm"),
    ids: fields.getAll("id").flatMap((id) => parseWholeNumber(id, IDS) ?? []).slice(0, MAX_VMS),
    keepDisks: fields.get("keep") === "yes",
    shutdown: fields.get("shutdown") === "yes",
  };
}

/** Problems with the selected IDs; if there are any, nothing is destroyed. */
function problemsIn(fields: URLSearchParams): readonly Problem[] {
  const ids = fields.getAll("id");
  const invalid = ids.filter((id) => parseWholeNumber(id, IDS) === null).map((id) =>
    `No VM has the ID ${JSON.stringify(id)}`
  );
  const tooMany = ids.length > MAX_VMS ? [`Select at most ${MAX_VMS} VMs`] : [];
  return [...invalid, ...tooMany].map((message) => ({ field: "", message }));
}

function queryForVm(fields: URLSearchParams, id: number): DestroyQuery {
  return { ...queryOf(fields, []), prefixes: "", vms: [], ids: [id] };
}

function requestOf({ prefixes, vms, ids, keepDisks, shutdown }: DestroyQuery): DestructionRequest {
  const chosen = { names: vms, unmarked: vms, ids, unmarkedIds: ids };
  return { prefixes: prefixesOf(prefixes), ...chosen, keepDisks, shutdown };
}

/** The phrase, plus the name of each VM that may not have been created here; a single such VM needs only its name. */
function wordsOf({ vms, phrase }: DestructionPlan): readonly WordsToType[] {
  const removable = vms.filter(({ blocked }) => blocked.length === 0);
  const [first] = removable;
  if (removable.length === 1 && first?.marked === false) {
    return [{ field: "phrase", words: first.name, vm: first.name }];
  }
  const others = removable.filter(({ marked }) => !marked);
  return [
    { field: "phrase", words: phrase, vm: null },
    ...others.map(({ id, name }) => ({ field: `name-${id}`, words: name, vm: name })),
  ];
}

/** Selections that match nothing, which is an error except for the VM types of the configuration. */
function missingIn(
  dashboard: Dashboard,
  { missing }: DestructionPlan,
  usual: readonly string[],
): readonly Problem[] {
  return missing.filter(({ by, value }) => by !== "prefix" || !usual.includes(value)).map((selection) => {
    const former = selection.by === "id" ? formerVm(dashboard, String(selection.value)) : null;
    const message = former === null
      ? describeMissing(selection)
      : `${former.name} (ID ${former.id}) no longer exists on the NAS`;
    return { field: selection.by === "prefix" ? "prefixes" : "", message };
  });
}

type Shown = Pick<DestroyProps, "plan" | "query"> & Partial<DestroyProps>;

function show(c: AppContext, dashboard: Dashboard, shown: Shown, status: 200 | 400 | 409 | 422): Response {
  const token = issueToken(c, dashboard);
  const words = wordsOf(shown.plan);
  const frame = pageFrame(c, dashboard);
  const staying = stayingOf(dashboard, shown.plan);
  const { missingRoles } = frame;
  const base = { only: null, words, typed: {}, notice: null, problems: [], token, staying, missingRoles };
  const destroy = { ...base, ...shown };
  if (wantsJson(c)) return c.json(refusalJson({ ...shown.plan, words }, destroy), status);
  return sendPage(c, <DestroyPage frame={frame} destroy={destroy} />, status);
}

/** The VMs that stay, by type, and the configuration's types whose VMs go. */
function stayingOf(dashboard: Dashboard, { vms }: DestructionPlan): Staying {
  const going = vms.filter(({ blocked }) => blocked.length === 0);
  const ids = new Set(going.map(({ id }) => id));
  const rest = (dashboard.manager.inventory.live.snapshot.vms ?? []).filter(({ id }) => !ids.has(id));
  const byType = Map.groupBy(rest, ({ name }) => typeOf(name));
  // A single VM of its type is better known by its name.
  const groups = Map.groupBy(
    rest,
    ({ name }) => byType.get(typeOf(name))?.length === 1 ? null : typeOf(name),
  );
  const gone = new Set(going.map(({ name }) => typeOf(name)));
  return {
    vms: [...groups].map(([type, vms]) => ({ type, names: vms.map(({ name }) => name) })),
    types: usualPrefixes(dashboard).filter((type) => gone.has(type)),
  };
}
