/** Rules about disks that are copied from snapshots. */
import { sourceOf } from "../../inventory/inventory.ts";
import { hasRole } from "../../truenas/roles.ts";
import { formatBytes } from "../../units.ts";
import type { Finding } from "../types.ts";
import { allDevices, type Context, error, type Rule } from "./rule.ts";

/** The rules. */
export const DISK_SOURCE_RULES: readonly Rule[] = [checkSizes, checkPools, checkRights];

function copiesOf({ active }: Context) {
  return allDevices(active, "DISK").flatMap(({ vm, device }) =>
    device.source === undefined ? [] : [{ vm, disk: device, source: device.source }]
  );
}

/** A clone can grow, but not shrink. */
function checkSizes(context: Context): Finding[] {
  return copiesOf(context).flatMap(({ vm, disk: { name, sizeBytes }, source }) => {
    if (sizeBytes >= source.sizeBytes) return [];
    const text = `The disk that is copied has ${formatBytes(source.sizeBytes)}, and this one ${
      formatBytes(sizeBytes)
    }; enlarge it`;
    return [error([vm], `${vm.type}.disk.${name}`, text)];
  });
}

/** A snapshot is cloned within its pool. */
function checkPools(context: Context): Finding[] {
  const { storage: { pool_path } } = context.input.configuration;
  return copiesOf(context).flatMap(({ vm, source: { snapshot } }) => {
    const pool = snapshot.split("/")[0] ?? "";
    if (pool === pool_path.split("/")[0]) return [];
    const text = `${
      sourceOf(snapshot)
    } is in the pool ${pool}, and is copied only within it; enter a dataset of ${pool}`;
    return [error([vm], "storage.pool_path", text)];
  });
}

function checkRights(context: Context): Finding[] {
  const vms = copiesOf(context).map(({ vm }) => vm);
  const { inventory: { nas: { roles } }, input: { rules: { cloneRoles } } } = context;
  const missing = [
    ...(hasRole(roles, "DATASET_WRITE") === false ? ["DATASET_WRITE"] : []),
    ...(cloneRoles.every((role) => hasRole(roles, role) === false) ? cloneRoles.slice(0, 1) : []),
  ];
  if (vms.length === 0 || missing.length === 0) return [];
  const needed = [...new Set(missing)].join(" and ");
  return [error(vms, "", `The account needs the role ${needed} to copy disks from a checkpoint; grant it`)];
}
