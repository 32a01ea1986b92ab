/** VMs as cluster nodes, existing or planned, with validated values only. Pure. */
import { type Ipv4, parseIpv4 } from "../configuration/environment/ip_addresses.ts";
import type { PlannedAddress } from "../first_boot/types.ts";
import type { Vm } from "../inventory/inventory.ts";
import { typeOf } from "../inventory/names.ts";
import type { PlannedVm } from "../plan/types.ts";
import {
  type HostName,
  type InterfaceName,
  type Mac,
  parseHostName,
  parseInterfaceName,
  parseMac,
} from "./values.ts";

/** A NIC of a node. */
export interface NodeNic {
  /** null when it changes at each start, or when the NAS sent something else. */
  readonly mac: Mac | null;
  /** The bridge or interface. */
  readonly attach: InterfaceName | null;
  /** The address that the guest reports, or else the one that it was planned with; null with neither. */
  readonly ip: Ipv4 | null;
  /** The static address that it was planned with; absent with DHCP. */
  readonly planned?: PlannedAddress;
}

/** A VM as a cluster sees it. */
export interface ClusterNode {
  /** The VM's name on the NAS: any text. */
  readonly name: string;
  /** The host name derived from it; null when that is impossible. */
  readonly host: HostName | null;
  /** The VM type; null when the name does not end in digits. */
  readonly type: string | null;
  /** In order. */
  readonly nics: readonly NodeNic[];
  /** Linux name of the first boot disk: `/dev/vda` on VIRTIO, `/dev/sda` on AHCI; null when unknown. */
  readonly installDisk: InstallDisk | null;
}

/** Linux name of the first disk on a bus. */
export type InstallDisk = "/dev/vda" | "/dev/sda";

const FIRST_DISK = { VIRTIO: "/dev/vda", AHCI: "/dev/sda" } as const;

/** The static addresses that VMs were created with: by the VM's name, for each of its NICs. */
export type GivenAddresses = ReadonlyMap<string, readonly (PlannedAddress | null)[]>;

/** A VM that exists. */
export function nodeOfVm(vm: Vm, given: GivenAddresses = new Map()): ClusterNode {
  const bus = vm.disks.toSorted((a, b) => a.order - b.order)[0]?.bus ?? null;
  return {
    ...named(vm.name),
    type: typeOf(vm.name),
    nics: vm.nics.map(({ mac, attach, ip }, n) => {
      const planned = given.get(vm.name)?.[n] ?? null;
      return {
        mac: parseMac(mac),
        attach: parseInterfaceName(attach),
        ip: parseIpv4(ip?.address ?? planned?.address ?? null),
        ...(planned === null ? {} : { planned }),
      };
    }),
    installDisk: bus === null ? null : FIRST_DISK[bus],
  };
}

/** A VM that is planned. */
export function nodeOfPlanned(vm: PlannedVm): ClusterNode {
  const nics = vm.devices.flatMap((device) =>
    device.dtype === "NIC"
      ? [{
        mac: parseMac(device.mac),
        attach: parseInterfaceName(device.attach),
        ip: parseIpv4(device.ip?.address ?? null),
        ...(device.ip === undefined ? {} : { planned: device.ip }),
      }]
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

/** Returns a function that explains why an address is not used: several VMs have it. */
export function addressConflicts(nodes: readonly ClusterNode[]): (ip: Ipv4 | null) => string | null {
  const all = nodes.flatMap(({ nics }) => nics.map(({ ip }) => ip));
  const repeated = new Set(all.filter((ip, index) => all.indexOf(ip) !== index));
  return (ip) => ip !== null && repeated.has(ip) ? `several VMs have the address ${ip}` : null;
}

function named(name: string): Pick<ClusterNode, "name" | "host"> {
  return { name, host: parseHostName(name) };
}
