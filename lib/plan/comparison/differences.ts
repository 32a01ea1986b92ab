/**
 * The fields in which an existing VM differs from what configuration and templates say. What neither of them states, such
 * as a port that the plan chose, is not compared. Pure.
 */
import { isMarked, markedDescription, withoutMark } from "../../inventory/marks.ts";
import { MIB } from "../../units.ts";
import type { Difference } from "../types.ts";
import { deviceDifferences } from "./device_differences.ts";
import {
  BY_REPLACING,
  changedBy,
  compare,
  compareSizes,
  type Comparison,
  HARDWARE,
  NAS_SETTING,
  SETTING,
} from "./values.ts";

/** Every difference. In a VM created elsewhere, which is never changed, only the hardware is compared. */
export function differencesOf(comparison: Comparison): Difference[] {
  const { found } = comparison;
  const differences = [...settingDifferences(comparison), ...deviceDifferences(comparison)];
  if (isMarked(found.description)) return differences;
  return differences.filter(({ kind }) => kind === "hardware")
    .map((it) => ({ ...it, never: NOT_OURS, change: null, replaces: false }));
}

const NOT_OURS = "this program did not create the VM";

function settingDifferences(comparison: Comparison): Difference[] {
  const { wanted, found, stated } = comparison;
  const sockets = wanted.vcpus / (wanted.cores * wanted.threads);
  const cpus = changedBy({
    kind: "settings",
    set: { vcpus: sockets, cores: wanted.cores, threads: wanted.threads },
    was: { vcpus: found.sockets, cores: found.cores, threads: found.threads },
  });
  const description = wanted.description || stated.description;
  const autostart = wanted.autostart ?? stated.autostart;
  return [
    ...compare("vcpus", wanted.vcpus, found.vcpus, { ...HARDWARE, ...cpus }),
    ...compare("threads", wanted.threads, found.threads, { ...SETTING, ...cpus }),
    ...compareSizes("memory", wanted.memoryMib * MIB, found.memoryMib * MIB, {
      ...HARDWARE,
      ...setting("memory", wanted.memoryMib, found.memoryMib),
    }),
    ...compare("cpu_mode", stated.cpuMode, found.cpuMode, {
      ...SETTING,
      ...setting("cpu_mode", stated.cpuMode, found.cpuMode ?? null),
    }),
    ...compare("autostart", yesNo(autostart), yesNo(found.autostart), {
      ...NAS_SETTING,
      ...setting("autostart", autostart, found.autostart),
    }),
    ...columnDifferences(comparison),
    ...compare("description", description?.trim(), withoutMark(found.description), {
      ...NAS_SETTING,
      ...setting("description", markedDescription(description?.trim() ?? ""), found.description),
    }),
  ];
}

/** What the NAS alone looks at. */
const NAS_COLUMNS: readonly string[] = ["shutdown_timeout", "suspend_on_snapshot"];

/** Further settings that the templates state. */
function columnDifferences({ found, stated, refused }: Comparison): Difference[] {
  return Object.entries(stated.columns ?? {}).flatMap(([column, wanted]) => {
    const present = found.columns?.[column];
    // A release without the column, or a VM of which it was not read.
    if (present === undefined) return [];
    const kind = NAS_COLUMNS.includes(column) ? NAS_SETTING : SETTING;
    const way = refused.includes(column) ? BY_REPLACING : setting(column, wanted, present);
    return compare(column, textOf(wanted), textOf(present), { ...kind, ...way });
  });
}

function textOf(value: Value): string {
  return typeof value === "boolean" ? value ? "yes" : "no" : value === null ? "none" : String(value);
}

type Value = string | number | boolean | null;

function setting(column: string, value: Value, was: Value) {
  return changedBy({ kind: "settings", set: { [column]: value }, was: { [column]: was } });
}

function yesNo(value: boolean | null): string | null {
  return value === null ? null : value ? "yes" : "no";
}
