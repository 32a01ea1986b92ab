/** Finds the VM in a request's path. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import type { AppContext } from "../server/context.ts";
import type { Dashboard } from "../server/dashboard.ts";

/**
 * The VM with the ID in the path; undefined if the NAS has none.
 *
 * @throws {TrueNASError} if the VMs have never been read, so it is unknown whether the VM exists.
 */
export async function findVm(
  c: AppContext,
  { manager }: Dashboard,
  waitMs?: number,
): Promise<Vm | undefined> {
  const vms = await manager.inventory.live.readyVms(waitMs);
  return vms.find(({ id }) => String(id) === c.req.param("id"));
}

/** A route for the VM in the path; 404 if the NAS has none. */
export function withVm(
  dashboard: Dashboard,
  handle: (c: AppContext, vm: Vm) => Response | Promise<Response>,
): (c: AppContext) => Promise<Response> {
  return async (c) => {
    const vm = await findVm(c, dashboard);
    return vm === undefined ? await c.notFound() : await handle(c, vm);
  };
}
