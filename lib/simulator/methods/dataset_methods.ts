/** pool.dataset.*: filesystems and zvols, with TrueNAS's own rules, texts and paths. */
import { datasetRow, datasetRows } from "../zfs/dataset_rows.ts";
import { checkVolsize } from "../rules/disk_rules.ts";
import type { Method, Nas } from "../nas.ts";
import { instance, noMatch, type Options, query } from "./query.ts";
import { addDataset, parentOf, poolFreeBytes, type StoredDataset } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, notFound, Validation, validationError, validationErrors } from "../wire/wire_errors.ts";
import { hasChildren, promote } from "../zfs/zfs.ts";
import { destroyRecursively, destroySingle } from "../zfs/zfs_destroy.ts";

interface UserProperty {
  readonly key: string;
  readonly value?: string;
  readonly remove?: boolean;
}

interface NewDataset {
  readonly name: string;
  readonly type: "FILESYSTEM" | "VOLUME";
  readonly volsize?: number;
  readonly sparse?: boolean;
  readonly force_size?: boolean;
  readonly user_properties?: readonly UserProperty[];
}

const create: Method = async (nas, [given], call) => {
  const data = given as NewDataset;
  const { name, type, volsize = 0, sparse = false, user_properties: properties = [] } = data;
  checkNew(nas, data);
  if (nas.store.datasets.has(name)) throw callError(ERRNO.EFAULT, nas.profile.texts.datasetExists(name));
  await nas.sleep(nas.times.callMs + (type === "VOLUME" ? nas.times.zvolMs : 0), call.signal);
  await call.pass("middle");
  const userProperties = Object.fromEntries(properties.map(({ key, value = "" }) => [key, value]));
  // ZFS's readonly is inherited.
  const { isReadonly = false } = nas.store.datasets.get(parentOf(name)) ?? {};
  const size = { volsizeBytes: volsize, sparse };
  const dataset = addDataset(nas.store, { name, type, ...size, userProperties, isReadonly });
  return datasetRow(nas, dataset);
};

function checkNew(nas: Nas, { name, type, volsize, force_size: isForced, ...data }: NewDataset): void {
  const errors = new Validation();
  const schema = "pool_dataset_create";
  if (!name.includes("/")) errors.add(`${schema}.name`, "You need a full name, e.g. pool/newdataset");
  else checkParent(nas, name, errors);
  // Without a parent, nothing else is checked.
  errors.check();
  if (type === "VOLUME" && volsize === undefined) {
    errors.add(`${schema}.volsize`, "This field is required for VOLUME");
  } else if (volsize !== undefined) checkVolsize(nas, { sizeBytes: volsize, isForced }, errors);
  checkKeys(nas, `${schema}.user_properties`, data.user_properties ?? [], errors);
  errors.check();
}

function checkParent(nas: Nas, name: string, errors: Validation): void {
  const path = "pool_dataset_create.name";
  const parent = parentOf(name);
  const found = nas.store.datasets.get(parent);
  const kind = parent.includes("/") ? "Parent dataset" : "zpool";
  if (found === undefined) errors.add(path, `${kind} (${parent}) does not exist.`);
  else if (found.type === "VOLUME") errors.add(path, `${parent}: parent may not be a ZFS volume`);
  else if (found.isLocked) errors.add(path, `${parent} must be unlocked to create ${name}.`);
}

/** From 26 on user properties need ZFS's names, and those of TrueNAS itself cannot be set. */
function checkKeys(nas: Nas, path: string, properties: readonly UserProperty[], errors: Validation): void {
  if (nas.profile.zfs !== "resource") return;
  for (const [index, { key }] of properties.entries()) {
    const at = `${path}.${index}.key`;
    if (!/^[a-z0-9:+._-]+$/.test(key)) errors.add(at, `'${key}' is not a valid ZFS user property name.`);
    else if (/^org\.(freenas|truenas):/.test(key)) {
      const hint = key === "org.freenas:description" ? ", use the 'comments' field to set it." : ".";
      errors.add(at, `'${key}' is managed by TrueNAS${hint}`);
    }
  }
}

function getDataset(nas: Nas, id: unknown): StoredDataset {
  const dataset = nas.store.datasets.get(String(id));
  if (dataset === undefined) throw notFound(`PoolDataset ${String(id)} does not exist`);
  return dataset;
}

const remove: Method = async (nas, [id, options], call) => {
  const { name } = getDataset(nas, id);
  const recursive = (options as { recursive?: boolean } | undefined)?.recursive === true;
  if (!recursive && hasChildren(nas.store, name)) {
    const text = `cannot destroy '${name}': filesystem has children`;
    throw callError(ERRNO.ENOTEMPTY, `Failed to delete dataset: ${text}`);
  }
  await nas.sleep(nas.times.zvolMs, call.signal);
  if (recursive) destroyRecursively(nas, name);
  else destroySingle(nas, name);
  return true;
};

