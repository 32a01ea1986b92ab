/** The static addresses that VMs got when they were created. Pure. */
import type { GivenAddresses } from "../../exports/nodes.ts";
import { plannedAddress } from "../../first_boot/addresses/address_section.ts";
import type { KnownAddress } from "../../first_boot/addresses/known_addresses.ts";
import type { PlannedAddress } from "../../first_boot/types.ts";
import { isActive, type OperationView, type VmOutcome } from "../types.ts";
import type { CreateRequest } from "./history.ts";

/** Those of VMs that are on the NAS, or that an operation creates at present; `views` have the newest first. */
export function givenAddresses(
  views: readonly OperationView[],
  present: ReadonlySet<string>,
): GivenAddresses {
  return new Map(
    [...givenNics(views, present)].map(([vm, nics]) => [vm, nics.map(({ ip }) => ip)]),
  );
}

/** The same as a list, with the bridges. */
export function addressesInUse(
  views: readonly OperationView[],
  present: ReadonlySet<string>,
): readonly KnownAddress[] {
  return [...givenNics(views, present)].flatMap(([vm, nics]) =>
    nics.flatMap(({ ip, attach }) => ip === null ? [] : [{ address: ip.address, vm, attach, by: "creation" }])
  );
}

/** Outcomes after which a VM that is there may have its address: it was created, whether or not it is complete or answers. */
const GIVEN: readonly VmOutcome[] = [
  "created",
  "replaced",
  "not-ready",
  "cancelled-kept",
  "left-behind",
  "interrupted",
];

interface GivenNic {
  readonly attach: string;
  readonly ip: PlannedAddress | null;
}

function givenNics(views: readonly OperationView[], present: ReadonlySet<string>) {
  const given = new Map<string, readonly GivenNic[]>();
  for (const view of views) {
    const { request, vms } = view;
    if (request?.kind !== "create") continue;
    for (const { name, outcome } of vms) {
      if (given.has(name)) continue;
      const isThere = present.has(name) && outcome !== null && GIVEN.includes(outcome);
      if (isThere || isActive(view)) given.set(name, nicsOf(request, name));
    }
  }
  return given;
}

function nicsOf({ configuration, types }: CreateRequest, vm: string): readonly GivenNic[] {
  for (const { type, name } of types) {
    const digits = vm.startsWith(type) ? vm.slice(type.length) : "";
    if (name === undefined ? !/^\d+$/.test(digits) : name !== vm) continue;
    const index = name === undefined ? Number(digits) - 1 : 0;
    const { network = {}, addresses = {} } = configuration.types[type] ?? {};
    return Object.entries(network).map(([nic, attach]) => ({
      attach,
      ip: plannedAddress(addresses[nic], index),
    }));
  }
  return [];
}
