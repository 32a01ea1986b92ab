/** Rules about install images. */
import type { Inventory } from "../../inventory/inventory.ts";
import type { Finding, PlannedVm } from "../types.ts";
import {
  allDevices,
  type Context,
  devicesOf,
  error,
  firstOfEachType,
  notChecked,
  type Rule,
  warning,
} from "./rule.ts";

/** The rules about VMs with steps to run. */
export const IMAGE_RULES: readonly Rule[] = [checkImage, checkSecureBoot, checkBootOrder];

/** The types' install images, each with the place where it is configured and the VMs that get it. */
function imagesOf({ active, input }: Context) {
  const devices = allDevices(active, "CDROM").map(({ vm, device: { path } }) => ({
    vm,
    path,
    field: input.configuration.types[vm.type]?.cdrom === undefined
      ? "storage.cdrom_path"
      : `${vm.type}.cdrom`,
  }));
  return [...Map.groupBy(devices, ({ path, field }) => `${field} ${path}`).values()].flatMap((same) =>
    same.slice(0, 1).map(({ path, field }) => ({ path, field, using: same.map(({ vm }) => vm) }))
  );
}

function fieldOf({ configuration }: Context["input"], { type }: PlannedVm): string {
  return configuration.types[type]?.cdrom === undefined ? "storage.cdrom_path" : `${type}.cdrom`;
}

function checkImage(context: Context): Finding[] {
  const { inventory: { files }, input } = context;
  return imagesOf(context).flatMap(({ path, field, using }) => {
    const refuse = (message: string) => [error(using, field, message)];
    if (input.rules.cdromRule === "not-pool-root" && /^\/mnt\/[^/]+\/[^/]+$/.test(path)) {
      return refuse(
        `${path} is in the pool's root, which this TrueNAS release does not allow; move it to a dataset such as iso`,
      );
    }
    if (!files.known) return [notChecked(field, "The install image", files.because)];
    return files.value.get(path) === false
      ? refuse(`The file ${path} does not exist on the NAS; check the path, or upload the image`)
      : [];
  });
}

/** Some images, such as Talos, exist with and without secure boot and say so in their name. */
function checkSecureBoot(context: Context): Finding[] {
  return imagesOf(context).flatMap(({ path, field, using }) => {
    const file = path.split("/").at(-1) ?? path;
    const signed = /secure-?boot/i.test(file);
    return firstOfEachType(using).flatMap(({ type }) => {
      const { secureBoot } = context.input.templates(type);
      if (signed && !secureBoot) {
        const text = `${file} is built for secure boot, which ${type} does not use; set enable_secure_boot`;
        return warning(field, text);
      }
      const remedy = "use the secureboot image";
      return secureBoot && !signed && /talos/i.test(file)
        ? warning(field, `${type} uses secure boot, but ${file} does not seem to support it; ${remedy}`)
        : [];
    });
  });
}

/** An empty disk falls through to the CD-ROM; a CD-ROM that boots first restarts the installer at every boot. */
function checkBootOrder({ active, input }: Context): Finding[] {
  return firstOfEachType(active).flatMap((vm) => {
    const [cdrom] = devicesOf(vm, "CDROM");
    const [disk] = devicesOf(vm, "DISK").toSorted((a, b) => a.order - b.order);
    if (cdrom === undefined || disk === undefined || disk.order < cdrom.order) return [];
    const message =
      `The CD-ROM of ${vm.type} boots before its disk, so the installer starts at every boot until you remove the install image`;
    return [warning(fieldOf(input, vm), message)];
  });
}

/** TrueNAS does not start a VM with a missing image, so existing VMs are checked as well. */
export function checkAttachedImages(vms: readonly PlannedVm[], { files, vms: found }: Inventory): Finding[] {
  if (!files.known) return [];
  const missing = vms.flatMap((vm) => {
    const { cdroms = [] } = found.find(({ id }) => id === vm.vmId) ?? {};
    return cdroms.filter(({ path }) => files.value.get(path) === false).map(({ path }) => ({ vm, path }));
  });
  const starts = ({ vm }: { readonly vm: PlannedVm }) => vm.steps.includes("start");
  const others = Map.groupBy(missing.filter((it) => !starts(it)), ({ path }) => path);
  return [
    ...missing.filter(starts).map(({ vm, path }) => error([vm], "cdrom", describeMissing(path, [vm]))),
    ...[...others].map(([path, users]) => warning("cdrom", describeMissing(path, users.map(({ vm }) => vm)))),
  ];
}

function describeMissing(path: string, users: readonly PlannedVm[]): string {
  const names = users.map(({ name }) => name).join(", ");
  return `The image ${path} of ${names} no longer exists on the NAS, and TrueNAS does not start a VM with a missing image; ` +
    "remove the install image on the VM's page, or restore the file";
}
