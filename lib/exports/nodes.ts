/** What clusters need to know of VMs, existing or planned, in one small shape whose values are parsed. Pure. */
import type { Vm } from "../inventory/inventory.ts";
import { typeOf } from "../inventory/names.ts";
import type { PlannedVm } from "../plan/types.ts";
import {
  type HostName,
  type InterfaceName,
  type Ipv4,
  type Mac,
  parseHostName,
  parseInterfaceName,
  parseIpv4,
  parseMac,
} from "./values.ts";

/** A NIC of a node. */
export interface NodeNic {
  /** Null when it is a new one at each start, or the NAS sends something else than a MAC. */
  readonly mac: Mac | null;
  /** The bridge or interface. */
  readonly attach: InterfaceName | null;
  /** As the VM's guest tells it; null when it does not. */
  readonly ip: Ipv4 | null;
}

/** A VM as a cluster sees it. */
export interface ClusterNode {
  /** The VM's name as the NAS has it: any text. */
  readonly name: string;
  /** The host name made from it; null when none can be made. */
  readonly host: HostName | null;
  /** The VM type; null for a name without a number. */
  readonly type: string | null;
  /** In order. */
  readonly nics: readonly NodeNic[];
  /** The disk that boots first, as Linux names it: `/dev/vda` on VIRTIO, `/dev/sda` on AHCI; null when not known. */
  readonly installDisk: InstallDisk | null;
}

/** The first disk of a bus, as Linux names it. */
export type InstallDisk = "/dev/vda" | "/dev/sda";

const FIRST_DISK = { VIRTIO: "/dev/vda", AHCI: "/dev/sda" } as const;

/** A VM that exists. */
export function nodeOfVm(vm: Vm): ClusterNode {
  const bus = vm.disks.toSorted((a, b) => a.order - b.order)[0]?.bus ?? null;
  return {
    ...named(vm.name),
    type: typeOf(vm.name),
    nics: vm.nics.map(({ mac, attach, ip }) => ({
      mac: parseMac(mac),
      attach: parseInterfaceName(attach),
      ip: parseIpv4(ip?.address ?? null),
    })),
    installDisk: bus === null ? null : FIRST_DISK[bus],
  };
}

/** A VM that is planned. */
export function nodeOfPlanned(vm: PlannedVm): ClusterNode {
  const nics = vm.devices.flatMap((device) =>
    device.dtype === "NIC"
      ? [{ mac: parseMac(device.mac), attach: parseInterfaceName(device.attach), ip: null }]
      : []
  );
  const [disk] = vm.devices.flatMap((device) => device.dtype === "DISK" ? [device] : []);
  return {
    ...named(vm.name),
    type: vm.type,
    nics,
    installDisk: disk === undefined ? null : FIRST_DISK[disk.bus],
  };
}

/** Addresses that several guests claim; none of them is believed. */
export function contestedAddresses(nodes: readonly ClusterNode[]): ReadonlySet<Ipv4> {
  const seen = new Set<Ipv4>();
  const contested = new Set<Ipv4>();
  for (const { ip } of nodes.flatMap(({ nics }) => nics)) {
    if (ip !== null && seen.has(ip)) contested.add(ip);
    if (ip !== null) seen.add(ip);
  }
  return contested;
}

function named(name: string): Pick<ClusterNode, "name" | "host"> {
  return { name, host: parseHostName(name) };
}
