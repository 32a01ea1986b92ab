/** The VM that a request names. */
import { TrueNASTimeoutError } from "../../lib/errors/errors.ts";
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
  const { vms, error } = await manager.live.ready(waitMs);
  if (vms !== null) return vms.find(({ id }) => String(id) === c.req.param("id"));
  const { connection } = manager;
  if ("error" in connection) throw connection.error;
  throw error ?? new TrueNASTimeoutError("The VMs on the NAS are not known yet: it has not answered so far");
}
