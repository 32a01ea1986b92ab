/** What a planned VM's seed is told about it. Pure. */
import type { PlannedDevice, PlannedVm } from "../../plan/types.ts";
import { seedHostname } from "../rendering/render_seed.ts";
import type { HostNameFacts, SeedFacts } from "../rendering/seed.ts";
import type { SeedSection } from "../types.ts";

/** What differs between a plan and its execution. */
export type SeedInstance = Pick<SeedFacts, "instanceId" | "phoneHomeUrl">;

type DeviceOf<D extends PlannedDevice["dtype"]> = Extract<PlannedDevice, { dtype: D }>;

/** A VM of a plan, as far as seeds look at it. */
export type SeededVm = Pick<PlannedVm, "name" | "type" | "devices">;

/**
 * Everything that the seed of a VM is rendered from, besides texts.
 *
 * @throws {ConfigurationError} when its section names no valid host name.
 */
export function seedFacts(
  vm: SeededVm,
  { section, count }: { readonly section: SeedSection; readonly count: number },
  instance: SeedInstance,
): SeedFacts {
  const facts = hostNameFacts(vm, count);
  return { ...facts, hostname: seedHostname(section, facts), ...instance };
}

/** What the host name of a VM can be made from. */
export function hostNameFacts({ name, type, devices }: SeededVm, count: number): HostNameFacts {
  const nics = devices.filter((device): device is DeviceOf<"NIC"> => device.dtype === "NIC");
  const disk = devices.find((device): device is DeviceOf<"DISK"> => device.dtype === "DISK");
  const addresses = nics.flatMap((nic) => nic.ip === undefined ? [] : [[nic.name, nic.ip] as const]);
  const [first] = addresses;
  const number = name.startsWith(type) ? Number(name.slice(type.length) || NaN) : NaN;
  return {
    name,
    // One with a name of its own is the only one of its kind.
    index: Number.isInteger(number) ? number : 1,
    type,
    count: Number.isInteger(number) ? count : 1,
    ip: first?.[1].address ?? null,
    macs: Object.fromEntries(nics.map((nic) => [nic.name, nic.mac])),
    addresses: Object.fromEntries(addresses),
    installDisk: disk === undefined ? null : disk.bus === "VIRTIO" ? "/dev/vda" : "/dev/sda",
  };
}
