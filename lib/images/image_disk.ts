/** Gives a disk its image: clones the golden zvol and grows the clone, or converts the image onto the disk's own zvol. */
import type { PlannedDevice, PlannedVm } from "../plan/types.ts";
import type { CreatedResources } from "../operations/steps/created_resources.ts";
import type { Step, StepCalls, StepContext } from "../operations/steps/run_step.ts";
import { createZvol } from "../operations/steps/zvol_creation.ts";
import { cloneZvol, growZvol } from "./zvol_clone.ts";
import { formatBytes } from "../units.ts";
import { evidenceOf as evidenceOfFile, type Made } from "./acquiring/transfer.ts";
import type { ImageLibrary, ImageWork } from "./image_library.ts";
import { type PlannedImage, READY } from "./planned_image.ts";

/** A disk that gets an image. */
export type ImageDisk = Extract<PlannedDevice, { dtype: "DISK" }> & { readonly image: PlannedImage };

/** What giving a disk its image needs. */
export interface ImageContext extends StepContext {
  readonly vm: PlannedVm;
  readonly created: CreatedResources;
  readonly images: ImageLibrary;
}

/** Whether a device is a disk that still has to get an image. */
export function isImageDisk(device: PlannedDevice): device is ImageDisk {
  return device.dtype === "DISK" && device.image !== undefined;
}

/** The step `download`: fetches the image's file onto the NAS, once for all VMs. */
export function downloadStep(context: ImageContext, disk: ImageDisk): Step<{ readonly path: string }> {
  const { image, sizeBytes } = disk;
  const made: Made = { dataset: null, credentials: null };
  return {
    step: "download",
    method: "filesystem.put",
    makes: `the file of the image ${image.name}`,
    evidence: () => evidenceOfFile(made),
    call: (calls) => {
      const diskBytes = image.golden === null ? sizeBytes : image.goldenBytes;
      return context.images.fetch(workOf(context, calls, "download"), image, made, diskBytes);
    },
    verify: null,
    detail: ({ path }) => path,
  };
}

/** The step `image`: makes the golden zvol, or converts the image onto the disk's own zvol. */
export function imageStep(context: ImageContext, disk: ImageDisk): Step<void> {
  const { created, images } = context;
  const { image: { name, path, golden }, zvol } = disk;
  const made = golden ?? zvol;
  return {
    step: "image",
    method: "pool.dataset.create",
    makes: `the zvol ${made} of the image ${name}`,
    evidence: () => evidenceOf(created, made),
    call: (calls) =>
      golden === null
        ? fillDisk(context, calls, disk)
        : images.golden(workOf(context, calls, "image"), disk.image, golden),
    verify: null,
    detail: () => `${path} as ${made}`,
  };
}

/** The step `clone`: clones the golden zvol for the VM. */
export function cloneStep(context: ImageContext, disk: ImageDisk): Step<void> {
  const { zvol, sizeBytes, image: { name } } = disk;
  return {
    step: "clone",
    method: "pool.snapshot.clone",
    makes: zvol,
    evidence: () => evidenceOf(context.created, zvol),
    call: (calls) => fillDisk(context, calls, disk, "clone"),
    verify: null,
    detail: () => `${zvol}, ${formatBytes(sizeBytes)} from ${name}`,
  };
}

function evidenceOf({ zvols }: CreatedResources, zvol: string) {
  const created = zvols.get(zvol);
  if (created === undefined) return null;
  const image = created.isImage === true ? { image: true } : {};
  return { zvol, ...(created.answered ? { answered: true } : {}), ...image };
}

function workOf(context: ImageContext, calls: StepCalls, step: string): ImageWork {
  const { created } = context;
  return {
    context,
    step,
    calls,
    owner: ownerOf(context),
    note: (zvol, state, isImage = false) => {
      if (state === "finished") return void created.zvols.delete(zvol);
      const image = isImage ? { isImage } : {};
      created.zvols.set(zvol, { marked: true, answered: state === "created", ...image });
    },
  };
}

function ownerOf({ created, vm }: ImageContext): string {
  return created.uuid ?? vm.vmUuid ?? "";
}

/** Does what is left to do, so that the disk's zvol has the image and its size. */
export async function fillDisk(
  context: ImageContext,
  calls: StepCalls,
  disk: ImageDisk,
  step = disk.step,
): Promise<void> {
  const { images, created } = context;
  const { image, zvol } = disk;
  const work = workOf(context, calls, step);
  if (image.golden === null) {
    if (!disk.adopt) {
      work.note(zvol, "requested");
      await calls.next("pool.dataset.create");
      await createZvol(context, calls, disk, work.owner);
    }
    work.note(zvol, "created");
    return await images.fill(work, image, zvol);
  }
  await images.golden(work, image, image.golden);
  await cloneZvol(context, calls, { zvol, snapshot: `${image.golden}@${READY}`, owner: work.owner });
  created.zvols.set(zvol, { marked: true, answered: true });
  await growZvol(context, calls, disk);
}
