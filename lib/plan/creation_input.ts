/** The input of a creation plan. */
import type { Configuration } from "../configuration/configuration.ts";
import type { Places } from "../configuration/configuration_text.ts";
import type { KnownAddresses } from "../first_boot/addresses/known_addresses.ts";
import type { SeedsRead } from "../first_boot/planning/seeds_read.ts";
import type { ImageWays } from "../images/acquiring/ways.ts";
import type { ImagesRead } from "../images/planned_image.ts";
import type { Dataset, Inventory, NasInterface } from "../inventory/inventory.ts";
import type { VersionRules } from "../truenas/versions.ts";
import type { Reconciling, Values } from "./changes.ts";
import type { JournalEvidence } from "./destruction.ts";
import type { RemovalFacts } from "./removal.ts";
import type { KeptZvols } from "./replacing/kept.ts";
import type { DiskSources, PlannedVm } from "./types.ts";

/** The template values that a plan needs. */
export interface TemplateFacts {
  /** Address the displays listen on. */
  readonly bind: string;
  /** Sockets of a VM (`vcpus` in TrueNAS's API). */
  readonly sockets: number;
  /** `order` of each device template. */
  readonly orders: Readonly<Record<"DISPLAY" | "CDROM" | "NIC" | "DISK", number>>;
  /** Bus of the disks. */
  readonly diskBus: "VIRTIO" | "AHCI";
  /** `SPICE` or `VNC`. */
  readonly displayType: string;
  /** Whether the display has a web client. */
  readonly web: boolean;
  /** Whether VMs start when the NAS boots. */
  readonly autostart: boolean;
  /** Whether VMs use secure boot. */
  readonly secureBoot: boolean;
  /** What existing VMs are compared with. */
  readonly stated: StatedSettings;
}

/** Settings as the templates state them, null where they do not: what TrueNAS chose is no difference. */
export interface StatedSettings {
  /** Free text before the mark; an empty one states nothing. */
  readonly description: string | null;
  /** Whether VMs start when the NAS boots. */
  readonly autostart: boolean | null;
  /** `HOST-PASSTHROUGH`. */
  readonly cpuMode: string | null;
  /** Address the displays listen on. */
  readonly bind: string | null;
  /** `VIRTIO` or `E1000`. */
  readonly nicModel: string | null;
  /** `VIRTIO` or `AHCI`. */
  readonly diskBus: string | null;
  /** Further keys of vm.create. */
  readonly columns?: Values;
  /** Further attributes of each device. */
  readonly attributes?: Readonly<Partial<Record<"DISPLAY" | "NIC" | "DISK", Values>>>;
  /** Whether the orders of disks and CD-ROM are stated, so that their sequence is compared. */
  readonly bootOrder?: boolean;
}

/** A requested VM type. */
export interface WantedType {
  /** Name of a section in the configuration. */
  readonly type: string;
  /** First port of its displays. */
  readonly startPort: number;
  /** Plans one VM with this whole name, such as `mail`, instead of the type's numbered ones. */
  readonly name?: string;
}

