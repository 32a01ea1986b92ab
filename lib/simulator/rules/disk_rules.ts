/** What a disk has to be like to be taken, and the zvols that are made for disks. */
import { type Candidate, checkTwice } from "./device_candidate.ts";
import type { Call, Nas } from "../nas.ts";
import { addDataset, poolFreeBytes, type StoredDevice, VOLBLOCKSIZE_BYTES, zvolAt } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { plainException, Validation } from "../wire/wire_errors.ts";

/** The rules of a disk. */
export function checkDisk(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes } = candidate;
  // The order of the messages: up to 25.10 sectors come last.
  const sectorsFirst = nas.profile.zfs === "resource";
  if (sectorsFirst) checkSectors(nas, attributes, errors);
  checkSource(nas, candidate, errors);
  if (!sectorsFirst) checkSectors(nas, attributes, errors);
}

/** Where a disk's zvol is, or is to be. */
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
  errors.add(
    "attributes.logical_sectorsize",
    `${field} must be provided when physical_sectorsize is specified.`,
  );
}

function checkNewZvol(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { zvol_name: name, zvol_volsize: size } = candidate.attributes;
  const hasName = typeof name === "string" && name !== "";
  // From 26 on the name is used before it is looked at.
  if (!hasName && nas.profile.zfs === "resource") {
    throw plainException("AttributeError", "'NoneType' object has no attribute 'replace'");
  }
  if (!hasName) errors.add("attributes.zvol_name", "This field is required.");
  if (typeof size !== "number") errors.add("attributes.zvol_volsize", "This field is required.");
  if (!hasName || typeof size !== "number") return;
  const parent = name.split("/").slice(0, -1).join("/");
  if (nas.store.datasets.has(name)) errors.add("attributes.zvol_name", `'${name}' already exists.`);
  else if (nas.store.datasets.get(parent)?.type !== "FILESYSTEM") {
    return errors.add("attributes.zvol_name", nas.profile.texts.parentMissing(parent), ERRNO.ENOENT);
  }
  checkTwice(nas, candidate, `/dev/zvol/${name.replaceAll(" ", "+")}`, errors);
}

/** TrueNAS advises against filling a pool further, and refuses without force_size. */
const ZVOL_SHARE = 0.8;

/** A size that a zvol is to have. */
export interface WantedSize {
  readonly sizeBytes: number;
  /** What the zvol takes already. */
  readonly ownBytes?: number;
  readonly isForced?: boolean;
  /** `pool_dataset_create` or `pool_dataset_update`; also where a disk asks for a new zvol. */
  readonly schema?: string;
}

/** What pool.dataset.create asks of a zvol's size, for both ways of making one. */
export function checkVolsize(nas: Nas, wanted: WantedSize, errors: Validation): void {
  const { sizeBytes, ownBytes = 0, isForced = false, schema = "pool_dataset_create" } = wanted;
  const path = `${schema}.volsize`;
  if (!isForced && sizeBytes > (poolFreeBytes(nas.store) + ownBytes) * ZVOL_SHARE) {
    errors.add(path, "It is not recommended to use more than 80% of your available space for VOLUME");
  }
  if (sizeBytes % VOLBLOCKSIZE_BYTES !== 0) {
    errors.add(path, "Volume size should be a multiple of volume block size");
  }
}

/** Makes the zvol that a disk asked for; the row comes after. */
export async function makeZvol(nas: Nas, attributes: StoredDevice["attributes"], call: Call): Promise<void> {
  if (attributes.dtype !== "DISK" || attributes.create_zvol !== true) return;
  const { zvol_name: name, zvol_volsize: size } = attributes;
  const errors = new Validation();
  checkVolsize(nas, { sizeBytes: Number(size) }, errors);
  errors.check();
  await nas.sleep(nas.times.zvolMs, call.signal);
  addDataset(nas.store, { name: String(name), type: "VOLUME", volsizeBytes: Number(size) });
  Object.assign(attributes, {
    path: `/dev/zvol/${String(name).replaceAll(" ", "+")}`,
    create_zvol: false,
    zvol_name: null,
    zvol_volsize: null,
  });
}
