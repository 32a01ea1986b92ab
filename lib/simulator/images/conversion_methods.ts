/** vm.device.convert and virtual_size (25.10 and later), and vm.import_disk_image and export_disk_image (before 26). */
import { openImage, QemuImgError, readZvol, writeImage } from "./conversion.ts";
import { datasetAt, folderOf, isFolder, realPath } from "../files/paths.ts";
import type { JobReport } from "../jobs/job_queue.ts";
import type { JobMethod, Method, Nas } from "../nas.ts";
import { devicePathOf, type StoredDataset, zvolAt } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, validationError } from "../wire/wire_errors.ts";

/** The endings by which convert takes a name for an image; a zvol called `draw` is one, an `.img` is none. */
const ENDINGS = ["qcow2", "qed", "raw", "vdi", "vhdx", "vmdk"];

interface ConvertArgs {
  readonly source: string;
  readonly destination: string;
}

const GIB = 1024 ** 3;

const convert: JobMethod = {
  lock: () => "vm.device.convert",
  job: async (nas, [data], _call, report) => {
    const { source, destination } = data as ConvertArgs;
    const [fromImage, toImage] = [source, destination].map((name) => ENDINGS.some((it) => name.endsWith(it)));
    if (fromImage === toImage) {
      const text = "One path must be a disk image and the other must be a ZFS volume";
      throw validationError("vm.device.convert", text);
    }
    if (fromImage === true) await convertToZvol(nas, source, destination, report);
    else await convertToFile(nas, source, destination, report);
    return true;
  },
};

async function convertToZvol(
  nas: Nas,
  source: string,
  destination: string,
  report: JobReport,
): Promise<void> {
  const attribute = "vm.device.convert.source";
  const path = checkLocation(nas, source, attribute);
  if (!nas.store.files.has(path)) {
    throw isFolder(nas.store, path)
      ? validationError(attribute, `'${source}' is an invalid location`)
      : validationError(attribute, `'${source}' does not exist`, ERRNO.ENOENT);
  }
  const zvol = checkZvol(nas, destination, attribute);
  checkIdle(nas, zvol.name, attribute);
  const conversion = { description: "Convert to zvol progress", report };
  try {
    const { virtualBytes } = openImage(nas, path).image;
    checkSize(zvol, virtualBytes, attribute);
    await writeImage(nas, path, zvol.name, conversion);
  } catch (error) {
    throw convertFailure(error);
  }
}

async function convertToFile(
  nas: Nas,
  source: string,
  destination: string,
  report: JobReport,
): Promise<void> {
  const attribute = "vm.device.convert.destination";
  const path = checkLocation(nas, destination, attribute);
  if (nas.store.files.has(path) || isFolder(nas.store, path)) {
    const text = `'${destination}' already exists and would be overwritten`;
    throw validationError(attribute, text, ERRNO.EEXIST);
  }
  const folder = folderOf(path);
  // Up to 25.10 the folder above the right one is looked at.
  const checked = nas.profile.zfs === "classic" ? folderOf(folder) : folder;
  if (!isFolder(nas.store, checked)) {
    throw validationError(attribute, `'${checked}' does not exist`, ERRNO.ENOENT);
  }
  const zvol = checkZvol(nas, source, attribute);
  checkIdle(nas, zvol.name, attribute);
  const description = "Convert to disk image progress";
  report.progress(0, description);
  if (!isFolder(nas.store, folder)) {
    const format = ENDINGS.find((it) => destination.endsWith(it)) ?? "raw";
    const why = `Could not create '${path}': No such file or directory`;
    throw convertFailure(
      new QemuImgError(`qemu-img: ${path}: error while converting ${format}: ${why}`),
    );
  }
  await readZvol(nas, zvol, path, { description, report });
}

/** qemu-img's exit status becomes the error's number. */
function convertFailure(error: unknown): unknown {
  if (!(error instanceof QemuImgError)) return error;
  return callError(ERRNO.EPERM, `qemu-img convert failed: ${error.message}`);
}

function checkLocation(nas: Nas, given: string, attribute: string): string {
  const path = realPath(nas.store, given);
  if (datasetAt(nas.store, path) === null) {
    throw validationError(attribute, `'${given}' is an invalid location`);
  }
  return path;
}

function checkZvol(nas: Nas, given: string, attribute: string): StoredDataset {
  const name = zvolAt(given) ?? given;
  const dataset = nas.store.datasets.get(name);
  if (dataset === undefined) {
    throw nas.profile.zfs === "classic"
      ? validationError("zfs.resource.query", `'${name}': not found`, ERRNO.ENOENT)
      : validationError(attribute, `'${name}' does not exist`, ERRNO.ENOENT);
  }
  if (dataset.type !== "VOLUME") throw validationError(attribute, `'${name}' is not a volume`);
  if (!hasDevice(nas, dataset)) {
    throw validationError(attribute, `'${devicePathOf(name)}' does not exist`, ERRNO.ENOENT);
  }
  return dataset;
}

