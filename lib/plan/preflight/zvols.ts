/** Rules about the dataset of the zvols, and their names. */
import type { Dataset, Vm } from "../../inventory/inventory.ts";
import { findDataset } from "../creation_input.ts";
import { keptReason, type KeptZvols } from "../replacing/kept.ts";
import type { Finding } from "../types.ts";
import { allDevices, type Context, error, notChecked, type Rule, vmsWith } from "./rule.ts";

/** The rules. */
export const ZVOL_RULES: readonly Rule[] = [checkParent, checkZvols];

function checkParent({ active, inventory: { datasets }, input }: Context): Finding[] {
  const parent = input.configuration.storage.pool_path;
  const using = vmsWith(active, "DISK");
  if (using.length === 0) return [];
  if (!datasets.known) {
    return [notChecked("storage.pool_path", "The dataset for the zvols", datasets.because)];
  }
  const dataset = findDataset(input, parent);
  const refuse = (message: string) => [error(using, "storage.pool_path", message)];
  if (dataset === undefined) {
    return refuse(`The dataset ${parent} does not exist; create it on the NAS, or enter an existing one`);
  }
  if (dataset.type !== "FILESYSTEM") return refuse(`${parent} is a zvol; enter a dataset`);
  if (dataset.locked) return refuse(`The dataset ${parent} is locked; unlock it on the NAS`);
  return [];
}

function checkZvols({ active, inventory, input }: Context): Finding[] {
  const existing = allDevices(active, "DISK").flatMap(({ vm, device: { zvol, name, adopt } }) => {
    const dataset = findDataset(input, zvol);
    if (adopt || dataset === undefined) return [];
    const user = inventory.vms.find(({ disks }) => disks.some((disk) => disk.zvol === zvol));
    return {
      vm,
      zvol,
      remedy: describeRemedy(dataset, user, input.unfinished),
      field: `${vm.type}.disk.${name}`,
    };
  });
  const causes = Map.groupBy(existing, ({ field, remedy }) => JSON.stringify([field, remedy]));
  return [...causes.values()].flatMap((same) =>
    same.slice(0, 1).map(({ field, remedy }) => {
      const names = same.map(({ zvol }) => zvol).join(", ");
      const what = same.length === 1
        ? `The zvol ${names} already exists`
        : `The zvols ${names} already exist`;
      return error(same.map(({ vm }) => vm), field, `${what}: ${remedy}`);
    })
  );
}

function describeRemedy(dataset: Dataset, user: Vm | undefined, unfinished: KeptZvols | undefined): string {
  const { mark } = dataset;
  if (user !== undefined) {
    // A renamed VM keeps its zvols, so their names do not show whose they are.
    const renamed = mark !== null && mark.vm === user.uuid
      ? `, which was renamed; rename ${user.name} back on the NAS, or`
      : ";";
    return `it is a disk of the VM ${user.name}${renamed} choose another VM type or another dataset`;
  }
  const kept = keptReason(unfinished, dataset);
  if (kept !== null) return kept;
  return mark === null
    ? "it may contain data; rename or delete it on the NAS"
    : "an interrupted operation of this program left it there; see Orphans";
}
