/** How a seed comes to its guest. Pure. */
import { isWithin } from "../../configuration/environment/ip_addresses.ts";
import type { NasAddress } from "../../configuration/environment/nas_address.ts";
import type { PlannedDevice } from "../../plan/types.ts";
import type { SeedKind, SeedWay } from "../types.ts";
import type { SeedHost } from "./seeds_read.ts";

/** A way with its reason, as a sentence without a period. */
export interface ReasonedWay {
  readonly way: SeedWay;
  readonly reason: string;
}

/** By URL where that is possible, because it needs no file on the NAS. */
export function seedWay(
  { kind, network }: { readonly kind: SeedKind; readonly network?: string | undefined },
  { host, simulated }: SeedHost,
  devices: readonly PlannedDevice[],
): ReasonedWay {
  const disk = (reason: string): ReasonedWay => ({ way: "disk", reason });
  if (kind === "ignition") return disk("Ignition looks for its configuration on a disk");
  const nic = devices.find((device) => device.dtype === "NIC");
  if (nic === undefined) return disk("the guest has no network card to fetch it by");
  if (nic.dtype === "NIC" && nic.ip !== undefined) {
    return disk(
      `the guest has to know its static address in the network ${nic.name} before it can fetch anything`,
    );
  }
  // Before version 24, cloud-init does not even ask a server for it.
  if (network !== undefined) return disk(`the guest needs ${network} before it can fetch anything`);
  if (host === null) return disk("SEED_HOST is not set, so guests cannot fetch it from this program");
  if (!simulated && isUnreachable(host)) return disk(`SEED_HOST is ${host}, which guests cannot reach`);
  return { way: "url", reason: `guests can fetch it from this program at ${host}` };
}

/** Whether the guests of a NAS may be simulated ones of this machine: `simulate` serves its NAS at a loopback address. */
export function maySimulateGuests({ kind, host }: NasAddress): boolean {
  return kind !== "unix" && isUnreachable(host);
}

/** Addresses by which every machine means itself. */
const OWN_ADDRESSES: readonly string[] = ["127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"];

/** Whether no guest reaches this program by such an address. */
export function isUnreachable(host: string): boolean {
  return /^(.*\.)?localhost\.?$/i.test(host) || isWithin(host, OWN_ADDRESSES);
}

/** Characters that the address of a seed has at most. */
export function seedUrlChars(host: string): number {
  return `http://[${host}]:65535/${"0".repeat(64)}/`.length;
}
