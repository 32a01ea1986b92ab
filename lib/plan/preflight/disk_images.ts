/** Rules about the images that disks are made from. */
import { headerProblem } from "../../images/acquiring/header_verdict.ts";
import { imageDataset, type ImageFacts, whyNoClone } from "../../images/planned_image.ts";
import { vmTypeOf } from "../../configuration/configuration.ts";
import { hasRole } from "../../truenas/roles.ts";
import { formatBytes } from "../../units.ts";
import { findDataset } from "../creation_input.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { allDevices, type Context, error, firstOfEachType, notChecked, type Rule, warning } from "./rule.ts";

/** The rules about VMs whose first disk is made from an image. */
export const DISK_IMAGE_RULES: readonly Rule[] = [checkFiles, checkSizes, checkClones, checkRights];

/** The endings that TrueNAS takes for an image, in these letters. */
const ENDINGS = /(qcow2|qed|raw|vdi|vhdx|vmdk)$/;

/** The disks that get an image. */
function disksOf({ active }: Context) {
  return allDevices(active, "DISK").flatMap(({ vm, device }) =>
    device.image === undefined ? [] : [{ vm, disk: device, image: device.image }]
  );
}

function byType(disks: ReturnType<typeof disksOf>) {
  return [...Map.groupBy(disks, ({ vm }) => vm.type)].flatMap(([type, same]) => {
    const [first] = same;
    return first === undefined ? [] : [{ ...first, type, vms: same.map(({ vm }): PlannedVm => vm) }];
  });
}

function checkFiles(context: Context): Finding[] {
  return byType(disksOf(context)).flatMap(({ type, vms, image: { name, path, method } }) => {
    const facts = context.input.images?.images.get(name);
    const field = `${type}.image`;
    if (facts?.exists === null) return [notChecked(field, `The image ${name}`, facts.because ?? "")];
    if (facts?.exists !== true) {
      const text =
        `The file ${path} of the image ${name} does not exist on the NAS; check the path, or upload it`;
      return [error(vms, field, text)];
    }
    if (facts.source === null && method === "vm.device.convert" && !ENDINGS.test(path)) {
      const text =
        `TrueNAS converts only files whose names end in qcow2, raw, vdi, vhdx, vmdk or qed; rename ${path}`;
      return [error(vms, field, `${text} by what it is`)];
    }
    const problem = fileProblem({ name, path }, facts);
    if (problem !== null) return [error(vms, field, problem)];
    const { golden, found } = facts;
    return found === null || found.isOurs
      ? []
      : [error(vms, field, `${golden} exists, and this program did not make it; rename it on the NAS`)];
  });
}

/** Why an image's file cannot be used or fetched. */
function fileProblem(
  image: { readonly name: string; readonly path: string },
  facts: ImageFacts,
): string | null {
  const { source, header, otherDigest, found } = facts;
  if (found?.isReady === true) return null;
  if (otherDigest !== null) {
    return `Another version of the image ${image.name} (SHA-256 ${
      otherDigest.slice(0, 8)
    }…) is on the NAS; ` +
      "remove its file on the page Images, or give the new version a name of its own";
  }
  if (source !== null && source.way === null) {
    return `The image ${image.name} cannot be brought to the NAS: ${source.why}. ` +
      "Put the file on the NAS, and write its path instead of its url";
  }
  return header === null ? null : headerProblem(image, header);
}

/** A clone can grow, but not shrink. */
function checkSizes(context: Context): Finding[] {
  return byType(disksOf(context)).flatMap(({ type, disk, image: { name, golden, goldenBytes } }) => {
    const facts = context.input.images?.images.get(name);
    const least = golden === null ? facts?.virtualBytes ?? 0 : goldenBytes;
    if (disk.sizeBytes >= least) return [];
    const vms = context.active.filter((vm) => vm.type === type);
    const text = `The image ${name} needs ${formatBytes(least)}, and the disk has ${
      formatBytes(disk.sizeBytes)
    }`;
    return [error(vms, `${type}.disk.${disk.name}`, `${text}; enlarge it`)];
  });
}

function checkClones({ active, input, inventory: { nas: { roles } } }: Context): Finding[] {
  return firstOfEachType(active).flatMap(({ type, devices }) => {
    const section = vmTypeOf(input.configuration, type);
    const isConverted = devices.some((it) => it.dtype === "DISK" && it.image?.golden === null);
    if (!isConverted || section.clone === false) return [];
    const { configuration, rules } = input;
    const facts = input.images?.images.get(section.image ?? "");
    const why = whyNoClone(section, { configuration, facts, roles, rules });
    return [
      warning(
        `${type}.image`,
        `Each disk of ${type} is converted by itself instead of cloned, because ${why}`,
      ),
    ];
  });
}

/** An image is put onto a zvol that this program creates. */
function checkRights(context: Context): Finding[] {
  const { inventory: { nas: { roles } }, input } = context;
  const disks = byType(disksOf(context));
  const [first] = disks;
  if (first === undefined) return [];
  const vms = disks.flatMap((it) => it.vms);
  const dataset = findDataset(input, imageDataset(input.configuration.storage));
  const wanted = [
    "DATASET_WRITE",
    ...(first.image.method === "vm.device.convert" ? ["VM_DEVICE_WRITE"] : ["VM_WRITE"]),
  ];
  const missing = wanted.filter((role) => hasRole(roles, role) === false);
  return [
    ...(missing.length === 0 ? [] : [
      error(
        vms,
        `${first.type}.image`,
        `The account needs the role ${missing.join(" and ")} for images; grant it`,
      ),
    ]),
    ...(dataset?.locked === true
      ? [error(vms, "storage.image_path", `The dataset ${dataset.name} is locked; unlock it on the NAS`)]
      : []),
  ];
}
