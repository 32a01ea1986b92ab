/** Exports VMs (names, MACs and addresses) in the formats of cluster tools. */
import { Hono } from "hono";
import { EXPORT_FORMATS } from "../lib/exports/formats.ts";
import type { Vm } from "../lib/inventory/inventory.ts";
import { READING_MS } from "../lib/inventory/live_inventory.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../lib/exports/nodes.ts";
import {
  EXPORT_NAMES,
  isExportName,
  TALOS_VERSION,
  TALOS_VERSIONS,
  type TalosVersion,
  talosVersionOf,
} from "../lib/exports/names.ts";
import { givenAddresses } from "../lib/operations/record/given_addresses.ts";
import { tar } from "../lib/exports/tar.ts";
import { ExportPage, type ExportPageProps } from "../templates/pages/export_page.tsx";
import { inTime } from "./in_time.ts";
import { type Dashboard, pageFrame, sendPage } from "./server/dashboard.ts";
import { needsLookOf } from "./vms/vm_props.ts";
import { matches, queryOf, readQuery, sorted } from "./vms/vm_query.ts";
import type { AppContext, AppEnv } from "./server/context.ts";

/** GET /export. */
export function exportRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/export", async (c) => {
    // All that match a filter are exported as the filter itself, whose links are short.
    const matching = c.req.query("matching");
    const query = matching === undefined ? queryOf(c) : readQuery(new URLSearchParams(matching));
    const planned = c.req.query("planned") === "yes";
    const format = c.req.query("format");
    if (format !== undefined && !isExportName(format)) {
      return c.text(`Unknown format ${quoted(format)}. Choose one of: ${EXPORT_NAMES.join(", ")}\n`, 422);
    }
    const wanted = c.req.query("talos") ?? TALOS_VERSION;
    const talos = talosVersionOf(wanted);
    if (talos === null) {
      return c.text(
        `Unsupported Talos version ${quoted(wanted)}. Choose one of: ${TALOS_VERSIONS.join(", ")}\n`,
        422,
      );
    }
    const ids = matching === undefined ? idsOf(c) : [];
    const nodes = planned
      ? await plannedNodes(dashboard, query.type)
      : await presentNodes(dashboard, query, ids);
    if (format === undefined) {
      const frame = pageFrame(c, dashboard);
      const formats = nodes.length === 0 ? [] : inEachFormat(nodes, talos);
      return sendPage(
        c,
        <ExportPage {...{ frame, count: nodes.length, formats, query, ids, planned, talos }} />,
      );
    }
    const { file, contentType, archive, write } = EXPORT_FORMATS[format];
    const { files } = write(nodes, { version: talos });
    c.header("content-type", contentType);
    if (c.req.query("download") === "1") c.header("content-disposition", `attachment; filename="${file}"`);
    return archive ? c.body(tar(files)) : c.body(files[0]?.text ?? "");
  });
  return app;
}

/** The selected VMs: as a form sends them, or as the page's own links do. */
function idsOf(c: AppContext): readonly string[] {
  const linked = c.req.query("ids") ?? "";
  return [...c.req.queries("id") ?? [], ...linked.split(",").filter((id) => id !== "")];
}

/** User input, shortened to fit a sentence. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}

function inEachFormat(nodes: readonly ClusterNode[], version: TalosVersion): ExportPageProps["formats"] {
  return EXPORT_NAMES.map((name) => ({ name, exported: EXPORT_FORMATS[name].write(nodes, { version }) }));
}

async function presentNodes(
  dashboard: Dashboard,
  query: ReturnType<typeof queryOf>,
  ids: readonly string[],
): Promise<ClusterNode[]> {
  const { manager } = dashboard;
  await inTime(manager.inventory.live.readAddresses());
  const vms = await manager.inventory.live.readyVms(READING_MS);
  const needsLook = needsLookOf(dashboard);
  const isChosen = (vm: Vm) => ids.length === 0 ? matches(vm, query, needsLook) : ids.includes(String(vm.id));
  const chosen = sorted(vms.filter(isChosen), query.sort);
  const given = givenAddresses(manager.operations.store.list(), new Set(vms.map(({ name }) => name)));
  return chosen.map((vm) => nodeOfVm(vm, given));
}

/** The VMs in the configuration, with the MACs and static addresses that they will get. */
async function plannedNodes({ manager, configuration }: Dashboard, type: string): Promise<ClusterNode[]> {
  const plan = await manager.operations.planCreation({ ...configuration(), asksNetwork: false });
  return plan.vms.filter((vm) => type === "" || vm.type === type).map((vm) => nodeOfPlanned(vm));
}
