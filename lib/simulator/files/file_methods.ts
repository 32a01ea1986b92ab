/** filesystem.*: files and folders, with TrueNAS's own rules and texts. */
import type { JobMethod, Method, Nas } from "../nas.ts";
import { folderOf, isFolder, mounts, realPath } from "./paths.ts";
import { type Options, query, type Row } from "../methods/query.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, plainException } from "../wire/wire_errors.ts";

const FOLDER_BYTES = 4_096;

function entryOf({ store }: Nas, path: string): Row {
  const file = store.files.get(path);
  const isFile = file !== undefined;
  const size = file?.sizeBytes ?? FOLDER_BYTES;
  const type = isFile ? "FILE" : "DIRECTORY";
  const base = { path, realpath: path, type, size, allocation_size: size, mode: isFile ? 0o100644 : 0o40755 };
  const isMount = mounts(store).includes(path);
  return { ...base, name: path.split("/").at(-1) ?? "", acl: false, uid: 0, gid: 0, is_mountpoint: isMount };
}

function listedOf(nas: Nas, path: string): Row {
  const rest = { mount_id: 1, is_ctldir: false, attributes: [], xattrs: [], zfs_attrs: ["ARCHIVE"] };
  return { ...entryOf(nas, path), ...rest };
}

const stat: Method = (nas, [given]) => {
  const path = realPath(nas.store, String(given));
  if (!path.startsWith("/")) throw callError(ERRNO.EINVAL, "Path must be absolute");
  const isThere = nas.store.files.has(path) || isFolder(nas.store, path);
  if (!isThere) throw callError(ERRNO.ENOENT, `Path ${path} not found`);
  const { name: _name, path: _path, ...entry } = entryOf(nas, path);
  const times = { atime: 0, mtime: 0, ctime: 0, btime: 0 };
  const inode = { mount_id: 1, dev: 1, inode: 1, nlink: 1, is_ctldir: false, attributes: [] };
  return { ...entry, ...times, ...inode, user: "root", group: "root" };
};

const listdir: Method = (nas, [given, filters, options]) => {
  const { store } = nas;
  const folder = realPath(store, String(given).replace(/\/$/, ""));
  if (store.files.has(folder)) throw callError(ERRNO.ENOTDIR, `Path ${folder} is not a directory`);
  if (!isFolder(store, folder)) throw callError(ERRNO.ENOENT, `Directory ${folder} does not exist`);
  const all = [...store.files.keys(), ...store.folders, ...mounts(store)];
  const below = all.filter((path) => path.startsWith(`${folder}/`));
  const children = new Set(below.map((path) => `${folder}/${path.slice(folder.length + 1).split("/")[0]}`));
  const entries = [...children].map((path) => listedOf(nas, path));
  return query(entries, filters as unknown[], options as Options);
};

const mkdir: Method = async (nas, [data], call) => {
  const { path: given } = data as { path: string };
  const { store, profile } = nas;
  if (!given.startsWith("/")) throw callError(ERRNO.EINVAL, `${given}: not an absolute path.`);
  if (!given.startsWith("/mnt/")) throw callError(ERRNO.EPERM, `${given}: path not permitted`);
  const path = realPath(store, given);
  if (profile.refusesLinkedFolders && path !== given) {
    throw callError(ERRNO.EPERM, `${given}: symlinks in path are not permitted`);
  }
  if (store.files.has(path) || isFolder(store, path)) {
    throw callError(ERRNO.EEXIST, `${given}: path already exists.`);
  }
  if (!isFolder(store, folderOf(path))) {
    throw profile.refusesLinkedFolders
      ? callError(ERRNO.ENOENT, `${given}: parent directory does not exist`)
      : plainException("FileNotFoundError", `[Errno 2] No such file or directory: '${given}'`);
  }
  await nas.sleep(nas.times.callMs, call.signal);
  store.folders.add(path);
  return { ...listedOf(nas, path), path: given };
};

/** The pipe of filesystem.put is only there over HTTP; see the upload. */
const put: JobMethod = { job: () => Promise.resolve(true), hasInput: true };

/** filesystem.* */
export const FILE_METHODS: Readonly<Record<string, Method | JobMethod>> = {
  "filesystem.stat": stat,
  "filesystem.listdir": listdir,
  "filesystem.mkdir": mkdir,
  "filesystem.put": put,
};
