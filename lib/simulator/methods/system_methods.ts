/** system.*, pool.*, filesystem.* and interface.*: information about the NAS itself for plans and pages. */
import type { Method, Nas } from "../nas.ts";
import { choicesOf, instance, type Options, query, type Row } from "./query.ts";
import { CORES, poolFreeBytes, totalMemoryBytes } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError } from "../wire/wire_errors.ts";

function poolRow(nas: Nas): Row {
  const { pool, poolBytes } = nas.store;
  const free = poolFreeBytes(nas.store);
  return {
    id: 1,
    name: pool,
    guid: "1234567890123456789",
    path: `/mnt/${pool}`,
    status: "ONLINE",
    scan: null,
    topology: null,
    healthy: true,
    warning: false,
    status_code: "OK",
    status_detail: null,
    size: poolBytes,
    allocated: poolBytes - free,
    free,
    freeing: 0,
    fragmentation: "0",
    size_str: String(poolBytes),
    allocated_str: String(poolBytes - free),
    free_str: String(free),
    freeing_str: "0",
    dedup_table_quota: "auto",
    dedup_table_size: 0,
    expand: null,
    is_upgraded: true,
    ...nas.profile.poolFields,
    autotrim: { parsed: "off", rawvalue: "off", source: "DEFAULT", value: "off" },
  };
}

/** A path is a folder when it is a mounted dataset or contains a file. */
function isFolder(nas: Nas, path: string): boolean {
  const datasets = [...nas.store.datasets.values()].filter(({ type }) => type === "FILESYSTEM");
  return datasets.some(({ name }) => `/mnt/${name}` === path) ||
    [...nas.store.files].some((file) => file.startsWith(`${path}/`));
}

const ISO_BYTES = 700 * 1024 ** 2;

function fileEntry(path: string, type: "FILE" | "DIRECTORY"): Row {
  const isFile = type === "FILE";
  const size = isFile ? ISO_BYTES : 0;
  const base = { path, realpath: path, type, size, allocation_size: size, mode: isFile ? 0o100644 : 0o40755 };
  return { ...base, name: path.split("/").at(-1) ?? "", acl: false, uid: 0, gid: 0, is_mountpoint: false };
}

const stat: Method = (nas, [given]) => {
  const path = String(given);
  if (!path.startsWith("/")) throw callError(ERRNO.EINVAL, "Path must be absolute");
  const type = nas.store.files.has(path) ? "FILE" : isFolder(nas, path) ? "DIRECTORY" : null;
  if (type === null) throw callError(ERRNO.ENOENT, `Path ${path} not found`);
  const { name: _name, path: _path, ...entry } = fileEntry(path, type);
  const times = { atime: 0, mtime: 0, ctime: 0, btime: 0 };
  const inode = { mount_id: 1, dev: 1, inode: 1, nlink: 1, is_ctldir: false, attributes: [] };
  return { ...entry, ...times, ...inode, user: "root", group: "root" };
};

const listdir: Method = (nas, [given, filters, options]) => {
  const folder = String(given).replace(/\/$/, "");
  if (nas.store.files.has(folder)) throw callError(ERRNO.ENOTDIR, `Path ${folder} is not a directory`);
  if (!isFolder(nas, folder)) throw callError(ERRNO.ENOENT, `Directory ${folder} does not exist`);
  const datasets = [...nas.store.datasets.values()].filter(({ type }) => type === "FILESYSTEM");
  const mounts = datasets.map(({ name }) => `/mnt/${name}`);
  const below = [...nas.store.files, ...mounts].filter((path) => path.startsWith(`${folder}/`));
  const children = new Set(below.map((path) => `${folder}/${path.slice(folder.length + 1).split("/")[0]}`));
  const entries = [...children].map((path) => ({
    ...fileEntry(path, nas.store.files.has(path) ? "FILE" : "DIRECTORY"),
    mount_id: 1,
    is_ctldir: false,
    attributes: [],
    xattrs: [],
    zfs_attrs: null,
  }));
  return query(entries, filters as unknown[], options as Options);
};

const info: Method = (nas) => ({
  version: nas.profile.release,
  buildtime: { $date: 1_790_000_000_000 },
  hostname: "truenas",
  physmem: totalMemoryBytes(nas.store),
  model: "Simulated",
  cores: CORES,
  physical_cores: 8,
  loadavg: [0.1, 0.2, 0.1],
  uptime: "1 day",
  uptime_seconds: 86_400,
  system_serial: null,
  system_product: null,
  system_product_version: null,
  license: null,
  boottime: { $date: 1_790_000_000_000 },
  datetime: { $date: Date.now() },
  timezone: "UTC",
  system_manufacturer: null,
  ecc_memory: true,
});

/** system.*, pool.*, filesystem.*, interface.* */
export const SYSTEM_METHODS: Readonly<Record<string, Method>> = {
  "system.version": (nas) => `TrueNAS-${nas.profile.answersPing ? "SCALE-" : ""}${nas.profile.release}`,
  "system.version_short": (nas) => nas.profile.release,
  "system.product_type": () => "COMMUNITY_EDITION",
  "system.host_id": (nas) => nas.store.hostId,
  "system.boot_id": (nas) => nas.store.bootId,
  "system.ready": () => true,
  "system.state": () => "READY",
  "system.info": info,
  "pool.query": (nas, [filters, options]) => query([poolRow(nas)], filters as unknown[], options as Options),
  "pool.get_instance": (nas, [id]) => instance([poolRow(nas)], id, "Pool"),
  "filesystem.stat": stat,
  "filesystem.listdir": listdir,
  "interface.choices": ({ store }) => choicesOf([...store.bridges, ...store.interfaces]),
  "interface.ip_in_use":
    () => [{ type: "INET", address: "192.168.1.10", netmask: 24, broadcast: "192.168.1.255" }],
};
