/** Which VMs and zvols a destruction would remove: an exact set, frozen by id. Pure. */
import type { Disk, Vm } from "../inventory.ts";
import { matchesPrefix } from "../names.ts";
import { formatCount } from "../units.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked } from "./marks.ts";
import type { DestructionPlan, DestructionVm } from "./types.ts";

/** The VM types whose VMs are destroyed unless others are named. */
export const DEFAULT_PREFIXES: readonly string[] = ["controlplane", "worker"];

/** Which of the VMs that match go although they do not carry this program's mark: every one, or these by name. */
export type Unmarked = "all" | readonly string[];

/**
 * Plans to destroy every VM that is called one of the prefixes and a number: `worker` means worker01 and worker12,
 * not workerold. A VM without this program's mark goes only when `unmarked` says so. A zvol that another VM uses as
 * well stays, and so does everything that is not a zvol.
 */
export function planDestruction(
  vms: readonly Vm[],
  prefixes: readonly string[],
  unmarked: Unmarked = "all",
): DestructionPlan {
  const matching = vms.filter(({ name }) => prefixes.some((prefix) => matchesPrefix(name, prefix)))
    .toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const goes = ({ name, description }: Vm) =>
    isMarked(description) || unmarked === "all" || unmarked.includes(name);
  const doomed = matching.filter(goes);
  const spared = matching.filter((vm) => !goes(vm)).map(({ id, name, state }) => ({ id, name, state }));
  const staying = vms.filter((vm) => !doomed.includes(vm));
  const planned = doomed.map((vm) => planVm(vm, staying));
  // By name: a zvol that two of these VMs share goes once.
  const zvols = new Map(planned.flatMap((vm) => vm.zvols.map(({ name, sizeBytes }) => [name, sizeBytes])));
  const totals = {
    vms: planned.length,
    zvols: zvols.size,
    zvolBytes: [...zvols.values()].reduce<number>((total, sizeBytes) => total + (sizeBytes ?? 0), 0),
  };
  const phrase = `destroy ${formatCount(planned.length, "vm")}`;
  return { prefixes, vms: planned, spared, totals, phrase, fingerprint: fingerprint(planned) };
}

function planVm(vm: Vm, staying: readonly Vm[]): DestructionVm {
  const fates = vm.disks.map((disk) => ({ disk, because: whyItStays(disk, staying) }));
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    state: vm.state,
    marked: isMarked(vm.description),
    zvols: fates.flatMap(({ disk, because }) =>
      because === null && disk.zvol !== null ? [{ name: disk.zvol, sizeBytes: disk.sizeBytes }] : []
    ),
    keeps: fates.flatMap(({ disk, because }) => because === null ? [] : [{ path: disk.path, because }]),
  };
}

function whyItStays(disk: Disk, staying: readonly Vm[]): string | null {
  if (disk.zvol === null) return "it is not a zvol";
  const other = staying.find(({ disks }) => disks.some(({ zvol }) => zvol === disk.zvol));
  return other === undefined ? null : `${other.name} uses it too`;
}