/** udev makes the device of a new zvol a moment later. */
function hasDevice({ times }: Nas, { type, createdAt }: StoredDataset): boolean {
  return type === "VOLUME" && Date.now() >= createdAt + times.deviceMs;
}

/** Only disks are looked at, and up to 25.10 only those of running VMs. */
function checkIdle({ store, profile }: Nas, zvol: string, attribute: string): void {
  const path = devicePathOf(zvol);
  const isClassic = profile.zfs === "classic";
  const states = isClassic ? ["RUNNING"] : ["RUNNING", "SUSPENDED"];
  const device = [...store.devices.values()].find(({ vm, attributes }) =>
    attributes.dtype === "DISK" && attributes.path === path && states.includes(store.vms.get(vm)?.state ?? "")
  );
  if (device === undefined) return;
  const name = store.vms.get(device.vm)?.config.name ?? "";
  const text = isClassic
    ? `'${path}' is part of running VM. '${name}' must be stopped first`
    : `'${path}' is attached to running VM '${name}'; it must be stopped first`;
  throw validationError(attribute, text, ERRNO.EBUSY);
}

/** Both sizes are rounded up to GiB, so the text can contradict itself. */
function checkSize({ name, volsizeBytes }: StoredDataset, virtualBytes: number, attribute: string): void {
  if (virtualBytes <= volsizeBytes) return;
  const [has, needs] = [volsizeBytes, virtualBytes].map((bytes) => `${Math.ceil(bytes / GIB)}G`);
  throw validationError(
    attribute,
    `${name} too small (~${has}). Minimum size must be ${needs}`,
    ERRNO.ENOSPC,
  );
}

const virtualSize: Method = (nas, [data]) => {
  const { path } = data as { path: string };
  const method = "vm.device.virtual_size";
  if (!path.startsWith("/")) throw validationError(method, `'${path}' must be an absolute path.`);
  try {
    return openImage(nas, realPath(nas.store, path)).image.virtualBytes;
  } catch (error) {
    if (!(error instanceof QemuImgError)) throw error;
    const command = `['qemu-img', 'info', '--output=json', '${path}']`;
    const why = `Command '${command}' returned non-zero exit status 1.`;
    throw validationError(method, `Failed to run command to determine virtual size: ${why}`);
  }
};

/** Neither the size nor the VMs that use the zvol are checked. */
const importDiskImage: JobMethod = {
  lock: ([data]) => zvolOf(data),
  job: async (nas, [data], _call, report) => {
    const { diskimg, zvol } = data as { diskimg: string; zvol: string };
    const dataset = existingZvol(nas, zvol);
    const path = realPath(nas.store, diskimg);
    if (!nas.store.files.has(path)) throw callError(ERRNO.ENOENT, "Disk Image does not exist.");
    if (!hasDevice(nas, dataset)) throw callError(ERRNO.ENOENT, "Zvol device does not exist.");
    try {
      await writeImage(nas, path, zvol, { description: "Disk Import Progress", report });
    } catch (error) {
      if (!(error instanceof QemuImgError)) throw error;
      throw callError(ERRNO.EFAULT, `Failed to import disk: ${error.message}`);
    }
    return true;
  },
};

const exportDiskImage: JobMethod = {
  lock: ([data]) => zvolOf(data),
  job: async (nas, [data], _call, report) => {
    const { format, directory, zvol } = data as Readonly<Record<"format" | "directory" | "zvol", string>>;
    const dataset = existingZvol(nas, zvol);
    const folder = realPath(nas.store, directory);
    if (!isFolder(nas.store, folder)) throw callError(ERRNO.ENOENT, "Export directory does not exist.");
    const path = `${folder}/vmdisk-${zvol}.${format}`;
    // The name of a zvol contains slashes, so its folders have to be there.
    if (!isFolder(nas.store, folderOf(path))) {
      const why = `Could not create '${path}': No such file or directory`;
      throw callError(ERRNO.EFAULT, `Failed to export disk: qemu-img: ${path}: error: ${why}`);
    }
    await readZvol(nas, dataset, path, { description: "Disk Export Progress", report });
    return true;
  },
};

function zvolOf(data: unknown): string | null {
  const zvol = (data as { zvol?: unknown } | undefined)?.zvol;
  return typeof zvol === "string" ? `zvol_disk_image_${zvol}` : null;
}

function existingZvol({ store }: Nas, name: string): StoredDataset {
  const dataset = store.datasets.get(name);
  if (dataset === undefined) throw callError(ERRNO.ENOENT, `zvol ${name} does not exist.`);
  return dataset;
}

/** Each release has those that its schemas contain. */
export const CONVERSION_METHODS: Readonly<Record<string, Method | JobMethod>> = {
  "vm.device.convert": convert,
  "vm.device.virtual_size": virtualSize,
  "vm.import_disk_image": importDiskImage,
  "vm.export_disk_image": exportDiskImage,
};
