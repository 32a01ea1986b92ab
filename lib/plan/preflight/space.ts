/** Rules about the space for zvols. */
import { formatBytes } from "../../units.ts";
import { describeFit, describeNeed, fitByType, isTooLarge, totalBytes } from "../capacity.ts";
import { findDataset } from "../creation_input.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { type Context, devicesOf, error, type Rule, warning } from "./rule.ts";

/** The rules. */
export const SPACE_RULES: readonly Rule[] = [checkSpace];

function checkSpace({ active, input }: Context): Finding[] {
  const parent = findDataset(input, input.configuration.storage.pool_path);
  if (parent === undefined || parent.availableBytes === null) return [];
  const { name, availableBytes } = parent;
  return [...checkThick(active, name, availableBytes), ...checkSparse(active, name, availableBytes)];
}

/** Thick zvols reserve their space at once, so each VM is checked against what the previous ones leave. */
function checkThick(active: readonly PlannedVm[], parent: string, freeBytes: number): Finding[] {
  const fits = fitByType(active.filter((vm) => thickDisks(vm).length > 0), freeBytes, {
    partsOf: thickDisks,
    fits: ({ sizeBytes }, free) => !isTooLarge(sizeBytes, free),
  });
  return fits.flatMap((fit) => {
    const [first] = fit.tooLarge;
    if (first === undefined) return [];
    const need = describeNeed(fit, `${formatBytes(totalBytes(thickDisks(first.vm)))} of space`);
    const message =
      `${need}, but ${parent} has ${formatBytes(fit.freeBytes)} left and TrueNAS limits a zvol ` +
      `to 80 % of that: ${describeFit(fit)}. Lower the count or the size, or make the zvols sparse`;
    return [...Map.groupBy(fit.tooLarge, ({ part }) => part.name)].map(([disk, found]) =>
      error(found.map(({ vm }) => vm), `${fit.type}.disk.${disk}`, message)
    );
  });
}

function newDisks(vm: PlannedVm) {
  return devicesOf(vm, "DISK").filter(({ adopt }) => !adopt);
}

function thickDisks(vm: PlannedVm) {
  return newDisks(vm).filter(({ sparse }) => sparse !== true);
}

function checkSparse(active: readonly PlannedVm[], parent: string, freeBytes: number): Finding[] {
  const disks = active.flatMap(newDisks);
  const full = totalBytes(disks);
  if (full <= freeBytes || !disks.some(({ sparse }) => sparse === true)) return [];
  const message = `The zvols total ${formatBytes(full)}, but ${parent} has ${formatBytes(freeBytes)} left; ` +
    "writes to sparse zvols fail when the pool is full";
  return [warning("storage.pool_path", message)];
}
