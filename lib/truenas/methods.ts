/**
 * Every API method that this program calls: parameters, result, whether it writes or destroys, and its timeout. Parameters
 * are positional in every TrueNAS version. Replies may contain more fields than are named here.
 */
import { z } from "../zod.ts";
import type { ZvolProperty } from "../inventory/marks.ts";
import { TEMPLATE_COLUMNS, withInnerDtype, withOwnProperties } from "./versions.ts";

const roles = z.union([z.object({ $set: z.array(z.string()) }).passthrough(), z.array(z.string())]);

/** A device row in the shape of 25.04.2 and later, with `dtype` inside the attributes. */
export const deviceRow = z.preprocess(
  withInnerDtype,
  z.object({
    id: z.number(),
    vm: z.number(),
    order: z.number().nullish(),
    attributes: z.object({ dtype: z.string() }).passthrough(),
  }).passthrough(),
);

/** A device row. */
export type DeviceRow = z.infer<typeof deviceRow>;

/** A change of a zvol: its size or reservation in bytes, or its user properties. */
type DatasetChange =
  | { readonly volsize: number; readonly force_size?: true }
  | { readonly refreservation: number }
  | {
    readonly user_properties_update: readonly (ZvolProperty | {
      readonly key: string;
      readonly remove: true;
    })[];
  };

const vmStatus = z.object({ state: z.string(), domain_state: z.string().nullable() }).passthrough();

type VmStatus = z.infer<typeof vmStatus>;