/** Input of a creation plan. */
export interface CreationInput {
  readonly configuration: Configuration;
  readonly types: readonly WantedType[];
  /** Template values of a VM type, including its overrides. */
  readonly templates: (type: string) => TemplateFacts;
  /** Length of the display password; null when it is not known yet. */
  readonly passwordChars: number | null;
  readonly inventory: Inventory;
  readonly rules: VersionRules;
  /** Ports that the NAS refused because another service uses them; they are skipped. */
  readonly refusedPorts?: Iterable<number>;
  /** What running operations have given to VMs that the NAS may not show yet; default nothing. */
  readonly claimed?: ClaimedElsewhere;
  /** Position of each value in the file, when the configuration comes from one. */
  readonly places?: Places;
  /** What the journal recorded, which shows whose VMs those beyond a type's count are. */
  readonly evidence?: JournalEvidence;
  /** Names of VMs that were created one by one, as no part of a type. */
  readonly single?: ReadonlySet<string>;
  /** What depends on zvols that replacing VMs would remove; default: not read yet, so nothing of it prevents anything. */
  readonly removal?: RemovalFacts;
  /** Replacements to go on with, by the VM's name. */
  readonly ongoing?: ReadonlyMap<string, OngoingReplacement>;
  /** The uuids of VMs that an earlier operation has created and started, and that only have to be waited for. */
  readonly awaited?: ReadonlySet<string>;
  /** Whether VMs are waited for until they answer; default true. */
  readonly waitReady?: boolean;
  /** Names of VMs that are made anew with a new first disk, whether or not they differ; default: none. */
  readonly anew?: ReadonlySet<string>;
  /** Zvols that unfinished replacements keep. */
  readonly unfinished?: KeptZvols;
  /** MAC addresses planned earlier for a VM, by network name; `existing`: the VM is on the NAS. */
  readonly plannedMacs?: (vm: string, existing: boolean) => PlannedMacs | null;
  /** The images of the planned types; default none. */
  readonly images?: ImagesRead;
  /** What disks are copied from; default: nothing. */
  readonly sources?: DiskSources;
  /** The ways by which seeds on CD-ROMs can come to the NAS; default: not known. */
  readonly seedDiskWays?: ImageWays;
  /** Addresses that other VMs and devices have; default: none are known. */
  readonly addresses?: KnownAddresses;
  /** What the seeds of the planned types are made from; default: no VM gets one. */
  readonly seeds?: SeedsRead;
  /** The NAS's bridges and interfaces by name; default: not known. */
  readonly interfaces?: ReadonlyMap<string, NasInterface>;
}

/** What belongs to VMs of running operations, whether or not it is on the NAS. */
export interface ClaimedElsewhere {
  /** Ports of displays. */
  readonly ports: readonly number[];
  /** The VMs of MAC addresses. */
  readonly macs: ReadonlyMap<string, string>;
}

/** A replacement that has not been finished. */
export interface OngoingReplacement {
  /** The VM as it was shown and confirmed, with its replacement. */
  readonly confirmed: PlannedVm;
  /** The uuids that were requested for the new VM so far. */
  readonly successors: readonly string[];
}

/** What comparing one VM with its type takes. */
export interface ComparisonInput extends
  Pick<
    CreationInput,
    "configuration" | "templates" | "plannedMacs" | "images" | "sources" | "anew"
  > {
  /** Absent where nothing is going to be created. */
  readonly rules?: VersionRules;
  readonly inventory: Pick<Inventory, "nas" | "vms" | "datasets" | "zvolBlockSize">;
  /** Keys of vm.create that vm.update refuses; default: those of the rules. */
  readonly vmUpdateRefuses?: readonly string[];
}

/** The dataset or zvol of this name on the NAS; undefined when it does not exist or cannot be read. */
export function findDataset(
  { inventory: { datasets } }: Pick<ComparisonInput, "inventory">,
  name: string,
): Dataset | undefined {
  return datasets.known ? datasets.value.find((dataset) => dataset.name === name) : undefined;
}

/** MAC addresses by network name in the configuration. */
export type PlannedMacs = Readonly<Record<string, string>>;

/** What is to be created: a whole configuration, or some of its types. */
export interface CreationRequest<C = Configuration> {
  /** Checked already. */
  readonly configuration: C;
  /** Default: every type of the configuration, each from its usual port. */
  readonly types?: readonly WantedType[];
  /** Position of each value in the file. */
  readonly places?: Places;
  /** MACs that VMs were planned with before, by VM and network: they keep them. */
  readonly macs?: Readonly<Record<string, PlannedMacs>>;
  /** What is done about VMs that exist and differ; default: nothing. */
  readonly reconcile?: Reconciling;
  /** What the disks of new VMs are copied from; default: nothing. */
  readonly sources?: DiskSources;
  /** Whether the NAS is asked which devices have the planned addresses, which takes seconds; default true. */
  readonly asksNetwork?: boolean;
  /** Whether VMs are waited for until they answer; default true. */
  readonly waitReady?: boolean;
  /** Names of VMs that can be replaced although they do not differ; default: none. */
  readonly anew?: readonly string[];
}
