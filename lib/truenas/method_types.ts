/**
 * The shapes of API calls and replies that this program uses; {@link Methods} has each method's parameters, which are positional
 * in every TrueNAS version, and its result. Replies may contain more fields than are named here.
 */
import type { ZvolProperty } from "../inventory/marks.ts";
import type { z } from "../zod.ts";

/** Fields that are not named here. */
interface Row {
  readonly [field: string]: unknown;
}

/** A device row in the shape of 25.04.2 and later, with `dtype` inside the attributes. */
export interface DeviceRow extends Row {
  id: number;
  vm: number;
  order?: number | null;
  attributes: { dtype: string } & Record<string, unknown>;
}

/** The answer of vm.status. */
export interface VmStatus extends Row {
  state: string;
  domain_state: string | null;
}

/** A row of `vm.query`. `status.state` is an open string: RUNNING, STOPPED, SUSPENDED, ERROR, and others in events. */
export interface VmRow extends Row {
  id: number;
  name: string;
  description?: string | null;
  uuid?: string | null;
  vcpus: number;
  cores: number;
  threads: number;
  /** MiB. */
  memory: number;
  autostart: boolean;
  cpu_mode?: string | null;
  status: { state: string } & Record<string, unknown>;
  devices: DeviceRow[];
}

/** A property of a dataset. */
export interface DatasetProperty extends Row {
  parsed?: unknown;
  rawvalue?: string | null;
}

/** A row of `pool.dataset.query`; contains only what was selected. */
export interface DatasetRow extends Row {
  id: string;
  type: string;
  locked?: boolean | null;
  available?: DatasetProperty | null;
  used?: DatasetProperty | null;
  usedbydataset?: DatasetProperty | null;
  volsize?: DatasetProperty | null;
  refreservation?: DatasetProperty | null;
  written?: DatasetProperty | null;
  origin?: DatasetProperty | null;
  creation?: DatasetProperty | null;
  user_properties?: Record<string, DatasetProperty | null | undefined> | null;
  children?: unknown[] | null;
}

/** A row of `interface.query`; contains only what was selected. */
export interface InterfaceRow extends Row {
  name: string;
  type: string;
  state?:
    | { aliases: ({ address: string; netmask?: string | number | null } & Record<string, unknown>)[] }
    | null;
}

/** A row of `pool.snapshot.query`; contains only what was selected. */
export interface SnapshotRow extends Row {
  name: string;
  holds?: Record<string, unknown> | null;
}

/** A row of zfs.resource.snapshot.query, whatever method answered: a snapshot with its holds and its own properties. */
export interface OwnedSnapshotRow extends Row {
  name: string;
  /** ZFS's transaction, which orders snapshots. */
  createtxg: number;
  /** Bytes that only it refers to. */
  used?: number;
  /** Seconds since 1970 (UTC). */
  creation?: number;
  holds: string[];
  own: Record<string, string>;
}

/** A row of `core.get_jobs`. */
export interface JobRow extends Row {
  id: number;
  method?: string | null;
  arguments?: unknown[] | null;
  state: string;
  progress?: ({ percent?: number | null; description?: string | null } & Record<string, unknown>) | null;
  error?: string | null;
}

/** A guest's network interface as reported by its agent (27.0 and later). */
export interface GuestInterface extends Row {
  hardware_address: string;
  ip_addresses: ({ ip_address: string; ip_address_type: string } & Record<string, unknown>)[];
}

/** Credentials of a cloud service. */
export interface CloudCredentials extends Row {
  id: number;
  name: string;
}

/** Who is signed in. */
export interface UserInfo extends Row {
  pw_name?: string | null;
  privilege?:
    | ({ roles?: string[] | ({ $set: string[] } & Record<string, unknown>) | null } & Record<string, unknown>)
    | null;
}

/** The answer of auth.login_ex. */
export interface LoginReply extends Row {
  response_type: string;
  user_info?: UserInfo | null;
  scram_type?: string | null;
  rfc_str?: string | null;
}

/** A change of a zvol: its size or reservation in bytes, or its user properties. */
export type DatasetChange =
  | { readonly volsize: number; readonly force_size?: true }
  | { readonly refreservation: number }
  | {
    readonly user_properties_update: readonly (ZvolProperty | {
      readonly key: string;
      readonly remove: true;
    })[];
  };

/** A filter of TrueNAS's query methods: `["name", "=", "worker01"]`. */
export type QueryFilter = readonly [field: string, operator: string, value: unknown];