/** A row of `vm.query`. `status.state` is an open string: RUNNING, STOPPED, SUSPENDED, ERROR, and others in events. */
export const vmRow = z.object({
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

/** A row of vm.query. */
export type VmRow = z.infer<typeof vmRow>;

/** The requested fields: all but those that nobody looks at. */
const VM_FIELDS = [...Object.keys(vmRow.shape), ...TEMPLATE_COLUMNS];

const property = z.object({ parsed: z.unknown().optional(), rawvalue: z.string().nullish() }).passthrough()
  .nullish();

/** A row of `pool.dataset.query`; contains only what was selected. */
export const datasetRow = z.object({
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

/** A row of pool.dataset.query. */
export type DatasetRow = z.infer<typeof datasetRow>;

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

type InterfaceRow = z.infer<typeof interfaceRow>;

/** A row of `pool.snapshot.query`; contains only what was selected. */
export const snapshotRow = z.object({
  name: z.string(),
  holds: z.record(z.string(), z.unknown()).nullish(),
}).passthrough();

type SnapshotRow = z.infer<typeof snapshotRow>;

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

/** A row of zfs.resource.snapshot.query, whatever method answered. */
export type OwnedSnapshotRow = z.infer<typeof ownedSnapshotRow>;

/** A row of `core.get_jobs`. */
export const jobRow = z.object({
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

type GuestInterface = z.infer<typeof guestInterface>;

const cloudCredentials = z.object({ id: z.number(), name: z.string() }).passthrough();

type CloudCredentials = z.infer<typeof cloudCredentials>;

type JobRow = z.infer<typeof jobRow>;

const userInfo = z.object({
  pw_name: z.string().nullish(),
  privilege: z.object({ roles: roles.nullish() }).passthrough().nullish(),
}).passthrough();

/** Who is signed in. */
export type UserInfo = z.infer<typeof userInfo>;

const loginReply = z.object({
  response_type: z.string(),
  user_info: userInfo.nullish(),
  scram_type: z.string().nullish(),
  rfc_str: z.string().nullish(),
}).passthrough();

/** The answer of auth.login_ex. */
export type LoginReply = z.infer<typeof loginReply>;

/** A filter of TrueNAS's query methods: `["name", "=", "worker01"]`. */
export type QueryFilter = readonly [field: string, operator: string, value: unknown];

/** Options of TrueNAS's query methods. */
export interface QueryOptions {
  readonly select?: readonly string[];
  readonly order_by?: readonly string[];
  readonly limit?: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The parameters of a vm.query. */
export function vmQuery(...filters: readonly QueryFilter[]): MethodParams<"vm.query"> {
  return [filters, { select: VM_FIELDS }];
}

type Query = readonly [filters?: readonly QueryFilter[], options?: QueryOptions];

interface MethodRule<Params extends readonly unknown[], Result> {
  /** Changes something on the NAS, so an unanswered call has an unknown outcome. */
  readonly writes: boolean;
  /** Deletes something irrecoverable. */
  readonly destroys: boolean;
  /** How long to wait for the answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly result: z.ZodType<Result>;
  /** Type-only; never set. */
  readonly params?: Params;
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

type Data = Readonly<Record<string, unknown>>;

/** The methods, named as in TrueNAS's API reference. */
export const METHODS = {
  "auth.login": read<readonly [username: string, password: string], boolean>(z.boolean()),
  "auth.login_ex": read<readonly [data: Data], LoginReply>(loginReply),
  "auth.login_with_api_key": read<readonly [key: string], boolean>(z.boolean()),
  "auth.logout": read<readonly [], boolean>(z.boolean()),
  "auth.login_ex_continue": read<readonly [data: Data], LoginReply>(loginReply),
  "auth.generate_token": read<readonly [ttlSeconds: number], string>(z.string()),
  "auth.mechanism_choices": read<readonly [], readonly string[]>(z.array(z.string())),
  "auth.me": read<readonly [], UserInfo>(userInfo),
  "core.resize_shell": read<readonly [session: string, cols: number, rows: number], unknown>(z.unknown()),
  "core.ping": { ...read<readonly [], string>(z.string()), timeoutMs: PING_MS },
  "core.subscribe": read<readonly [collection: string], string>(z.string()),
  "core.unsubscribe": read<readonly [ident: string], unknown>(z.unknown()),
  "system.version_short": read<readonly [], string>(z.string()),
  "system.info": read<readonly [], { physmem: number }>(z.object({ physmem: z.number() }).passthrough()),
  "system.boot_id": read<readonly [], string>(z.string()),
  "system.host_id": read<readonly [], string>(z.string()),
  "filesystem.stat": read<
    readonly [path: string],
    { type?: string; size?: number | null; mtime?: number | null }
  >(
    z.object({
      type: z.string().optional(),
      size: z.number().nullish(),
      mtime: z.number().nullish(),
    }).passthrough(),
  ),
  "filesystem.listdir": read<
    readonly [path: string, filters: readonly QueryFilter[], options: QueryOptions],
    { path: string; type: string; size?: number | null }[]
  >(z.array(z.object({ path: z.string(), type: z.string(), size: z.number().nullish() }).passthrough())),
  "pool.dataset.query": read<Query, DatasetRow[]>(z.array(datasetRow)),
  "pool.dataset.create": write<readonly [spec: Data], { id: string }>(
    z.object({ id: z.string() }).passthrough(),
    SLOW_WRITE_MS,
  ),
  "pool.dataset.update": write<readonly [id: string, change: DatasetChange], unknown>(z.unknown()),
  "pool.dataset.promote": write<readonly [id: string], unknown>(z.unknown(), SLOW_WRITE_MS),
  "pool.dataset.recommended_zvol_blocksize": read<readonly [pool: string], string>(z.string()),
  // From 26 on a recursive destroy deletes idle clones, even of other VMs; the type rules it out.
  "pool.dataset.delete": destroy<readonly [id: string, options: { readonly recursive: false }]>(),
  "pool.snapshot.create": write<
    readonly [spec: { readonly dataset: string; readonly name: string }],
    unknown
  >(
    z.unknown(),
  ),
  "pool.snapshot.clone": write<readonly [spec: Data], unknown>(z.unknown(), SLOW_WRITE_MS),
  "pool.snapshot.query": read<Query, SnapshotRow[]>(z.array(snapshotRow)),
  "pool.snapshot.delete": destroy<
    readonly [id: string, options: { readonly defer: false; readonly recursive: false }]
  >(),
  // Without options, because each of them destroys more than what was shown.
  "pool.snapshot.rollback": destroy<readonly [id: string]>(),
  // Up to 25.10 adapted to pool.snapshot.*.
  "zfs.resource.snapshot.create": write<
    readonly [
      spec: {
        readonly dataset: string;
        readonly name: string;
        readonly user_properties: Readonly<Record<string, string>>;
      },
    ],
    unknown
  >(z.unknown()),
  "zfs.resource.snapshot.query": read<
    readonly [
      request: {
        readonly paths: readonly string[];
        readonly properties: readonly ["used", "creation"];
        readonly get_user_properties: true;
        readonly get_holds: true;
      },
    ],
    OwnedSnapshotRow[]
  >(z.array(ownedSnapshotRow)),
  "vm.query": read<Query, VmRow[]>(z.array(vmRow)),
  "vm.status": read<readonly [id: number], VmStatus>(vmStatus),
  "vm.log_file_path": read<readonly [id: number], string | null>(z.string().nullable()),
  "vm.get_available_memory": read<readonly [overcommit?: boolean], number>(z.number()),
  "vm.maximum_supported_vcpus": read<readonly [], number>(z.number()),
  "vm.create": write<readonly [spec: Data], VmRow>(vmRow),
  "vm.update": write<readonly [id: number, change: Data], VmRow>(vmRow),
  "vm.device.update": write<
    readonly [
      id: number,
      change: { readonly order: number } | { readonly attributes: Data & { readonly dtype: string } },
    ],
    unknown
  >(z.unknown()),
  "vm.clone": write<readonly [id: number, name: string], unknown>(z.unknown(), SLOW_WRITE_MS),
  "vm.get_display_web_uri": read<
    readonly [id: number, host: string, options: { readonly protocol: "HTTP" | "HTTPS" }],
    { error: string | null; uri: string | null }
  >(z.object({ error: z.string().nullable(), uri: z.string().nullable() }).passthrough()),
  "interface.ip_in_use": read<readonly [], { readonly type: string; readonly address: string }[]>(
    z.array(z.object({ type: z.string(), address: z.string() }).passthrough()),
  ),
  "interface.query": read<Query, InterfaceRow[]>(z.array(interfaceRow)),
  "core.ping_remote": read<
    readonly [ping: { readonly hostname: string; readonly timeout: number; readonly count: number }],
    boolean
  >(z.boolean()),
  "core.arp": read<readonly [options: Data], Record<string, string>>(z.record(z.string(), z.string())),
  "vm.get_guest_network_interfaces": read<readonly [id: number], GuestInterface[]>(z.array(guestInterface)),
  "vm.start": write<readonly [id: number, options?: { readonly overcommit: boolean }], unknown>(
    z.unknown(),
    SLOW_WRITE_MS,
  ),
  "vm.poweroff": write<readonly [id: number], unknown>(z.unknown(), SLOW_WRITE_MS),
  "vm.stop": write<
    readonly [id: number, options: { readonly force: boolean; readonly force_after_timeout: boolean }],
    number
  >(z.number()),
  "vm.restart": write<readonly [id: number], number>(z.number()),
  "vm.suspend": write<readonly [id: number], unknown>(z.unknown()),
  "vm.resume": write<readonly [id: number], unknown>(z.unknown()),
  "vm.reset": write<readonly [id: number], unknown>(z.unknown()),
  "core.get_jobs": read<Query, JobRow[]>(z.array(jobRow)),
  "core.job_abort": write<readonly [id: number], unknown>(z.unknown()),
  // Its job only gives a file.
  "core.download": read<
    readonly [method: "filesystem.get", args: readonly [path: string], filename: string],
    [number, string]
  >(z.tuple([z.number(), z.string()])),
  // Sent to /_upload, because a socket carries no files.
  "filesystem.put": write<
    readonly [path: string, options: { readonly append: boolean; readonly mode?: number }],
    unknown
  >(z.unknown()),
  "cloudsync.credentials.create": write<readonly [spec: Data], CloudCredentials>(cloudCredentials),
  "cloudsync.credentials.query": read<Query, CloudCredentials[]>(z.array(cloudCredentials)),
  // They are this program's own, and hold nothing but an address.
  "cloudsync.credentials.delete": write<readonly [id: number], unknown>(z.unknown()),
  "cloudsync.sync_onetime": write<readonly [task: Data], number>(z.number()),
  "vm.delete": destroy<
    readonly [id: number, options: { readonly zvols: false; readonly force: boolean }]
  >(),
  "vm.device.create": write<readonly [spec: Data], DeviceRow>(deviceRow, SLOW_WRITE_MS),
  "vm.device.delete": destroy<
    readonly [
      id: number,
      options: { readonly zvol: boolean; readonly raw_file: boolean; readonly force: boolean },
    ]
  >(),
  "vm.device.virtual_size": read<readonly [args: { readonly path: string }], number>(z.number()),
  "vm.device.convert": write<
    readonly [args: { readonly source: string; readonly destination: string }],
    number
  >(z.number()),
  "vm.import_disk_image": write<readonly [args: { readonly diskimg: string; readonly zvol: string }], number>(
    z.number(),
  ),
  "vm.device.query": read<Query, DeviceRow[]>(z.array(deviceRow)),
  "vm.device.nic_attach_choices": read<
    readonly [],
    Record<string, string | string[]>
  >(z.record(z.string(), z.union([z.string(), z.array(z.string())]))),
  "vm.device.bind_choices": read<readonly [], Record<string, string>>(z.record(z.string(), z.string())),
} satisfies Record<string, MethodRule<readonly unknown[], unknown>>;

/** A method that this program calls. */
export type MethodName = keyof typeof METHODS;

/** The parameters of a method, in order. */
export type MethodParams<M extends MethodName> = NonNullable<(typeof METHODS)[M]["params"]>;

/** The result of a method. */
export type MethodResult<M extends MethodName> = z.infer<(typeof METHODS)[M]["result"]>;
