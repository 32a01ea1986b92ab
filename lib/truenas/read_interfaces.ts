/** Reads in which networks the NAS's bridges and interfaces are. */
import { isIpv4 } from "../configuration/environment/ip_addresses.ts";
import type { NasInterface } from "../inventory/inventory.ts";
import type { Caller } from "./client.ts";
import type { MethodResult } from "./method_types.ts";
import { reading, type ReadOptions } from "./read_inventory.ts";
import { hasRole } from "./roles.ts";

/** Its state has the addresses that came by DHCP. */
const COLUMNS = { select: ["name", "type", "state"] };

/**
 * The bridges and interfaces of the NAS by name; empty for an account that may not read them.
 *
 * @throws {TrueNASError} when the connection is lost.
 */
export async function readInterfaces(
  caller: Caller,
  { roles, ...options }: ReadOptions & { readonly roles: readonly string[] | null },
): Promise<ReadonlyMap<string, NasInterface>> {
  if (hasRole(roles, "NETWORK_INTERFACE_READ") === false) return new Map();
  const rows = await reading(() => caller.call("interface.query", [[], COLUMNS], options));
  if (!rows.known) return new Map();
  return new Map(
    rows.value.map(({ name, type, state }) => [
      name,
      { isBridge: type === "BRIDGE", addresses: (state?.aliases ?? []).flatMap(addressOf) },
    ]),
  );
}

type Alias = NonNullable<MethodResult<"interface.query">[number]["state"]>["aliases"][number];

function addressOf({ address, netmask }: Alias): NasInterface["addresses"] {
  const prefix = Number(netmask ?? NaN);
  return isIpv4(address) && Number.isInteger(prefix) && prefix <= MAX_PREFIX ? [{ address, prefix }] : [];
}

const MAX_PREFIX = 32;
