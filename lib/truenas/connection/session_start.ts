/** The first calls after signing in: read the NAS's release and id, check for a VM API, and subscribe to changes. */
import { TrueNASCallError } from "../../errors/errors.ts";
import { isRefusedWith, METHOD_NOT_FOUND } from "../../errors/refusals.ts";
import type { NasIdentity } from "../../inventory/inventory.ts";
import type { Logger } from "../../observability/logging.ts";
import type { NasAddress } from "../../configuration/environment/nas_address.ts";
import type { RpcClient } from "../client.ts";
import { connectionError } from "./failures.ts";

/** A call's result, or null when the NAS refuses the call. */
export async function unlessRefused<T>(
  call: Promise<T>,
  onRefusal: (refusal: { readonly error: string }) => void,
): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    onRefusal({ error: error.message });
    return null;
  }
}

/** The NAS's release, id and boot, each null when it cannot be read. */
export async function readIdentity(
  client: RpcClient,
  logger: Logger,
): Promise<Pick<NasIdentity, "release" | "id" | "bootId">> {
  const [release, id, bootId] = await Promise.all([
    unlessRefused(
      client.call("system.version_short", []),
      (refusal) => logger.warning("The account cannot read the NAS's release", refusal),
    ),
    // Requires READONLY_ADMIN, which an account that only creates VMs may not have.
    unlessRefused(
      client.call("system.host_id", []),
      (refusal) =>
        logger.info(
          "The account cannot read the NAS's id; MAC addresses are derived from its address",
          refusal,
        ),
    ),
    unlessRefused(
      client.call("system.boot_id", []),
      (refusal) => logger.debug("The NAS does not tell when it has restarted", refusal),
    ),
  ]);
  return { release, id, bootId };
}

/**
 * Checks that the NAS has VMs.
 *
 * @throws {TrueNASConnectionError} for TrueNAS 25.04.0 and 25.04.1, which have no `vm.*` at all.
 */
export async function requireVmApi(
  client: RpcClient,
  address: NasAddress,
  release: string | null,
): Promise<void> {
  try {
    await client.call("vm.query", [[["id", "=", -1]]]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    // An account that may not list VMs is refused later, when it subscribes to them.
    if (error.refusal.code !== METHOD_NOT_FOUND) return;
    throw connectionError(address, "no-vm-api", `TrueNAS ${release ?? "here"} has no VM API`, error);
  }
}

/**
 * Subscribes to changes of VMs and, where the account may, of devices, because VM events do not report added devices.
 *
 * @throws {TrueNASConnectionError} when the account cannot list VMs.
 */
export async function subscribe(
  client: RpcClient,
  { address, username, logger }: {
    readonly address: NasAddress;
    readonly username: string | null;
    readonly logger: Logger;
  },
): Promise<void> {
  try {
    await client.call("core.subscribe", ["vm.query"]);
  } catch (error) {
    if (!isRefusedWith(error, "EACCES")) throw error;
    const account = JSON.stringify(username ?? "");
    throw connectionError(address, "denied", `the account ${account} cannot list VMs`, error);
  }
  await unlessRefused(
    client.call("core.subscribe", ["vm.device.query"]),
    (refusal) =>
      logger.warning(
        "The NAS does not send device events to this account; the list is refreshed every minute",
        refusal,
      ),
  );
}
