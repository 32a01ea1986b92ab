/** Actions on VMs, such as start and stop: at once for one VM, after a confirmation for several. Each is an operation. */
import { Hono } from "hono";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isVmAction, reasonAgainst, type VmActionName } from "../../lib/inventory/vm_actions.ts";
import { ActPage } from "../../templates/pages/vm/act_page.tsx";
import { RefusalPatch, ToastPatch } from "../../templates/parts/list/patches.tsx";
import { paths } from "../../templates/paths.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { findVm } from "./find_vm.ts";
import { readForm } from "../forms/read_form.ts";
import { inTime } from "../in_time.ts";
import { selectedIds } from "./selection.ts";
import { groupOf } from "./vm_groups.ts";
import { configuredTypes } from "./vm_props.ts";
import { sendVmPage } from "./vms.tsx";
import { actorOf, type AppContext, type AppEnv } from "../server/context.ts";

/** The most VMs in one request. */
const MAX_VMS = 5_000;

/** GET and POST /vms/act, POST /vms/:id/:action. */
export function vmActionRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/vms/act", async (c) => {
    const { searchParams } = new URL(c.req.url);
    const action = searchParams.get("action") ?? "";
    if (!isVmAction(action)) return c.notFound();
    const group = searchParams.get("group");
    const ids = group === null
      ? await selectedIds(dashboard, searchParams)
      : await idsOfGroup(dashboard, action, group);
    return await ask(c, dashboard, { action, ids, notice: null }, 200);
  });
  app.post("/vms/act", async (c) => {
    const fields = await readForm(c.req.raw) ?? new URLSearchParams();
    const action = fields.get("action") ?? "";
    if (!isVmAction(action)) return c.notFound();
    return await act(c, dashboard, action, fields);
  });
  app.post("/vms/:id/:action", async (c, next) => {
    const action = c.req.param("action");
    if (!isVmAction(action)) return await next();
    return await actOnOne(c, dashboard, action);
  });
  return app;
}

/** The ids of the VMs of a group that an action can change now. */
async function idsOfGroup(
  dashboard: Dashboard,
  action: VmActionName,
  group: string,
): Promise<readonly string[]> {
  const types = configuredTypes(dashboard);
  const vms = await dashboard.manager.inventory.live.readyVms();
  const own = vms.filter((vm) =>
    groupOf(vm, types) === group && unavailable(dashboard.manager, action, vm) === null
  );
  return own.map(({ id }) => String(id));
}

interface Question {
  readonly action: VmActionName;
  readonly ids: readonly string[];
  readonly notice: string | null;
}

/** Asks for confirmation, showing what will happen to which VMs. */
async function ask(
  c: AppContext,
  dashboard: Dashboard,
  { action, ids, notice }: Question,
  status: 200 | 409,
): Promise<Response> {
  const { affected, unaffected } = await partition(dashboard, action, ids);
  const act = { action, affected, unaffected, token: issueToken(c, dashboard), notice };
  return sendPage(c, <ActPage frame={pageFrame(c, dashboard)} act={act} />, status);
}

/** The selected VMs that the action can change, the others with the reasons, and those that no longer exist. */
async function partition({ manager }: Dashboard, action: VmActionName, ids: readonly string[]) {
  const vms = await manager.inventory.live.readyVms();
  const selected = ids.slice(0, MAX_VMS).map((id) => {
    const vm = vms.find((vm) => String(vm.id) === id);
    const because = vm === undefined ? "it no longer exists on the NAS" : unavailable(manager, action, vm);
    return { name: vm?.name ?? `VM ${id}`, vm, because };
  });
  return {
    missing: selected.flatMap(({ name, vm }) => vm === undefined ? [name] : []),
    affected: selected.flatMap(({ vm, because }) => vm !== undefined && because === null ? [vm] : []),
    unaffected: selected.flatMap(({ name, because }) => because === null ? [] : [{ name, because }]),
  };
}

/** Why an action is not available for a VM now, or null. */
function unavailable(manager: Dashboard["manager"], action: VmActionName, vm: Vm): string | null {
  const busy = manager.operations.store.busy(vm.name)?.doing ?? null;
  return reasonAgainst(action, vm, { busy, canReset: manager.connection.canReset });
}

/** Starts the confirmed action. A VM whose state has changed since is skipped and named. */
async function act(
  c: AppContext,
  dashboard: Dashboard,
  action: VmActionName,
  fields: URLSearchParams,
): Promise<Response> {
  const { manager, tokens } = dashboard;
  const ids = fields.getAll("id");
  const token = fields.get("token") ?? "";
  const overcommit = fields.get("overcommit") === "yes";
  if (!tokens.knows(token)) {
    const notice = "This form has expired. Nothing was done. Check the VMs below and confirm again.";
    return await ask(c, dashboard, { action, ids, notice }, 409);
  }
  let removed: readonly string[] = [];
  const next = await tokens.redeem(token, async () => {
    const { affected, missing } = await partition(dashboard, action, ids);
    removed = missing;
    if (missing.length > 0 || affected.length === 0) return null;
    const states = new Map(ids.map((id, index) => [id, fields.getAll("state")[index] ?? ""]));
    const requests = affected.map(({ id, name, state }) => ({
      action,
      id,
      name,
      state: states.get(String(id)) || state,
      overcommit,
    }));
    return paths.operation(manager.changes.act(action, requests, { by: actorOf(c) }).log.id);
  });
  if (next !== null) return c.redirect(next, 303);
  const notice = removed.length === 0
    ? "No selected VM is in a state that allows this. Nothing was done."
    : `${removed.join(", ")} no longer ${removed.length === 1 ? "exists" : "exist"} on the NAS. ` +
      "Nothing was done. Check the VMs below and confirm again.";
  return await ask(c, dashboard, { action, ids, notice }, 409);
}

/** Most actions have ended by then, so that one toast says it all. */
const TOAST_MS = 400;

async function actOnOne(c: AppContext, dashboard: Dashboard, action: VmActionName): Promise<Response> {
  const { manager } = dashboard;
  const vm = await findVm(c, dashboard);
  if (vm === undefined) return await c.notFound();
  const fields = await readForm(c.req.raw);
  // The list stays where it is: a script shows what comes of it as a toast.
  const fromScript = c.req.header("hx-request") === "true";
  const shown = fields?.get("state")?.trim() || vm.state;
  const because = shown === vm.state
    ? unavailable(manager, action, vm)
    : `it is now ${vm.state.toLowerCase()}; the page showed it as ${shown.toLowerCase()}`;
  if (because !== null) {
    const message = `Nothing was done: ${because}.`;
    if (wantsJson(c)) return c.json({ error: message }, 409);
    if (fromScript) return c.html(String(<RefusalPatch message={`${vm.name}: ${message}`} />), 409);
    return await sendVmPage(c, dashboard, vm, { notice: message }, 409);
  }
  const overcommit = fields?.get("overcommit") === "yes";
  const request = { action, id: vm.id, name: vm.name, state: vm.state, overcommit };
  const { log, finished } = manager.changes.act(action, [request], { by: actorOf(c) });
  if (!fromScript) return c.redirect(paths.operation(log.id), 303);
  await inTime(finished, TOAST_MS);
  return c.html(String(<ToastPatch view={log.view} action={action} vm={vm} />));
}