/** Options of TrueNAS's query methods. */
export interface QueryOptions {
  readonly select?: readonly string[];
  readonly order_by?: readonly string[];
  readonly limit?: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** What queries take. */
export type Query = readonly [filters?: readonly QueryFilter[], options?: QueryOptions];

/** What is known of a method. */
export interface MethodRule<Params extends readonly unknown[], Result> {
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

type Data = Readonly<Record<string, unknown>>;

/** The methods, named as in TrueNAS's API reference. */
export interface Methods {
  readonly "auth.login": MethodRule<readonly [username: string, password: string], boolean>;
  readonly "auth.login_ex": MethodRule<readonly [data: Data], LoginReply>;
  readonly "auth.login_with_api_key": MethodRule<readonly [key: string], boolean>;
  readonly "auth.logout": MethodRule<readonly [], boolean>;
  readonly "auth.login_ex_continue": MethodRule<readonly [data: Data], LoginReply>;
  readonly "auth.generate_token": MethodRule<readonly [ttlSeconds: number], string>;
  readonly "auth.mechanism_choices": MethodRule<readonly [], readonly string[]>;
  readonly "auth.me": MethodRule<readonly [], UserInfo>;
  readonly "core.resize_shell": MethodRule<readonly [session: string, cols: number, rows: number], unknown>;
  readonly "core.ping": MethodRule<readonly [], string>;
  readonly "core.subscribe": MethodRule<readonly [collection: string], string>;
  readonly "core.unsubscribe": MethodRule<readonly [ident: string], unknown>;
  readonly "system.version_short": MethodRule<readonly [], string>;
  readonly "system.info": MethodRule<readonly [], { physmem: number }>;
  readonly "system.boot_id": MethodRule<readonly [], string>;
  readonly "system.host_id": MethodRule<readonly [], string>;
  readonly "filesystem.stat": MethodRule<
    readonly [path: string],
    { type?: string; size?: number | null; mtime?: number | null }
  >;
  readonly "filesystem.listdir": MethodRule<
    readonly [path: string, filters: readonly QueryFilter[], options: QueryOptions],
    { path: string; type: string; size?: number | null }[]
  >;
  readonly "pool.dataset.query": MethodRule<Query, DatasetRow[]>;
  readonly "pool.dataset.create": MethodRule<readonly [spec: Data], { id: string }>;
  readonly "pool.dataset.update": MethodRule<readonly [id: string, change: DatasetChange], unknown>;
  readonly "pool.dataset.promote": MethodRule<readonly [id: string], unknown>;
  readonly "pool.dataset.recommended_zvol_blocksize": MethodRule<readonly [pool: string], string>;
  // From 26 on a recursive destroy deletes idle clones, even of other VMs; the type rules it out.
  readonly "pool.dataset.delete": MethodRule<
    readonly [id: string, options: { readonly recursive: false }],
    unknown
  >;
  readonly "pool.snapshot.create": MethodRule<
    readonly [spec: { readonly dataset: string; readonly name: string }],
    unknown
  >;
  readonly "pool.snapshot.clone": MethodRule<readonly [spec: Data], unknown>;
  readonly "pool.snapshot.query": MethodRule<Query, SnapshotRow[]>;
  readonly "pool.snapshot.delete": MethodRule<
    readonly [id: string, options: { readonly defer: false; readonly recursive: false }],
    unknown
  >;
  // Without options, because each of them destroys more than what was shown.
  readonly "pool.snapshot.rollback": MethodRule<readonly [id: string], unknown>;
  // Up to 25.10 adapted to pool.snapshot.*.
  readonly "zfs.resource.snapshot.create": MethodRule<
    readonly [
      spec: {
        readonly dataset: string;
        readonly name: string;
        readonly user_properties: Readonly<Record<string, string>>;
      },
    ],
    unknown
  >;
  readonly "zfs.resource.snapshot.query": MethodRule<
    readonly [
      request: {
        readonly paths: readonly string[];
        readonly properties: readonly ["used", "creation"];
        readonly get_user_properties: true;
        readonly get_holds: true;
      },
    ],
    OwnedSnapshotRow[]
  >;
  readonly "vm.query": MethodRule<Query, VmRow[]>;
  readonly "vm.status": MethodRule<readonly [id: number], VmStatus>;
  readonly "vm.log_file_path": MethodRule<readonly [id: number], string | null>;
  readonly "vm.get_available_memory": MethodRule<readonly [overcommit?: boolean], number>;
  readonly "vm.maximum_supported_vcpus": MethodRule<readonly [], number>;
  readonly "vm.create": MethodRule<readonly [spec: Data], VmRow>;
  readonly "vm.update": MethodRule<readonly [id: number, change: Data], VmRow>;
  readonly "vm.device.update": MethodRule<
    readonly [
      id: number,
      change: { readonly order: number } | { readonly attributes: Data & { readonly dtype: string } },
    ],
    unknown
  >;
  readonly "vm.clone": MethodRule<readonly [id: number, name: string], unknown>;
  readonly "vm.get_display_web_uri": MethodRule<
    readonly [id: number, host: string, options: { readonly protocol: "HTTP" | "HTTPS" }],
    { error: string | null; uri: string | null }
  >;
  readonly "interface.ip_in_use": MethodRule<
    readonly [],
    { readonly type: string; readonly address: string }[]
  >;
  readonly "interface.query": MethodRule<Query, InterfaceRow[]>;
  readonly "core.ping_remote": MethodRule<
    readonly [ping: { readonly hostname: string; readonly timeout: number; readonly count: number }],
    boolean
  >;
  readonly "core.arp": MethodRule<readonly [options: Data], Record<string, string>>;
  readonly "vm.get_guest_network_interfaces": MethodRule<readonly [id: number], GuestInterface[]>;
  readonly "vm.start": MethodRule<readonly [id: number, options?: { readonly overcommit: boolean }], unknown>;
  readonly "vm.poweroff": MethodRule<readonly [id: number], unknown>;
  readonly "vm.stop": MethodRule<
    readonly [id: number, options: { readonly force: boolean; readonly force_after_timeout: boolean }],
    number
  >;
  readonly "vm.restart": MethodRule<readonly [id: number], number>;
  readonly "vm.suspend": MethodRule<readonly [id: number], unknown>;
  readonly "vm.resume": MethodRule<readonly [id: number], unknown>;
  readonly "vm.reset": MethodRule<readonly [id: number], unknown>;
  readonly "core.get_jobs": MethodRule<Query, JobRow[]>;
  readonly "core.job_abort": MethodRule<readonly [id: number], unknown>;
  // Its job only gives a file.
  readonly "core.download": MethodRule<
    readonly [method: "filesystem.get", args: readonly [path: string], filename: string],
    [number, string]
  >;
  // Sent to /_upload, because a socket carries no files.
  readonly "filesystem.put": MethodRule<
    readonly [path: string, options: { readonly append: boolean; readonly mode?: number }],
    unknown
  >;
  readonly "cloudsync.credentials.create": MethodRule<readonly [spec: Data], CloudCredentials>;
  readonly "cloudsync.credentials.query": MethodRule<Query, CloudCredentials[]>;
  // They are this program's own, and hold nothing but an address.
  readonly "cloudsync.credentials.delete": MethodRule<readonly [id: number], unknown>;
  readonly "cloudsync.sync_onetime": MethodRule<readonly [task: Data], number>;
  readonly "vm.delete": MethodRule<
    readonly [id: number, options: { readonly zvols: false; readonly force: boolean }],
    unknown
  >;
  readonly "vm.device.create": MethodRule<readonly [spec: Data], DeviceRow>;
  readonly "vm.device.delete": MethodRule<
    readonly [
      id: number,
      options: { readonly zvol: boolean; readonly raw_file: boolean; readonly force: boolean },
    ],
    unknown
  >;
  readonly "vm.device.virtual_size": MethodRule<readonly [args: { readonly path: string }], number>;
  readonly "vm.device.convert": MethodRule<
    readonly [args: { readonly source: string; readonly destination: string }],
    number
  >;
  readonly "vm.import_disk_image": MethodRule<
    readonly [args: { readonly diskimg: string; readonly zvol: string }],
    number
  >;
  readonly "vm.device.query": MethodRule<Query, DeviceRow[]>;
  readonly "vm.device.nic_attach_choices": MethodRule<readonly [], Record<string, string | string[]>>;
  readonly "vm.device.bind_choices": MethodRule<readonly [], Record<string, string>>;
}

/** A method that this program calls. */
export type MethodName = keyof Methods;

/** The parameters of a method, in order. */
export type MethodParams<M extends MethodName> = NonNullable<Methods[M]["params"]>;

/** The result of a method. */
export type MethodResult<M extends MethodName> = z.infer<Methods[M]["result"]>;
