/** The VM that a request names. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import type { AppContext } from "../server/context.ts";
import type { Dashboard } from "../server/dashboard.ts";

/**
 * The VM whose id is in the path; undefined when the NAS has none of that id.
 *
 * @throws {TrueNASError} when the VMs have never been read, so that nobody can say whether there is one.
 */
export async function findVm(
  c: AppContext,
  { manager }: Dashboard,
  waitMs?: number,
): Promise<Vm | undefined> {
  const vms = await manager.inventory.live.readyVms(waitMs);
  return vms.find(({ id }) => String(id) === c.req.param("id"));
}
