/** Compares two values of one field of a VM. Pure. */
import type { Disk, Vm } from "../../inventory/inventory.ts";
import { formatBytes, MIB } from "../../units.ts";
import type { PlannedChange } from "../changes.ts";
import type { StatedSettings } from "../creation_input.ts";
import type { Difference, PlannedVm } from "../types.ts";

/** A configured VM, before the NAS is checked for an existing one. */
export type WantedVm = Omit<
  PlannedVm,
  "action" | "reasons" | "differences" | "missing" | "vmId" | "vmUuid" | "state" | "replacement" | "steps"
>;

/** What a VM is compared with. */
export interface Comparison {
  readonly wanted: WantedVm;
  readonly found: Vm;
  /** The existing disk of each configured one, by step. */
  readonly disks: ReadonlyMap<string, Disk>;
  readonly stated: StatedSettings;
  /** Keys of vm.create that vm.update refuses. */
  readonly refused: readonly string[];
}

/** What a difference in a field means, besides its values. */
export type Nature = Omit<Difference, "field" | "wanted" | "found">;

/** When a change takes effect, and whether it is hardware that the type promises. */
export type Kind = Pick<Nature, "needsStop" | "kind">;

/** TrueNAS takes these for a running VM, whose guest has them only once the VM was stopped and started. */
export const HARDWARE: Kind = { needsStop: true, kind: "hardware" };
export const SETTING: Kind = { needsStop: true, kind: "setting" };
/** What only the NAS itself looks at. */
export const NAS_SETTING: Kind = { needsStop: false, kind: "setting" };
/** TrueNAS's `refreservation` can be changed at any time. */
export const RESERVATION: Kind = { needsStop: false, kind: "hardware" };

/** A difference that this change settles. */
export function changedBy(change: PlannedChange): Pick<Nature, "never" | "change" | "replaces"> {
  return { never: null, change, replaces: false };
}

/** A difference that only a new VM settles. */
export const BY_REPLACING: Pick<Nature, "never" | "change" | "replaces"> = {
  never: null,
  change: null,
  replaces: true,
};

/** A difference that stays. */
export function neverChanged(never: string): Pick<Nature, "never" | "change" | "replaces"> {
  return { never, change: null, replaces: false };
}

type Value = string | number | null | undefined;

/** Nothing is compared where either value is unknown. */
export function compare(field: string, wanted: Value, found: Value, nature: Nature): Difference[] {
  if (wanted === null || wanted === undefined || found === null || found === undefined) return [];
  if (wanted === found) return [];
  return [{ field, wanted: String(wanted), found: String(found), ...nature }];
}

/** Compares sizes in bytes. */
export function compareSizes(field: string, wanted: number, found: number, nature: Nature): Difference[] {
  // Exact sizes, for two that round to the same text.
  const format = formatBytes(wanted) === formatBytes(found) ? formatExactBytes : formatBytes;
  return compare(field, format(wanted), format(found), nature);
}

function formatExactBytes(sizeBytes: number): string {
  return sizeBytes % MIB === 0 ? `${sizeBytes / MIB} MiB` : `${sizeBytes} B`;
}
