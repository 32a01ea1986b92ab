/** pool.dataset.*: filesystems and zvols. Rules, texts and paths are TrueNAS's own. */
import { datasetRow, datasetRows } from "./dataset_rows.ts";
import { checkVolsize } from "./device_rules.ts";
import type { Method, Nas } from "./nas.ts";
import { instance, type Options, query } from "./query.ts";
import { addDataset, type StoredDataset } from "./store.ts";
import { callError, ERRNO, notFound, Validation, validationError } from "./wire_errors.ts";
import { hasChildren, promote } from "./zfs.ts";
import { destroyRecursively, destroySingle } from "./zfs_destroy.ts";

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
  const errors = new Validation();
  const parent = data.name.split("/").slice(0, -1).join("/");
  if (nas.store.datasets.has(data.name)) {
    errors.add("pool_dataset_create.name", `Path ${data.name} already exists`, ERRNO.EEXIST);
  } else if (nas.store.datasets.get(parent)?.type !== "FILESYSTEM") {
    errors.add("pool_dataset_create.name", `Parent dataset ${parent} does not exist.`, ERRNO.ENOENT);
  }
  if (data.type === "VOLUME") {
    if (data.volsize === undefined) {
      errors.add("pool_dataset_create.volsize", "This field is required for VOLUME");
    } else checkVolsize(nas, data.volsize, data.force_size === true, errors);
  }
  errors.check();
  await nas.sleep(nas.times.callMs + (data.type === "VOLUME" ? nas.times.zvolMs : 0), call.signal);
  await call.pass("middle");
  const { name, type, volsize = 0, sparse = false, user_properties: properties = [] } = data;
  const userProperties = Object.fromEntries(properties.map(({ key, value = "" }) => [key, value]));
  const dataset = addDataset(nas.store, { name, type, volsizeBytes: volsize, sparse, userProperties });
  return datasetRow(nas, dataset);
};

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

const update: Method = async (nas, [id, given], call) => {
  const dataset = nas.store.datasets.get(String(id));
  if (dataset === undefined) throw notFound(`PoolDataset ${String(id)} does not exist`);
  const { volsize, force_size: forced, user_properties_update: changes = [] } = given as {
    volsize?: number;
    force_size?: boolean;
    user_properties_update?: readonly UserProperty[];
  };
  const errors = new Validation();
  if (volsize !== undefined) {
    if (volsize < dataset.volsizeBytes) {
      errors.add(
        "pool_dataset_update.volsize",
        "You cannot shrink a zvol from GUI, this may lead to data loss.",
      );
    }
    checkVolsize(nas, volsize - dataset.volsizeBytes, forced === true, errors);
  }
  errors.check();
  await nas.sleep(nas.times.callMs, call.signal);
  dataset.volsizeBytes = volsize ?? dataset.volsizeBytes;
  for (const { key, value, remove: drop } of changes) {
    if (drop === true) delete dataset.userProperties[key];
    else dataset.userProperties[key] = value ?? "";
  }
  return datasetRow(nas, dataset);
};

const promoteDataset: Method = async (nas, [id], call) => {
  const name = String(id);
  const dataset = nas.store.datasets.get(name);
  const isResource = nas.profile.zfs === "resource";
  if (dataset === undefined) {
    throw isResource
      ? validationError("zfs.resource.promote", `'${name}' not found`, ERRNO.ENOENT)
      : callError(ERRNO.ENOENT, `Dataset "${name}" does not exist.`);
  }
  if (dataset.origin === null) {
    throw isResource
      ? validationError("zfs.resource.promote", `'${name}' is ineligible for promotion.`)
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
    if (String(pool) !== nas.store.pool) throw notFound(`Pool ${String(pool)} does not exist`);
    return "16K";
  },
  "pool.dataset.delete": remove,
  "pool.dataset.promote": promoteDataset,
};
