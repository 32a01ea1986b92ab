/**
 * Every API method that this program calls: parameters, result, whether it writes or destroys, and its timeout. Parameters
 * are positional in every TrueNAS version. Replies may contain more fields than are named here.
 */
import { z } from "../zod.ts";
import type { MethodParams, MethodRule, Methods, QueryFilter } from "./method_types.ts";
import { TEMPLATE_COLUMNS, withInnerDtype, withOwnProperties } from "./versions.ts";

const roles = z.union([z.object({ $set: z.array(z.string()) }).passthrough(), z.array(z.string())]);

/** A device row in the shape of 25.04.2 and later, with `dtype` inside the attributes. */
const deviceRow = z.preprocess(
  withInnerDtype,
  z.object({
    id: z.number(),
    vm: z.number(),
    order: z.number().nullish(),
    attributes: z.object({ dtype: z.string() }).passthrough(),
  }).passthrough(),
);

const vmStatus = z.object({ state: z.string(), domain_state: z.string().nullable() }).passthrough();

/** A row of `vm.query`. `status.state` is an open string: RUNNING, STOPPED, SUSPENDED, ERROR, and others in events. */
const vmRow = z.object({
  id: z.number(),
  name: z.string(),
  description: z.string().nullish(),
  uuid: z.string().nullish(),
  vcpus: z.number(),
  cores: z.number(),
  threads: z.number(),
  /** MiB. */
  memory: z.number(),
  autostart: z.boolean(),
  cpu_mode: z.string().nullish(),
  status: z.object({ state: z.string() }).passthrough(),
  devices: z.array(deviceRow).default([]),
}).passthrough();

/** The requested fields: all but those that nobody looks at. */
const VM_FIELDS = [...Object.keys(vmRow.shape), ...TEMPLATE_COLUMNS];

const property = z.object({ parsed: z.unknown().optional(), rawvalue: z.string().nullish() }).passthrough()
  .nullish();

/** A row of `pool.dataset.query`; contains only what was selected. */
const datasetRow = z.object({
  id: z.string(),
  type: z.string(),
  locked: z.boolean().nullish(),
  available: property,
  used: property,
  usedbydataset: property,
  volsize: property,
  refreservation: property,
  written: property,
  origin: property,
  creation: property,
  user_properties: z.record(z.string(), property).nullish(),
  children: z.array(z.unknown()).nullish(),
}).passthrough();

/** A row of `interface.query`; contains only what was selected. */
const interfaceRow = z.object({
  name: z.string(),
  type: z.string(),
  state: z.object({
    aliases: z.array(
      z.object({ address: z.string(), netmask: z.union([z.string(), z.number()]).nullish() }).passthrough(),
    ),
  }).passthrough().nullish(),
}).passthrough();

/** A row of `pool.snapshot.query`; contains only what was selected. */
const snapshotRow = z.object({
  name: z.string(),
  holds: z.record(z.string(), z.unknown()).nullish(),
}).passthrough();

/** A snapshot with its holds and its own properties. */
const ownedSnapshotRow = z.preprocess(
  withOwnProperties,
  z.object({
    name: z.string(),
    /** ZFS's transaction, which orders snapshots. */
    createtxg: z.coerce.number(),
    /** Bytes that only it refers to. */
    used: z.coerce.number().optional(),
    /** Seconds since 1970 (UTC). */
    creation: z.coerce.number().optional(),
    holds: z.array(z.string()),
    own: z.record(z.string(), z.string()),
  }).passthrough(),
);

/** A row of `core.get_jobs`. */
const jobRow = z.object({
  id: z.number(),
  method: z.string().nullish(),
  arguments: z.array(z.unknown()).nullish(),
  state: z.string(),
  progress: z.object({ percent: z.number().nullish(), description: z.string().nullish() }).passthrough()
    .nullish(),
  error: z.string().nullish(),
}).passthrough();

/** A guest's network interface as reported by its agent (27.0 and later). */
const guestInterface = z.object({
  hardware_address: z.string(),
  ip_addresses: z.array(z.object({ ip_address: z.string(), ip_address_type: z.string() }).passthrough()),
}).passthrough();

const cloudCredentials = z.object({ id: z.number(), name: z.string() }).passthrough();

const userInfo = z.object({
  pw_name: z.string().nullish(),
  privilege: z.object({ roles: roles.nullish() }).passthrough().nullish(),
}).passthrough();

const loginReply = z.object({
  response_type: z.string(),
  user_info: userInfo.nullish(),
  scram_type: z.string().nullish(),
  rfc_str: z.string().nullish(),
}).passthrough();

/** The parameters of a vm.query. */
export function vmQuery(...filters: readonly QueryFilter[]): MethodParams<"vm.query"> {
  return [filters, { select: VM_FIELDS }];
}

/** Reads are fast, except that the first call on an old API version makes TrueNAS import it. */
const READ_MS = 30_000;
const WRITE_MS = 60_000;
/** Writes can wait for a thick zvol on a busy pool, or for libvirt. */
const SLOW_WRITE_MS = 180_000;
/** Up to 25.10 TrueNAS serializes deletions, several seconds for each VM that ran. */
const DELETE_MS = 300_000;
/** Timeout for core.ping. */
export const PING_MS = 5_000;

