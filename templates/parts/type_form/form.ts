/** A VM type in a form, as typed, and what can be chosen for it. */
import type { OnFailure } from "../../../lib/configuration/on_failure.ts";
import { formatMib } from "../../../lib/units.ts";
import type { AddressedNetwork, FirstBootForm } from "./first_boot.ts";

/** A disk's row, as typed. */
export interface DiskRow {
  readonly name: string;
  readonly sizeGib: string;
}

/** A network's row, as typed. */
export interface NetworkRow extends AddressedNetwork {
  readonly bridge: string;
  /** Fixed MACs, separated by commas or spaces; if empty, MACs are derived. */
  readonly macs: string;
}

/** One VM type in the form, as typed. */
export interface CreateFormType {
  readonly name: string;
  readonly count: string;
  readonly memory: string;
  readonly cpu: string;
  readonly threads: string;
  readonly start: boolean;
  readonly autostart: boolean;
  readonly overcommit: boolean;
  readonly sparse: boolean;
  /** Name of the image that the first disk is made from; empty: none; null: the form did not say, so it stays. */
  readonly image: string | null;
  /** The type's own install image, or `none`; empty: as for all types; null: the form did not say, so it stays. */
  readonly cdrom: string | null;
  /** Whether the first disk is a clone of its image; null: the form did not say, so it stays. */
  readonly clone: boolean | null;
  readonly description: string;
  readonly parallel: string;
  readonly onFailure: string;
  /** Null: the form did not say, so it stays. */
  readonly firstBoot: FirstBootForm | null;
  /** What the configuration file says of the first boot, in a few words. */
  readonly firstBootSaid: readonly string[];
  /** Keys that the configuration file overrides in the templates; the form keeps them. */
  readonly overrides: readonly string[];
  readonly disks: readonly DiskRow[];
  readonly networks: readonly NetworkRow[];
}

/** What can happen when a VM fails, in words. */
export const FAILURE_CHOICES = {
  "roll-back": "Roll it back and continue with the others",
  keep: "Keep it for inspection",
  stop: "Roll it back and start no more VMs",
} as const satisfies Record<OnFailure, string>;

/** The same for a VM of its own. */
export const FAILURE_CHOICES_OF_ONE = {
  "roll-back": "Roll it back",
  keep: "Keep it for inspection",
} as const satisfies Partial<Record<OnFailure, string>>;

/** The sizes to choose from; memory in MiB. */
export const SIZES = {
  small: { label: "Small", cpu: 2, memoryMib: 2048, words: "2 vCPUs, 2 GiB" },
  medium: { label: "Medium", cpu: 4, memoryMib: 4096, words: "4 vCPUs, 4 GiB" },
  large: { label: "Large", cpu: 4, memoryMib: 8192, words: "4 vCPUs, 8 GiB" },
} as const;

/** The size that these numbers are; custom for all others. */
export function sizeOf({ cpu, memory }: Pick<CreateFormType, "cpu" | "memory">): string {
  const found = Object.entries(SIZES).find(([, size]) =>
    String(size.cpu) === cpu && [String(size.memoryMib), `${size.memoryMib / 1024} GiB`].includes(memory)
  );
  return found?.[0] ?? "custom";
}

/** What to enter as memory. */
export const MEMORY_HELP = "For example 2 GiB; a number alone is MiB";

/** Memory in MiB as a field shows it: `4 GiB`, `512 MiB`. */
export function memoryText(memoryMib: number): string {
  return Number.isInteger(memoryMib / 1024) ? formatMib(memoryMib) : `${memoryMib} MiB`;
}
