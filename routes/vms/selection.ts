/** The VMs selected in the list: those that are ticked, or all that match its filter, also those without a row. */
import type { Dashboard } from "../server/dashboard.ts";
import { needsLookOf } from "./vm_props.ts";
import { matches, readQuery, sorted } from "./vm_query.ts";

/** The IDs of the selected VMs, as a form sends them or as they match now. */
export async function selectedIds(dashboard: Dashboard, fields: URLSearchParams): Promise<readonly string[]> {
  const matching = fields.get("matching");
  if (matching === null) return fields.getAll("id");
  const query = readQuery(new URLSearchParams(matching));
  const vms = await dashboard.manager.inventory.live.readyVms();
  const needsLook = needsLookOf(dashboard);
  const selected = sorted(vms.filter((vm) => matches(vm, query, needsLook)), query.sort);
  return selected.map(({ id }) => String(id));
}
