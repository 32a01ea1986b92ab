/** cloudsync.*: what the NAS fetches from an HTTP server with rclone. Other providers are not simulated. */
import { datasetAt, isFolder } from "../files/paths.ts";
import type { JobMethod, Method, Nas } from "../nas.ts";
import { instance, type Options, query, type Row } from "../methods/query.ts";
import { listFolder, pull, type Pulled } from "./pull.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, notFound, Validation, validationErrors } from "../wire/wire_errors.ts";

interface NewCredentials {
  readonly name: string;
  readonly provider: { readonly type: "HTTP"; readonly url: string };
}

/** 24.10 has the kind and its attributes side by side. */
interface OldCredentials {
  readonly name: string;
  readonly provider: "HTTP";
  readonly attributes: { readonly url: string };
}

function rowOf({ profile }: Nas, { id, name, url }: { id: number; name: string; url: string }): Row {
  return profile.topLevelDtype
    ? { id, name, provider: "HTTP", attributes: { url } }
    : { id, name, provider: { type: "HTTP", url } };
}

function urlOf(given: NewCredentials | OldCredentials): string {
  return "attributes" in given ? given.attributes.url : given.provider.url;
}

function rows(nas: Nas): Row[] {
  return [...nas.store.cloudCredentials.values()].map((it) => rowOf(nas, it));
}

const create: Method = (nas, [data]) => {
  const given = data as NewCredentials | OldCredentials;
  const { cloudCredentials } = nas.store;
  if ([...cloudCredentials.values()].some(({ name }) => name === given.name)) {
    const path = "cloud_sync_credentials_create.name";
    throw validationErrors([[path, "Object with this name already exists", ERRNO.EINVAL]]);
  }
  const id = Math.max(0, ...cloudCredentials.keys()) + 1;
  const stored = { id, name: given.name, url: urlOf(given) };
  cloudCredentials.set(id, stored);
  return rowOf(nas, stored);
};

const remove: Method = ({ store }, [id]) => {
  if (!store.cloudCredentials.delete(Number(id))) {
    throw notFound(`CloudSyncCredentials ${String(id)} does not exist`);
  }
  return true;
};

const verify: Method = async (_nas, [data]) => {
  const given = data as NewCredentials["provider"] | Omit<OldCredentials, "name">;
  const url = "attributes" in given ? given.attributes.url : given.url;
  try {
    await listFolder(url, "");
    return { valid: true, error: null, excerpt: null };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const excerpt = `error listing "": failed to readDir: Get "${url}": ${why}`;
    return { valid: false, error: `ERROR : : error listing: ${excerpt}`, excerpt };
  }
};

interface OnetimeTask {
  readonly path: string;
  readonly credentials: number;
  readonly direction: "PUSH" | "PULL";
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly include?: readonly string[];
  readonly pre_script?: string;
  readonly post_script?: string;
}

const syncOnetime: JobMethod = {
  isAbortable: true,
  hasLog: true,
  job: async (nas, [data], _call, report) => {
    const task = data as OnetimeTask;
    const url = checkTask(nas, task);
    await checkRemote(url, task);
    report.progress(0, "Starting");
    if (!isFolder(nas.store, task.path)) {
      throw callError(ERRNO.EFAULT, `Directory '${task.path}' does not exist`);
    }
    const { include = [] } = task;
    const wanted: Pulled = { url, folder: String(task.attributes.folder), include, target: task.path };
    await pull(nas, wanted, report);
    return null;
  },
};

/** What needs no look at the other side; the address of the credentials. */
function checkTask({ store }: Nas, task: OnetimeTask): string {
  const errors = new Validation();
  const schema = "cloud_sync_sync_onetime";
  const credentials = store.cloudCredentials.get(task.credentials);
  if (credentials === undefined) errors.add(`${schema}.credentials`, "Invalid credentials");
  if (task.attributes.folder === undefined) errors.add(`${schema}.attributes.folder`, "Field required");
  if (task.direction === "PUSH") errors.add(`${schema}.direction`, "This remote is read-only");
  for (const key of ["pre_script", "post_script"] as const) {
    const text = "This option may not be used for onetime cloud sync operations";
    if ((task[key] ?? "") !== "") errors.add(`${schema}.${key}`, text);
  }
  if (datasetAt(store, task.path) === null) {
    errors.add(`${schema}.path`, "The path must reside within a pool mount point");
  }
  errors.check();
  return credentials?.url ?? "";
}

/** The folder has to be in the index of its parent. */
async function checkRemote(url: string, { attributes }: OnetimeTask): Promise<void> {
  const folder = String(attributes.folder).replace(/^\/|\/$/g, "");
  if (folder === "") return;
  const path = "cloud_sync_sync_onetime.attributes.folder";
  const parts = folder.split("/");
  const listed = await listFolder(url, parts.slice(0, -1).join("/"));
  if (listed.includes(`${parts.at(-1)}/`)) return;
  throw validationErrors([[path, "Directory does not exist", ERRNO.EINVAL]]);
}

/** cloudsync.* */
export const CLOUDSYNC_METHODS: Readonly<Record<string, Method | JobMethod>> = {
  "cloudsync.credentials.create": create,
  "cloudsync.credentials.delete": remove,
  "cloudsync.credentials.query": (nas, [filters, options]) =>
    query(rows(nas), filters as unknown[], options as Options),
  "cloudsync.credentials.get_instance": (nas, [id]) => instance(rows(nas), id, "CloudSyncCredentials"),
  "cloudsync.credentials.verify": verify,
  "cloudsync.sync_onetime": syncOnetime,
};