function read<Params extends readonly unknown[], Result>(
  result: z.ZodType<Result>,
): MethodRule<Params, Result> {
  return { writes: false, destroys: false, timeoutMs: READ_MS, result };
}

function write<Params extends readonly unknown[], Result>(
  result: z.ZodType<Result>,
  timeoutMs: number = WRITE_MS,
): MethodRule<Params, Result> {
  return { writes: true, destroys: false, timeoutMs, result };
}

function destroy<Params extends readonly unknown[]>(): MethodRule<Params, unknown> {
  return { writes: true, destroys: true, timeoutMs: DELETE_MS, result: z.unknown() };
}

/** The methods, named as in TrueNAS's API reference. */
export const METHODS: Methods = {
  "auth.login": read(z.boolean()),
  "auth.login_ex": read(loginReply),
  "auth.login_with_api_key": read(z.boolean()),
  "auth.logout": read(z.boolean()),
  "auth.login_ex_continue": read(loginReply),
  "auth.generate_token": read(z.string()),
  "auth.mechanism_choices": read(z.array(z.string())),
  "auth.me": read(userInfo),
  "core.resize_shell": read(z.unknown()),
  "core.ping": { ...read(z.string()), timeoutMs: PING_MS },
  "core.subscribe": read(z.string()),
  "core.unsubscribe": read(z.unknown()),
  "system.version_short": read(z.string()),
  "system.info": read(z.object({ physmem: z.number() }).passthrough()),
  "system.boot_id": read(z.string()),
  "system.host_id": read(z.string()),
  "filesystem.stat": read(
    z.object({
      type: z.string().optional(),
      size: z.number().nullish(),
      mtime: z.number().nullish(),
    }).passthrough(),
  ),
  "filesystem.listdir": read(
    z.array(z.object({ path: z.string(), type: z.string(), size: z.number().nullish() }).passthrough()),
  ),
  "pool.dataset.query": read(z.array(datasetRow)),
  "pool.dataset.create": write(z.object({ id: z.string() }).passthrough(), SLOW_WRITE_MS),
  "pool.dataset.update": write(z.unknown()),
  "pool.dataset.promote": write(z.unknown(), SLOW_WRITE_MS),
  "pool.dataset.recommended_zvol_blocksize": read(z.string()),
  "pool.dataset.delete": destroy(),
  "pool.snapshot.create": write(z.unknown()),
  "pool.snapshot.clone": write(z.unknown(), SLOW_WRITE_MS),
  "pool.snapshot.query": read(z.array(snapshotRow)),
  "pool.snapshot.delete": destroy(),
  "pool.snapshot.rollback": destroy(),
  "zfs.resource.snapshot.create": write(z.unknown()),
  "zfs.resource.snapshot.query": read(z.array(ownedSnapshotRow)),
  "vm.query": read(z.array(vmRow)),
  "vm.status": read(vmStatus),
  "vm.log_file_path": read(z.string().nullable()),
  "vm.get_available_memory": read(z.number()),
  "vm.maximum_supported_vcpus": read(z.number()),
  "vm.create": write(vmRow),
  "vm.update": write(vmRow),
  "vm.device.update": write(z.unknown()),
  "vm.clone": write(z.unknown(), SLOW_WRITE_MS),
  "vm.get_display_web_uri": read(
    z.object({ error: z.string().nullable(), uri: z.string().nullable() }).passthrough(),
  ),
  "interface.ip_in_use": read(z.array(z.object({ type: z.string(), address: z.string() }).passthrough())),
  "interface.query": read(z.array(interfaceRow)),
  "core.ping_remote": read(z.boolean()),
  "core.arp": read(z.record(z.string(), z.string())),
  "vm.get_guest_network_interfaces": read(z.array(guestInterface)),
  "vm.start": write(z.unknown(), SLOW_WRITE_MS),
  "vm.poweroff": write(z.unknown(), SLOW_WRITE_MS),
  "vm.stop": write(z.number()),
  "vm.restart": write(z.number()),
  "vm.suspend": write(z.unknown()),
  "vm.resume": write(z.unknown()),
  "vm.reset": write(z.unknown()),
  "core.get_jobs": read(z.array(jobRow)),
  "core.job_abort": write(z.unknown()),
  "core.download": read(z.tuple([z.number(), z.string()])),
  "filesystem.put": write(z.unknown()),
  "cloudsync.credentials.create": write(cloudCredentials),
  "cloudsync.credentials.query": read(z.array(cloudCredentials)),
  "cloudsync.credentials.delete": write(z.unknown()),
  "cloudsync.sync_onetime": write(z.number()),
  "vm.delete": destroy(),
  "vm.device.create": write(deviceRow, SLOW_WRITE_MS),
  "vm.device.delete": destroy(),
  "vm.device.virtual_size": read(z.number()),
  "vm.device.convert": write(z.number()),
  "vm.import_disk_image": write(z.number()),
  "vm.device.query": read(z.array(deviceRow)),
  "vm.device.nic_attach_choices": read(z.record(z.string(), z.union([z.string(), z.array(z.string())]))),
  "vm.device.bind_choices": read(z.record(z.string(), z.string())),
};
