/** Rules about static addresses: each belongs to one device of its network. */
import { vmTypeOf } from "../../configuration/configuration.ts";
import { keyOf } from "../../first_boot/addresses/address_section.ts";
import type { CreationInput } from "../creation_input.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { devicesOf, error, firstOfEachType, notChecked, warning } from "./rule.ts";

/** A planned NIC with a static address. */
interface AddressedNic {
  readonly vm: PlannedVm;
  readonly name: string;
  readonly attach: string;
  readonly mac: string;
  readonly address: string;
  /** Whether the plan creates it. */
  readonly isNew: boolean;
}

/** All findings about the addresses of these VMs, of which those without steps have theirs already. */
export function checkAddresses(vms: readonly PlannedVm[], input: CreationInput): readonly Finding[] {
  const all = vms.flatMap(nicsOf);
  const created = all.filter(({ isNew }) => isNew);
  if (created.length === 0) return [];
  return [
    ...created.flatMap((nic) => clashOf(nic, all, input)),
    ...checkGateways(created),
    ...checkSeeds(created, input),
    ...checkAsked(created, input),
  ];
}

function nicsOf(vm: PlannedVm): AddressedNic[] {
  const created = devicesOf(vm, "NIC");
  return vm.devices.flatMap((device) => {
    if (device.dtype !== "NIC" || device.ip === undefined) return [];
    const { name, attach, mac, ip: { address } } = device;
    return [{ vm, name, attach, mac, address, isNew: created.includes(device) }];
  });
}

/** Who has the address of a NIC, as far as it is known. */
function clashOf(nic: AddressedNic, all: readonly AddressedNic[], input: CreationInput): Finding[] {
  const { address, vm } = nic;
  const { vms: known = [], neighbours } = input.addresses ?? {};
  const twins = all.filter((other) => other !== nic && other.address === address);
  const planned = [...new Set(twins.map((twin) => twin.vm.name))];
  const others = known.filter((it) => it.address === address && !all.some((own) => own.vm.name === it.vm));
  const found = neighbours?.known ? neighbours.value.get(address) : undefined;
  const isOwn = found === undefined || all.some((own) => own.mac === found && own.vm.name === vm.name);
  return [
    ...planned.map((name) => {
      const twin = twins.find((it) => it.vm.name === name);
      const whose = name === vm.name ? "another NIC of it" : name;
      const message = twin?.vm.vmId === null
        ? `The address ${address} is planned for ${whose} as well; choose another one`
        : `The address ${address} already belongs to ${whose}; choose another one`;
      return clash(nic, name === vm.name ? null : twin?.attach ?? null, message, input);
    }),
    ...others.map(({ vm: name, attach, by }) => {
      const how = by === "agent" ? "whose guest reports it" : "which got it when it was created";
      return clash(
        nic,
        attach,
        `The address ${address} already belongs to ${name}, ${how}; choose another one`,
        input,
      );
    }),
    ...(isOwn ? [] : [error([vm], fieldOf(nic, input), describeNeighbour(address, found, input))]),
  ];
}

/** The same address in another network can be right, because bridges need not be connected. */
function clash(nic: AddressedNic, attach: string | null, message: string, input: CreationInput): Finding {
  const field = fieldOf(nic, input);
  if (attach === null || attach === nic.attach) return error([nic.vm], field, message);
  const where = `It is on ${attach}, and this one on ${nic.attach}`;
  return { ...warning(field, `${message}. ${where}`), vms: [nic.vm.name] };
}

function describeNeighbour(address: string, mac: string, { inventory: { vms } }: CreationInput): string {
  const owner = vms.find(({ nics }) => nics.some((nic) => nic.mac === mac));
  const who = owner === undefined ? `A device with the MAC address ${mac}` : owner.name;
  return `${who} answers at the address ${address}; choose another one`;
}

function fieldOf({ vm, name }: AddressedNic, { configuration }: CreationInput): string {
  const section = vmTypeOf(configuration, vm.type).addresses?.[name];
  const field = `${vm.type}.addresses.${name}`;
  return section === undefined || section === "dhcp" ? field : `${field}.${keyOf(section)}`;
}

/** A guest with two default routes uses one, and answers from the wrong address. */
function checkGateways(created: readonly AddressedNic[]): Finding[] {
  const first = firstOfEachType(created.map(({ vm }) => vm));
  return first.flatMap(({ type, devices }) => {
    const names = devices.flatMap((device) =>
      device.dtype === "NIC" && device.ip?.gateway != null ? [device.name] : []
    );
    if (names.length < 2) return [];
    const message = `The VMs of ${type} have a gateway in ${
      names.join(" and in ")
    }, and a guest has one way out; keep one`;
    return [warning(`${type}.addresses`, message)];
  });
}

/** Addresses can be meant for reservations in a DHCP server, which is why this is no error. */
function checkSeeds(created: readonly AddressedNic[], { configuration }: CreationInput): Finding[] {
  const types = firstOfEachType(created.map(({ vm }) => vm)).map(({ type }) => type);
  return types.filter((type) => vmTypeOf(configuration, type).seed === undefined).map((type) =>
    warning(
      `${type}.addresses`,
      `Nothing tells the VMs of ${type} their addresses. Add a first configuration (seed), or export ` +
        "the addresses as reservations for your DHCP server",
    )
  );
}

function checkAsked(created: readonly AddressedNic[], { addresses }: CreationInput): Finding[] {
  const neighbours = addresses?.neighbours;
  if (neighbours === undefined || neighbours.known) return [];
  const [field] = created.map(({ vm }) => `${vm.type}.addresses`);
  return [notChecked(field ?? "", "Whether another device has a planned address", neighbours.because)];
}