interface DatasetChange {
  readonly volsize?: number;
  readonly refreservation?: number;
  readonly force_size?: boolean;
  readonly user_properties_update?: readonly UserProperty[];
}

const update: Method = async (nas, [id, given], call) => {
  const change = given as DatasetChange;
  const dataset = nas.store.datasets.get(String(id));
  if (dataset === undefined) {
    throw validationErrors([["id", `${String(id)} does not exist`, ERRNO.ENOENT]]);
  }
  checkChange(nas, dataset, change);
  await nas.sleep(nas.times.callMs, call.signal);
  reserve(nas, dataset, change);
  await call.pass("middle");
  dataset.volsizeBytes = change.volsize ?? dataset.volsizeBytes;
  for (const { key, value, remove: isRemoved } of change.user_properties_update ?? []) {
    if (isRemoved === true) delete dataset.userProperties[key];
    else dataset.userProperties[key] = value ?? "";
  }
  return datasetRow(nas, dataset);
};

/** ZFS itself refuses a reservation that does not fit; the simulated NAS reserves all of a zvol or nothing. */
function reserve(nas: Nas, dataset: StoredDataset, { refreservation }: DatasetChange): void {
  if (refreservation === undefined || dataset.type !== "VOLUME") return;
  const { name, sparse, writtenBytes, volsizeBytes } = dataset;
  if (refreservation > 0 && refreservation < volsizeBytes) {
    throw callError(ERRNO.EFAULT, "The simulated NAS reserves all of a zvol or nothing");
  }
  const more = sparse ? refreservation - writtenBytes : 0;
  if (more > poolFreeBytes(nas.store)) {
    const text = `cannot set property for '${name}': size is greater than available space`;
    throw callError(ERRNO.EFAULT, `Failed to update dataset: ${text}`);
  }
  dataset.sparse = refreservation === 0;
}

function checkChange(nas: Nas, dataset: StoredDataset, change: DatasetChange): void {
  const { volsize, force_size: isForced, user_properties_update: properties = [] } = change;
  const errors = new Validation();
  const schema = "pool_dataset_update";
  if (volsize !== undefined) {
    const ownBytes = dataset.sparse || dataset.origin !== null ? 0 : dataset.volsizeBytes;
    checkVolsize(nas, { sizeBytes: volsize, ownBytes, isForced, schema }, errors);
    if (volsize < dataset.volsizeBytes) {
      errors.add(`${schema}.volsize`, "You cannot shrink a zvol from GUI, this may lead to data loss.");
    }
  }
  for (const [index, { value, remove: isRemoved }] of properties.entries()) {
    const path = `${schema}.user_properties_update.${index}`;
    if (value !== undefined && isRemoved === true) {
      errors.add(`${path}.remove`, 'When "value" is specified, this cannot be set');
    } else if (value === undefined && isRemoved === undefined) {
      errors.add(`${path}.value`, 'Either "value" or "remove" must be specified');
    }
  }
  checkKeys(nas, `${schema}.user_properties_update`, properties, errors);
  errors.check();
}

const promoteDataset: Method = async (nas, [id], call) => {
  const name = String(id);
  const dataset = nas.store.datasets.get(name);
  const isResource = nas.profile.zfs === "resource";
  const path = "zfs.resource.promote";
  if (dataset === undefined) {
    throw isResource
      ? validationError(path, `'${name}' not found`, ERRNO.ENOENT)
      : callError(ERRNO.ENOENT, `Dataset "${name}" does not exist.`);
  }
  if (dataset.origin === null) {
    throw isResource
      ? validationError(path, `'${name}' is ineligible for promotion.`)
      : callError(ERRNO.EBADMSG, "Only cloned datasets can be promoted.");
  }
  await nas.sleep(nas.times.callMs, call.signal);
  promote(nas.store, dataset);
  return null;
};

/** pool.dataset.* */
export const DATASET_METHODS: Readonly<Record<string, Method>> = {
  "pool.dataset.query": (nas, [filters, options]) => {
    const { extra, ...rest } = options as Options;
    return query(datasetRows(nas, extra), filters as unknown[], rest);
  },
  "pool.dataset.get_instance": (nas, [id]) => instance(datasetRows(nas), id, "PoolDataset"),
  "pool.dataset.create": create,
  "pool.dataset.update": update,
  "pool.dataset.recommended_zvol_blocksize": (nas, [pool]) => {
    if (String(pool) !== nas.store.pool) throw noMatch();
    return "16K";
  },
  "pool.dataset.delete": remove,
  "pool.dataset.promote": promoteDataset,
};
