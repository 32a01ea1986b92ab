/** The list of VMs, and the page of one VM. */
import { Hono } from "hono";
import { ConfigurationError, TrueNASError } from "../../lib/errors/errors.ts";
import { type Lineage, UNKNOWN_LINEAGE } from "../../lib/images/listing/lineage.ts";
import { READING_MS } from "../../lib/inventory/live_inventory.ts";
import type { Checkpoint } from "../../lib/checkpoints/checkpoint.ts";
import type { Reading, Vm } from "../../lib/inventory/inventory.ts";
import { PAGE_READING_MS } from "../../lib/inventory/nas_inventory.ts";
import { auditJson, operationJson, vmJson } from "../../lib/inventory/json.ts";
import { fingerprint } from "../../lib/plan/fingerprint.ts";
import { ALL_ROWS, paths, VM_TABS } from "../../templates/paths.ts";
import { type Saved, VmPage, type VmPageProps, type VmPageTab } from "../../templates/pages/vm/vm_page.tsx";
import { VmMenuPage } from "../../templates/pages/vm/vm_menu_page.tsx";
import { VmsPage } from "../../templates/pages/vms_page.tsx";
import { FilteredPatch } from "../../templates/parts/list/patches.tsx";
import { usableConfiguration } from "../images/configuration.ts";
import { NO_CHOICES, readConfiguredChoices } from "../choices.ts";
import { connectionView, type Dashboard, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import type { SharedLists } from "../live/shared_lists.tsx";
import { inTime } from "../in_time.ts";
import { findVm } from "./find_vm.ts";
import { countDifferences } from "../../templates/parts/vm/type_match.tsx";
import { typeMatcher } from "./type_match.ts";
import { filterOf, listProps, menuOf, vmAudit, vmNow } from "./vm_props.ts";
import { queryOf } from "./vm_query.ts";
import { type AppContext, type AppEnv, mayChange } from "../server/context.ts";

/** GET /, /vms/:id, /vms/:id/menu. */
export function vmRoutes(dashboard: Dashboard, shared: SharedLists): Hono<AppEnv> {
  const { manager } = dashboard;
  const app = new Hono<AppEnv>();
  app.get("/", async (c) => {
    await manager.inventory.live.ready(wantsJson(c) ? READING_MS : undefined);
    const query = queryOf(c);
    shared.noticeConfiguration();
    const list = listProps(dashboard, wantsJson(c) ? { ...query, rows: ALL_ROWS } : query, mayChange(c));
    const running = manager.operations.claiming[0]?.view ?? null;
    const stream = paths.inventoryEvents(query, { seen: shared.version, operation: running?.id ?? "" });
    if (wantsJson(c)) {
      const lineage = await lineageOf(dashboard, READING_MS);
      return c.json(
        {
          nas: nasJson(dashboard),
          vms: (list.rows ?? []).map(({ vm, differs, ready }) => ({
            ...vmJson(vm, lineage(vm), ready),
            differs,
          })),
        },
        list.rows === null ? 503 : 200,
      );
    }
    // A script asks for what a changed filter changes.
    if (c.req.header("hx-target") === "vm-list") {
      return c.html(
        String(<FilteredPatch list={list} filter={filterOf(list)} query={query} stream={stream} />),
      );
    }
    const page = { frame: pageFrame(c, dashboard), list, stream, running, load: shared.load.view };
    return sendPage(c, <VmsPage {...page} capacity={await shared.capacity.read()} />);
  });
  app.get("/vms/:id/menu", async (c) => {
    const vm = await findVm(c, dashboard);
    if (vm === undefined) return c.notFound();
    const menu = menuOf(dashboard, vm, mayChange(c));
    return sendPage(c, <VmMenuPage frame={pageFrame(c, dashboard)} menu={menu} />);
  });
  const show = async (c: AppContext, tab: VmPageTab) => {
    const vm = await findVm(c, dashboard, wantsJson(c) ? READING_MS : undefined);
    if (vm === undefined) return c.notFound();
    if (wantsJson(c)) {
      const busy = manager.operations.store.busy(vm.name);
      if (tab === "checkpoints") {
        const read = await checkpointsOf(dashboard, vm);
        return c.json(
          read.known ? { checkpoints: read.value } : { error: read.because },
          read.known ? 200 : 502,
        );
      }
      const differs = countDifferences(typeMatcher(dashboard)(vm, busy));
      if (tab === "history") return c.json(historyJson(dashboard, vm));
      const lineage = await lineageOf(dashboard, READING_MS);
      return c.json({ ...vmJson(vm, lineage(vm), manager.readiness.of(vm)), differs });
    }
    const saved = savedOf(dashboard, vm, c.req.query("saved") ?? "");
    const words = saved === null ? {} : { saved: { ...saved, waits: c.req.query("waits") === "yes" } };
    return await sendVmPage(c, dashboard, vm, { tab, ...words });
  };
  app.get("/vms/:id", (c) => show(c, "overview"));
  for (const tab of VM_TABS) {
    if (tab !== "overview" && tab !== "console") app.get(`/vms/:id/${tab}`, (c) => show(c, tab));
  }
  return app;
}

function lineageOf(dashboard: Dashboard, waitMs: number): Promise<Lineage> {
  return dashboard.manager.inventory.lineage(usableConfiguration(dashboard), waitMs);
}

function historyJson(dashboard: Dashboard, vm: Vm): Record<string, unknown> {
  return {
    operations: vmNow(dashboard, vm, false).operations.map(operationJson),
    audit: vmAudit(dashboard, vm).entries.map(auditJson),
  };
}

/** The change an operation made to this VM, and when; null if there is none. */
function savedOf({ manager }: Dashboard, vm: Vm, operation: string): Omit<Saved, "waits"> | null {
  const view = manager.operations.store.get(operation)?.view;
  const step = view?.vms[0]?.steps[0]?.step;
  const isOfVm = view?.kind === "change" && view.status === "done" && view.vms[0]?.vmId === vm.id;
  return isOfVm && step !== undefined ? { what: step, at: view.finishedAt ?? view.startedAt } : null;
}

/** Responds with a VM's page and the given messages. */
export async function sendVmPage(
  c: AppContext,
  dashboard: Dashboard,
  vm: Vm,
  words: Partial<Pick<VmPageProps, "tab" | "notice" | "saved" | "problems" | "typed">> = {},
  status: 200 | 409 | 422 | 502 = 200,
): Promise<Response> {
  const [choices, missingImages, checkpoints, lineage] = await Promise.all([
    mayChange(c) ? readConfiguredChoices(dashboard) : NO_CHOICES,
    dashboard.manager.inventory.missingFiles(vm.cdroms.map(({ path }) => path)),
    words.tab === "checkpoints" || words.tab === "clone" ? checkpointsOf(dashboard, vm) : NO_CHECKPOINTS,
    words.tab === "disks" ? lineageOf(dashboard, PAGE_READING_MS) : () => UNKNOWN_LINEAGE,
    readPool(dashboard),
  ]);
  const page: VmPageProps = {
    frame: pageFrame(c, dashboard),
    tab: "overview",
    audit: vmAudit(dashboard, vm),
    now: vmNow(dashboard, vm, mayChange(c)),
    choices,
    checkpoints,
    lineage: lineage(vm),
    missingImages,
    shown: settingsShown(vm),
    notice: null,
    saved: null,
    problems: [],
    typed: null,
    ...words,
  };
  return sendPage(c, <VmPage {...page} />, status);
}

const NO_CHECKPOINTS: Reading<readonly Checkpoint[]> = { known: true, value: [] };

/** The checkpoints that a VM is part of, the newest first. */
async function checkpointsOf({ manager }: Dashboard, { id }: Vm): Promise<Reading<readonly Checkpoint[]>> {
  const read = await manager.checkpoints.list();
  if (!read.known) return read;
  return { known: true, value: read.value.filter(({ vms }) => vms.some(({ vmId }) => vmId === id)) };
}

/** Reads how full the pool is, for the picture; the page does without it where it cannot be read. */
async function readPool({ manager, configuration, logger }: Dashboard): Promise<void> {
  if (manager.connection.state.kind !== "live") return;
  try {
    await inTime(manager.inventory.capacity(configuration().configuration.storage.pool_path));
  } catch (error) {
    if (!(error instanceof TrueNASError || error instanceof ConfigurationError)) throw error;
    logger.debug("Cannot read the pool for a picture", { error: error.message });
  }
}

/** Fingerprint of a VM's settings. A form filled in from other settings is refused. */
export function settingsShown({ name, description, cores, threads, memoryMib, autostart }: Vm): string {
  return fingerprint([name, description, cores, threads, memoryMib, autostart]);
}

function nasJson(dashboard: Dashboard): Record<string, unknown> {
  const { state, host, release, message } = connectionView(dashboard);
  const { readAt } = dashboard.manager.inventory.live.snapshot;
  return {
    host,
    release,
    connection: state,
    message,
    readAt: readAt === null ? null : new Date(readAt).toISOString(),
  };
}
