/** What a plan to create is made from and checked against. */
import type { Configuration } from "../configuration/configuration.ts";
import type { Places } from "../configuration/configuration_text.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { VersionRules } from "../truenas/versions.ts";

/** What a plan needs to know of the templates. */
export interface TemplateFacts {
  /** The address that displays are bound to. */
  readonly bind: string;
  /** Sockets of a VM (`vcpus` in TrueNAS's words). */
  readonly sockets: number;
  /** The `order` of each device template. */
  readonly orders: Readonly<Record<"DISPLAY" | "CDROM" | "NIC" | "DISK", number>>;
  /** How guests see their disks. */
  readonly diskBus: "VIRTIO" | "AHCI";
  /** `SPICE` or `VNC`. */
  readonly displayType: string;
  /** Whether the display has a web client. */
  readonly web: boolean;
  /** Whether VMs start with the NAS. */
  readonly autostart: boolean;
  /** Whether VMs boot with secure boot. */
  readonly secureBoot: boolean;
}

/** A VM type that is asked for. */
export interface WantedType {
  /** A section of the configuration. */
  readonly type: string;
  /** Where its displays' ports start. */
  readonly startPort: number;
}

/** Everything that a plan is made from. */
export interface CreationInput {
  readonly configuration: Configuration;
  readonly types: readonly WantedType[];
  /** Of each VM type, with what it overrides. */
  readonly templates: (type: string) => TemplateFacts;
  /** Characters of the displays' password; null when it is not known yet. */
  readonly passwordChars: number | null;
  readonly inventory: Inventory;
  readonly rules: VersionRules;
  /** Ports that the NAS has refused to displays because something else uses them; they are stepped over. */
  readonly refusedPorts?: Iterable<number>;
  /** Where in the file each value stands, when it comes from one. */
  readonly places?: Places;
  /** The MACs that a VM was planned with before, by the network's name; `existing`: the VM is on the NAS. */
  readonly plannedMacs?: (vm: string, existing: boolean) => PlannedMacs | null;
}

/** MACs by the network's name in the configuration. */
export type PlannedMacs = Readonly<Record<string, string>>;

/** What is to be created: a whole configuration, or some of its types. */
export interface CreationRequest {
  /** Checked already. */
  readonly configuration: Configuration;
  /** Default: every type of the configuration, each from its usual port. */
  readonly types?: readonly WantedType[];
  /** Where in the file each value stands. */
  readonly places?: Places;
  /** MACs that VMs were planned with before, by VM and network: they keep them. */
  readonly macs?: Readonly<Record<string, PlannedMacs>>;
}
