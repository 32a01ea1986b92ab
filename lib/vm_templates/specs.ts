/** The content of templates: arguments of vm.create and vm.device.create, as this program checks them. */
import type { DeviceType } from "../truenas/versions.ts";
import { z } from "../zod.ts";

/** The argument of vm.create. `memory` in MiB. */
export interface VmSpec {
  /** The VM's name. */
  name: string;
  /** Cores per socket. */
  cores: number;
  /** Threads per core. */
  threads: number;
  /** MiB. */
  memory: number;
  /** Number of sockets, which TrueNAS calls vcpus. */
  vcpus?: number;
  /** Free text. */
  description?: string;
  /** Any further key of vm.create. */
  [key: string]: unknown;
}

/** The argument of vm.device.create (25.04.2 and later: `dtype` inside the attributes). */
export interface DeviceSpec {
  /** The VM's id. */
  vm: number;
  /** The device; `dtype` is its kind. */
  attributes: { dtype: string; [key: string]: unknown };
  /** Boot order; lower numbers boot first. */
  order?: number;
}

const integer = z.number().int().safe();

/** The keys of vm.create whose values are checked; others are accepted if the TrueNAS release has them. */
export const vmSpec = z.object({
  name: z.string().optional(),
  description: z.string().optional(),
  vcpus: integer.min(1).optional(),
  cores: integer.min(1).optional(),
  threads: integer.min(1).optional(),
  memory: integer.min(20).optional(),
  min_memory: integer.min(20).nullable().optional(),
  cpu_mode: z.enum(["CUSTOM", "HOST-MODEL", "HOST-PASSTHROUGH"]).optional(),
  cpu_model: z.string().nullable().optional(),
  cpuset: z.string().nullable().optional(),
  nodeset: z.string().nullable().optional(),
  enable_cpu_topology_extension: z.boolean().optional(),
  pin_vcpus: z.boolean().optional(),
  suspend_on_snapshot: z.boolean().optional(),
  trusted_platform_module: z.boolean().optional(),
  hyperv_enlightenments: z.boolean().optional(),
  bootloader: z.enum(["UEFI", "UEFI_CSM"]).optional(),
  bootloader_ovmf: z.string().nullable().optional(),
  autostart: z.boolean().optional(),
  hide_from_msr: z.boolean().optional(),
  ensure_display_device: z.boolean().optional(),
  time: z.enum(["LOCAL", "UTC"]).optional(),
  shutdown_timeout: integer.min(5).max(300).optional(),
  arch_type: z.string().nullable().optional(),
  machine_type: z.string().nullable().optional(),
  command_line_args: z.string().optional(),
  enable_secure_boot: z.boolean().optional(),
}).passthrough();

const sectorSize = z.union([z.literal(512), z.literal(4096)]).nullable().optional();

const attributes = {
  DISPLAY: z.object({
    dtype: z.literal("DISPLAY"),
    type: z.enum(["SPICE", "VNC"]).optional(),
    resolution: z.string().optional(),
    bind: z.string().min(1).optional(),
    wait: z.boolean().optional(),
    web: z.boolean().optional(),
  }).passthrough(),
  CDROM: z.object({ dtype: z.literal("CDROM") }).passthrough(),
  NIC: z.object({
    dtype: z.literal("NIC"),
    type: z.enum(["E1000", "VIRTIO"]).optional(),
    trust_guest_rx_filters: z.boolean().optional(),
  }).passthrough(),
  DISK: z.object({
    dtype: z.literal("DISK"),
    type: z.enum(["AHCI", "VIRTIO"]).optional(),
    iotype: z.enum(["NATIVE", "THREADS", "IO_URING"]).optional(),
    logical_sectorsize: sectorSize,
    physical_sectorsize: sectorSize,
  }).passthrough(),
} satisfies Record<DeviceType, z.ZodType>;

/** Checks a device template. */
export function deviceSpec(dtype: DeviceType) {
  return z.strictObject({ attributes: attributes[dtype], order: integer.optional() });
}

/** Keys that the plan sets, so templates cannot. */
export const PLANNED_KEYS: Readonly<Record<DeviceType | "vm", readonly string[]>> = {
  vm: ["name", "cores", "threads", "memory", "uuid"],
  DISPLAY: ["port", "web_port", "password"],
  CDROM: ["path"],
  NIC: ["nic_attach", "mac"],
  DISK: ["path", "create_zvol", "zvol_name", "zvol_volsize"],
};
