/** Whether guests are in the network of SEED_HOST, as far as the NAS and the plan show it. Pure. */
import type { NasInterface } from "../../inventory/inventory.ts";
import { addressValue, hasAddress, networkText } from "../addresses/ipv4_network.ts";
import type { PlannedAddress } from "../types.ts";

/** A NIC of a guest. */
export interface GuestNic {
  /** `br0` */
  readonly attach: string;
  /** Its static address. */
  readonly ip?: PlannedAddress;
}

/**
 * Why a guest with these NICs may not reach this program, as a sentence without a period; null when it does, or when that
 * is not known: of a SEED_HOST that is a name, and of a bridge without an address of the NAS.
 */
export function reachProblem(
  host: string,
  nics: readonly GuestNic[],
  interfaces: ReadonlyMap<string, NasInterface>,
): string | null {
  const value = addressValue(host);
  if (value === null || nics.length === 0) return null;
  const isOfNas = [...interfaces.values()].some(({ addresses }) =>
    addresses.some(({ address }) => address === host)
  );
  if (isOfNas && nics.every(({ attach }) => interfaces.get(attach)?.isBridge === false)) {
    return `it is an address of the NAS, which guests attached to ${
      namesOf(nics)
    } without a bridge do not reach`;
  }
  const networks = nics.map((nic) => networksOf(nic, interfaces));
  if (networks.some((own) => own.length === 0 || own.some((network) => hasAddress(network, value)))) {
    return null;
  }
  const shown = [...new Set(networks.flat().map(networkText))].join(" and ");
  return nics.every(({ ip }) => ip !== undefined && ip.gateway === null)
    ? `it is not in their network (${shown}), and they have no gateway`
    : `it is not in the network of ${namesOf(nics)} (${shown}), so they need a router that leads there`;
}

function namesOf(nics: readonly GuestNic[]): string {
  return [...new Set(nics.map(({ attach }) => attach))].join(" and ");
}

function networksOf({ attach, ip }: GuestNic, interfaces: ReadonlyMap<string, NasInterface>) {
  const own = ip === undefined ? interfaces.get(attach)?.addresses ?? [] : [ip];
  return own.flatMap(({ address, prefix }) => {
    const value = addressValue(address);
    return value === null ? [] : [{ value, prefix }];
  });
}
