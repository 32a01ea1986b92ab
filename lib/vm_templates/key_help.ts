/** What the keys of the templates mean and take, and which TrueNAS releases accept them. */
import { rulesFor, VERSION_RULES, type VersionRules } from "../truenas/versions.ts";
import { z } from "../zod.ts";
import { deviceSpec, PLANNED_KEYS, vmSpec } from "./specs.ts";
import type { TemplateName } from "./template_files.ts";

/** A key that a template can have. */
export interface TemplateKey {
  readonly name: string;
  readonly help: string;
  /** What it takes: `true or false`; empty where this program does not check it. */
  readonly takes: string;
  /** The first release that accepts it; null when all known ones do. */
  readonly since: string | null;
  /** Whether the release that was asked for accepts it. */
  readonly isAccepted: boolean;
}

const VM_HELP: Readonly<Record<string, string>> = {
  description: "Text for the VM's description; the program adds its mark",
  vcpus: "CPU sockets. Cores and threads come from the VM type",
  min_memory: "Least memory in MiB, for ballooning",
  cpu_mode: "Which CPU the guest sees; HOST-PASSTHROUGH is the NAS's own",
  cpu_model: "The CPU's model, for cpu_mode CUSTOM",
  cpuset: "Host CPUs that the VM may use, for example 0-3,8",
  nodeset: "NUMA nodes whose memory the VM may use, for example 0",
  pin_vcpus: "Ties each vCPU to one host CPU of cpuset",
  enable_cpu_topology_extension: "Shows the guest an AMD CPU's threads and caches",
  suspend_on_snapshot: "Suspends the VM while its dataset's periodic snapshot is taken",
  trusted_platform_module: "Gives the guest a virtual TPM",
  hyperv_enlightenments: "Offers Hyper-V interfaces, for Windows guests",
  bootloader: "UEFI, or UEFI_CSM for guests that need a BIOS",
  bootloader_ovmf: "The UEFI firmware's file. Best left to TrueNAS",
  enable_secure_boot: "Starts only signed boot loaders",
  autostart: "Starts the VM when the NAS boots",
  hide_from_msr: "Hides the hypervisor from the guest, for some GPU drivers",
  ensure_display_device: "Adds a video device even without a display",
  time: "What the guest's clock shows: the NAS's local time, or UTC",
  shutdown_timeout: "Seconds until a VM that does not shut down is powered off",
  arch_type: "Architecture, for example x86_64. Best left to TrueNAS",
  machine_type: "QEMU's machine type. Best left to TrueNAS",
  command_line_args: "Further arguments for QEMU",
};

const DEVICE_HELP: Readonly<Record<string, string>> = {
  dtype: "The type of device; fixed",
  "DISPLAY.type": "The protocol of the display",
  "DISPLAY.resolution": "The screen's size, for example 1024x768",
  "DISPLAY.bind": "The NAS's address that the display listens on; 0.0.0.0 is all",
  "DISPLAY.wait": "Holds the guest until somebody connects to the display",
  "DISPLAY.web": "Offers the display in TrueNAS's web client (SPICE only)",
  "NIC.type": "The card that the guest sees; E1000 for guests without VirtIO drivers",
  "NIC.trust_guest_rx_filters": "Lets the guest change the card's receive filters, for VLANs and multicast",
  "NIC.pci_address": "The card's place on the guest's PCI bus",
  "DISK.type": "The bus that the guest sees; AHCI for guests without VirtIO drivers",
  "DISK.iotype": "How QEMU reads and writes the zvol",
  "DISK.logical_sectorsize": "The sector size that the guest sees, in bytes",
  "DISK.physical_sectorsize": "The physical sector size that the guest sees, in bytes",
  "DISK.serial": "The disk's serial number. Two disks of a VM cannot share one",
  order: "Place in the boot order; lower boots first",
};

/** The keys of one template; `release` is that of the NAS, or null when it is unknown. */
export function templateKeys(name: TemplateName, release: string | null): readonly TemplateKey[] {
  const accepted = (rules: VersionRules) => name === "vm" ? rules.vmCreateKeys : rules.deviceKeys[name];
  const known = [...new Set(VERSION_RULES.flatMap(accepted))].filter((key) =>
    !PLANNED_KEYS[name].includes(key)
  );
  const takes = takenBy(name);
  const keys = known.map((key): TemplateKey => {
    const first = VERSION_RULES.find((rules) => accepted(rules).includes(key));
    return {
      name: name === "vm" ? key : `attributes.${key}`,
      help: (name === "vm" ? VM_HELP[key] : DEVICE_HELP[`${name}.${key}`]) ?? "",
      takes: takes[key] ?? "",
      since: first === VERSION_RULES[0] ? null : first?.id ?? null,
      isAccepted: release === null || accepted(rulesFor(release)).includes(key),
    };
  });
  if (name === "vm") return keys;
  const own = { since: null, isAccepted: true } as const;
  return [
    { name: "attributes.dtype", help: DEVICE_HELP.dtype ?? "", takes: name, ...own },
    ...keys,
    { name: "order", help: DEVICE_HELP.order ?? "", takes: "a whole number", ...own },
  ];
}

/** What the checks of this program say. */
function takenBy(name: TemplateName): Readonly<Record<string, string>> {
  const spec = name === "vm" ? vmSpec : deviceSpec(name).shape.attributes;
  const { properties = {} } = z.toJSONSchema(spec, { io: "input", unrepresentable: "any" });
  return Object.fromEntries(Object.entries(properties).map(([key, schema]) => [key, takesOf(schema)]));
}

function takesOf(schema: unknown): string {
  if (typeof schema !== "object" || schema === null) return "";
  const { type, enum: choices, const: fixed, anyOf, minimum, maximum } = schema as Record<string, unknown>;
  if (Array.isArray(type)) return type.map((it) => takesOf({ ...schema, type: it })).join(" or ");
  if (Array.isArray(anyOf)) return [...new Set(anyOf.map(takesOf))].join(" or ");
  if (Array.isArray(choices)) return choices.join(", ");
  if (fixed !== undefined) return String(fixed);
  if (type === "boolean") return "true or false";
  if (type === "string") return "text";
  if (type === "null") return "null";
  if (type !== "integer" && type !== "number") return "";
  const isBounded = typeof maximum === "number" && maximum < Number.MAX_SAFE_INTEGER;
  return isBounded ? `${minimum} to ${maximum}` : `a whole number from ${minimum} on`;
}
