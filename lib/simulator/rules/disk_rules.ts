/** TrueNAS's rules for disks, and the creation of their zvols. */
import { type Candidate, checkTwice } from "./device_candidate.ts";
import type { Call, Nas } from "../nas.ts";
import {
  addDataset,
  devicePathOf,
  parentOf,
  poolFreeBytes,
  type StoredDevice,
  VOLBLOCKSIZE_BYTES,
  zvolAt,
} from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { plainException, Validation } from "../wire/wire_errors.ts";

/** The rules of a disk. */
export function checkDisk(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes } = candidate;
  // Up to 25.10 messages about sectors come last.
  const sectorsFirst = nas.profile.zfs === "resource";
  if (sectorsFirst) checkSectors(nas, attributes, errors);
  checkSource(nas, candidate, errors);
  if (!sectorsFirst) checkSectors(nas, attributes, errors);
}

/** Checks the existing or new zvol of a disk. */
function checkSource(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes } = candidate;
  if (attributes.create_zvol === true) return checkNewZvol(nas, candidate, errors);
  const path = String(attributes.path);
  const { texts } = nas.profile;
  const zvol = zvolAt(path);
  const dataset = zvol === null ? undefined : nas.store.datasets.get(zvol);
  if (zvol === null) {
    for (const text of texts.noZvolPath) errors.add("attributes.path", text);
  } else if (dataset === undefined) {
    errors.add("attributes.path", texts.zvolMissing(zvol, path), ERRNO.ENOENT);
  } else if (dataset.type !== "VOLUME") errors.add("attributes.path", texts.noVolume(zvol, path));
  checkTwice(nas, candidate, path, errors);
}

function checkSectors(nas: Nas, attributes: StoredDevice["attributes"], errors: Validation): void {
  const { physical_sectorsize: physical, logical_sectorsize: logical } = attributes;
  if (typeof physical !== "number" || typeof logical === "number") return;
  const field = nas.profile.zfs === "resource" ? 'This field "logical_sectorsize"' : "This field";
  const text = `${field} must be provided when physical_sectorsize is specified.`;
  errors.add("attributes.logical_sectorsize", text);
}

function checkNewZvol(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { zvol_name: name, zvol_volsize: size } = candidate.attributes;
  const hasName = typeof name === "string" && name !== "";
  // From 26 on the name is used before it is checked.
  if (!hasName && nas.profile.zfs === "resource") {
    throw plainException("AttributeError", "'NoneType' object has no attribute 'replace'");
  }
  if (!hasName) errors.add("attributes.zvol_name", "This field is required.");
  if (typeof size !== "number") errors.add("attributes.zvol_volsize", "This field is required.");
  if (!hasName || typeof size !== "number") return;
  const parent = parentOf(name);
  if (nas.store.datasets.has(name)) errors.add("attributes.zvol_name", `'${name}' already exists.`);
  else if (nas.store.datasets.get(parent)?.type !== "FILESYSTEM") {
    return errors.add("attributes.zvol_name", nas.profile.texts.parentMissing(parent), ERRNO.ENOENT);
  }
  checkTwice(nas, candidate, devicePathOf(name), errors);
}

/** TrueNAS advises against filling a pool further, and refuses without force_size. */
const ZVOL_SHARE = 0.8;

/** The requested size of a zvol. */
interface RequestedSize {
  readonly sizeBytes: number;
  /** The space that the zvol already uses. */
  readonly ownBytes?: number;
  readonly isForced?: boolean;
  /** `pool_dataset_create`, also for a disk's new zvol, or `pool_dataset_update`. */
  readonly schema?: string;
}

/** The rules of pool.dataset.create for a zvol's size, which vm.device.create uses too. */
export function checkVolsize(nas: Nas, requested: RequestedSize, errors: Validation): void {
  const { sizeBytes, ownBytes = 0, isForced = false, schema = "pool_dataset_create" } = requested;
  const path = `${schema}.volsize`;
  if (!isForced && sizeBytes > (poolFreeBytes(nas.store) + ownBytes) * ZVOL_SHARE) {
    errors.add(path, "It is not recommended to use more than 80% of your available space for VOLUME");
  }
  if (sizeBytes % VOLBLOCKSIZE_BYTES !== 0) {
    errors.add(path, "Volume size should be a multiple of volume block size");
  }
}

/** Creates the zvol that a new disk requests, before its row. */
export async function makeZvol(nas: Nas, attributes: StoredDevice["attributes"], call: Call): Promise<void> {
  if (attributes.dtype !== "DISK" || attributes.create_zvol !== true) return;
  const { zvol_name: name, zvol_volsize: size } = attributes;
  const errors = new Validation();
  checkVolsize(nas, { sizeBytes: Number(size) }, errors);
  errors.check();
  await nas.sleep(nas.times.zvolMs, call.signal);
  addDataset(nas.store, { name: String(name), type: "VOLUME", volsizeBytes: Number(size) });
  Object.assign(attributes, {
    path: devicePathOf(String(name)),
    create_zvol: false,
    zvol_name: null,
    zvol_volsize: null,
  });
}
