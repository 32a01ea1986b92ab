/** What clusters need of the VMs in the list: names, MACs and addresses, in the formats of the tools that make one. */
import { Hono } from "hono";
import { EXPORT_FORMATS, type ExportName, isExportName } from "../lib/exports/formats.ts";
import { READING_MS } from "../lib/live_inventory.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../lib/exports/nodes.ts";
import { ExportPage, type ExportPageProps } from "../templates/pages/export_page.tsx";
import { type Dashboard, pageFrame, sendPage } from "./dashboard.ts";
import { matches, queryOf, sorted } from "./vm_query.ts";

/** GET /export. */
export function exportRoutes(dashboard: Dashboard): Hono {
  const app = new Hono();
  app.get("/export", async (c) => {
    const query = queryOf(c);
    const planned = c.req.query("planned") === "yes";
    const nodes = planned ? await plannedNodes(dashboard, query.type) : await presentNodes(dashboard, query);
    const format = c.req.query("format");
    if (format === undefined) {
      const frame = pageFrame(c, dashboard);
      const texts = nodes.length === 0 ? [] : await inEachFormat(nodes);
      return sendPage(c, <ExportPage {...{ frame, count: nodes.length, texts, query, planned }} />);
    }
    if (!isExportName(format)) {
      const known = Object.keys(EXPORT_FORMATS).join(", ");
      return c.text(`There is no format ${JSON.stringify(format.slice(0, 40))}; there are ${known}\n`, 422);
    }
    const { file, contentType, write } = EXPORT_FORMATS[format];
    c.header("content-type", contentType);
    if (c.req.query("download") === "1") c.header("content-disposition", `attachment; filename="${file}"`);
    return c.body(await write(nodes));
  });
  return app;
}

function inEachFormat(nodes: readonly ClusterNode[]): Promise<ExportPageProps["texts"]> {
  const names = Object.keys(EXPORT_FORMATS) as ExportName[];
  return Promise.all(names.map(async (name) => ({ name, text: await EXPORT_FORMATS[name].write(nodes) })));
}

async function presentNodes(
  { manager }: Dashboard,
  query: ReturnType<typeof queryOf>,
): Promise<ClusterNode[]> {
  await manager.live.readAddresses();
  const { vms } = await manager.live.ready(READING_MS);
  const chosen = sorted((vms ?? []).filter((vm) => matches(vm, query)), query.sort);
  return chosen.map((vm) => nodeOfVm(vm));
}

/** Before creation: what the configuration asks for, with the MACs that it will have. */
async function plannedNodes({ manager, configuration }: Dashboard, type: string): Promise<ClusterNode[]> {
  const plan = await manager.planCreation(await configuration());
  return plan.vms.filter((vm) => type === "" || vm.type === type).map((vm) => nodeOfPlanned(vm));
}
