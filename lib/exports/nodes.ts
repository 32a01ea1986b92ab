/** What clusters need to know of VMs, existing or planned, in one small shape. Pure. */
import type { Vm } from "../inventory.ts";
import { typeOf } from "../names.ts";
import type { PlannedVm } from "../plan/types.ts";

/** A NIC of a node. */
export interface NodeNic {
  /** Lower-case with colons; null when it is a new one at each start. */
  readonly mac: string | null;
  /** The bridge or interface. */
  readonly attach: string | null;
  /** As the NAS knows it; null when it does not. */
  readonly ip: string | null;
}

/** A VM as a cluster sees it. */
export interface ClusterNode {
  /** The VM's name, which is its host name. */
  readonly name: string;
  /** The VM type; null for a name without a number. */
  readonly type: string | null;
  /** In order. */
  readonly nics: readonly NodeNic[];
  /** The disk that boots first, as Linux names it: `/dev/vda` on VIRTIO, `/dev/sda` on AHCI; null without one. */
  readonly installDisk: string | null;
}

/** A VM that exists. */
export function nodeOfVm(vm: Vm): ClusterNode {
  const [first] = vm.disks.toSorted((a, b) => a.order - b.order);
  return {
    name: vm.name,
    type: typeOf(vm.name),
    nics: vm.nics.map(({ mac, attach, ip }) => ({ mac, attach, ip: ip?.address ?? null })),
    installDisk: first === undefined ? null : first.bus === "AHCI" ? "/dev/sda" : "/dev/vda",
  };
}

/** A VM that is planned; disks are VIRTIO unless the templates say otherwise. */
export function nodeOfPlanned(vm: PlannedVm, bus: "VIRTIO" | "AHCI" = "VIRTIO"): ClusterNode {
  const nics = vm.devices.flatMap((device) =>
    device.dtype === "NIC" ? [{ mac: device.mac, attach: device.attach, ip: null }] : []
  );
  const hasDisk = vm.devices.some(({ dtype }) => dtype === "DISK");
  const disk = bus === "AHCI" ? "/dev/sda" : "/dev/vda";
  return { name: vm.name, type: vm.type, nics, installDisk: hasDisk ? disk : null };
}
