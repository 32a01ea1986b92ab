/** Functions for every URL of the site. */

/** Columns that the list can be sorted by. */
const SORT_KEYS = [
  "name",
  "state",
  "vcpus",
  "memory",
  "disks",
  "networks",
  "display",
  "autostart",
] as const;

/** A column that the list can be sorted by. */
export type SortKey = (typeof SORT_KEYS)[number];

/** The state in the list's query that stands for all VMs that somebody should look at. */
export const NEEDS_LOOK = "needs-look";

/** The number of rows in the list's query that stands for a row for every matching VM. */
export const ALL_ROWS = "all";

/** The filter, sort order, columns and rows of the list, as in its URL. */
export interface VmQuery {
  readonly q: string;
  readonly state: string;
  readonly type: string;
  /** `yes`: created by this program; `no`: created by others; empty: all. */
  readonly ours: string;
  /** A column, with a minus for descending. */
  readonly sort: string;
  /** The columns to show, between commas; empty: the usual ones. */
  readonly cols: string;
  /** {@link ALL_ROWS}, or empty: the first ones. */
  readonly rows: string;
}

/** The pages of one VM, in the order of its tabs; the clone form is reached from the menu. */
export const VM_TABS = [
  "overview",
  "disks",
  "network",
  "boot",
  "console",
  "checkpoints",
  "history",
  "clone",
] as const;

/** A page of one VM. */
export type VmTab = typeof VM_TABS[number];

/** Whether a word is the name of a page of a VM. */
export function isVmTab(word: string): word is VmTab {
  const tabs: readonly string[] = VM_TABS;
  return tabs.includes(word);
}

/** A selection of VMs to destroy, as in its URL. */
export interface DestroyQuery {
  /** As typed. */
  readonly prefixes: string;
  /** Names of VMs that may not have been created here and were added explicitly. */
  readonly vms: readonly string[];
  /** VMs selected by their IDs on the NAS, whoever created them. */
  readonly ids: readonly number[];
  readonly keepDisks: boolean;
  readonly shutdown: boolean;
}

/** Options of an export. */
export interface ExportQuery {
  readonly planned?: boolean;
  readonly format?: string;
  readonly download?: boolean;
  /** The Talos version to write files for. */
  readonly talos?: string;
  /** IDs of the VMs, between commas; empty: those that match the query. */
  readonly ids?: string;
}

/** The site's path on its host: empty for the root, or for example `/vms`. One program serves one site. */
let base = "";

/** Sets the path under which a reverse proxy serves the site: for example `/vms`, or empty for the root. */
export function setBasePath(path: string): void {
  base = path;
}

/** A path of this site as browsers request it, with the base path. */
export function withBasePath(path: string): string {
  return base + path;
}

/** The requested path without the base path, which a proxy may have removed already. */
export function stripBasePath(path: string): string {
  if (base === "" || !`${path}/`.startsWith(`${base}/`)) return path;
  return path.slice(base.length) || "/";
}

/** The URLs without the base path. */
const routes = {
  home: (query: Partial<VmQuery> = {}) => withQuery("/", query),
  vm: (id: number, tab: VmTab = "overview") => tab === "overview" ? `/vms/${id}` : `/vms/${id}/${tab}`,
  vmSaved: (
    id: number,
    tab: VmTab,
    { operation, waits }: { readonly operation: string; readonly waits: boolean },
  ) => {
    const query = new URLSearchParams({ saved: operation, ...(waits ? { waits: "yes" } : {}) });
    return `${routes.vm(id, tab)}?${query}`;
  },
  vmMenu: (id: number) => `/vms/${id}/menu`,
  vmAction: (id: number, action: string) => `/vms/${id}/${action}`,
  vmForm: (id: number, form: string) => `/vms/${id}/${form}`,
  vmConsole: (id: number, device?: number) =>
    `/vms/${id}/console${device === undefined ? "" : `?display=${device}`}`,
  vmWebConsole: (id: number) => `/vms/${id}/console/nas`,
  vmDisplaySocket: (id: number, device: number) => `/vms/${id}/display?device=${device}`,
  vmSerial: (id: number) => `/vms/${id}/serial`,
  vmSerialSocket: (id: number) => `/vms/${id}/serial/socket`,
  vmPassword: (id: number) => `/vms/${id}/password`,
  vmDestroy: (id: number, options: DestroyOptions = { keepDisks: false, shutdown: false }) =>
    withQuery(`/vms/${id}/destroy`, Object.fromEntries(optionFields(options))),
  vmViewer: (id: number) => `/vms/${id}/console.vv`,
  act: (action?: string, ids: readonly number[] = []) =>
    action === undefined
      ? "/vms/act"
      : `/vms/act?${new URLSearchParams([["action", action], ...ids.map((id) => ["id", String(id)])])}`,
  actOnGroup: (action: string, group: string) => `/vms/act?${new URLSearchParams({ action, group })}`,
  inventoryEvents: (query: Partial<VmQuery>, { seen, operation }: { seen: string; operation: string }) =>
    withQuery("/events", { ...query, seen, operation }),
  connectionEvents: () => "/events?only=connection",
  vmEvents: (id: number, tab: VmTab, devices: readonly number[] = []) =>
    `/vms/${id}/events?${new URLSearchParams({ tab, devices: devices.join("-") })}`,
  create: () => "/create",
  createForm: () => "/create/form",
  createPlan: () => "/create/plan",
  /** The plan of some types as they are configured. */
  plan: (types: readonly string[]) =>
    `/create/plan?${new URLSearchParams(types.map((type) => ["type", type]))}`,
  /** The same, where it says whether agents may carry it out. */
  planApproval: (types: readonly string[]) => `${routes.plan(types)}#agent-approval`,
  approvePlan: () => "/create/approve",
  withdrawApproval: () => "/create/approve/withdraw",
  /** The plan of one type, with one VM ticked, at the VM's row. */
  typePlan: (type: string, vm: string) =>
    `${withQuery("/create/plan", { type, vm })}#plan-${encodeURIComponent(vm)}`,
  createOne: (like?: number, checkpoint = "") =>
    withQuery("/create/one", { like: like === undefined ? "" : String(like), checkpoint }),
  createOneForm: () => "/create/one/form",
  createOnePlan: () => "/create/one/plan",
  types: (query: { saved?: string } = {}) => withQuery("/types", query),
  newType: (copyOf?: string) => withQuery("/types/new", { from: copyOf }),
  editType: (name: string) => withQuery("/types/edit", { name }),
  removeType: (name: string) => withQuery("/types/remove", { name }),
  typeForm: () => "/types/form",
  typeStorage: () => "/types/storage",
  reviewTypes: () => "/types/review",
  downloadTypes: () => "/types/download",
  typesYaml: () => "/types/yaml",
  typeVersions: () => "/types/versions",
  typeVersion: (id: string) => `/types/versions/${encodeURIComponent(id)}`,
  templates: (query: { saved?: string } = {}) => withQuery("/types/templates", query),
  downloadTemplates: () => "/types/templates/download",
  template: (name: string, version?: string) => withQuery(`/types/templates/${name}`, { version }),
  templateStep: (name: string, step: "form" | "review" | "download") => `/types/templates/${name}/${step}`,
  typesSchema: () => "/types/schema.json",
  destroy: (query?: DestroyQuery) =>
    query === undefined ? "/destroy" : `/destroy?${new URLSearchParams(destroyFields(query))}`,
  checkpoints: () => "/checkpoints",
  newCheckpoint: (query: { ids?: readonly number[]; types?: readonly string[] } = {}) => {
    const fields = [
      ...(query.ids ?? []).map((id): [string, string] => ["id", String(id)]),
      ...(query.types ?? []).map((type): [string, string] => ["type", type]),
    ];
    return fields.length === 0 ? "/checkpoints/new" : `/checkpoints/new?${new URLSearchParams(fields)}`;
  },
  checkpointRollback: (name: string, query: { vms?: readonly string[]; discard?: boolean } = {}) => {
    const fields = [
      ...(query.vms ?? []).map((vm): [string, string] => ["vm", vm]),
      ...(query.discard ? [["discard", "yes"] as [string, string]] : []),
    ];
    const path = `/checkpoints/${encodeURIComponent(name)}/rollback`;
    return fields.length === 0 ? path : `${path}?${new URLSearchParams(fields)}`;
  },
  checkpointRemove: (name: string) => `/checkpoints/${encodeURIComponent(name)}/remove`,
  orphans: (left: readonly string[] = []) =>
    left.length === 0 ? "/orphans" : `/orphans?${new URLSearchParams(left.map((name) => ["leave", name]))}`,
  images: (query: { saved?: string } = {}) => withQuery("/images", query),
  newImage: (query: Readonly<Record<string, string>> = {}) => withQuery("/images/new", query),
  uploadImage: (query: { kind?: "iso" } = {}) => withQuery("/images/upload", query),
  adoptImage: (query: { path?: string; name?: string } = {}) => withQuery("/images/adopt", query),
  removeImage: (query: { name?: string; only?: string } = {}) => withQuery("/images/remove", query),
  resume: (id: string) => `/operations/${encodeURIComponent(id)}/resume`,
  rollBack: (id: string) => `/operations/${encodeURIComponent(id)}/rollback`,
  leave: (id: string) => `/operations/${encodeURIComponent(id)}/leave`,
  cancel: (id: string) => `/operations/${encodeURIComponent(id)}/cancel`,
  stopWaiting: (id: string) => `/operations/${encodeURIComponent(id)}/stop-waiting`,
  export: (query: Partial<VmQuery> = {}, { planned, format, download, talos, ids }: ExportQuery = {}) =>
    withQuery("/export", {
      ...query,
      planned: planned ? "yes" : "",
      format: format ?? "",
      download: download ? "1" : "",
      talos: talos ?? "",
      ids: ids ?? "",
    }),
  login: (to?: string) => to === undefined ? "/login" : `/login?${new URLSearchParams({ to })}`,
  logout: () => "/logout",
  theme: () => "/theme",
  tasks: () => "/tasks",
  search: (q = "") => withQuery("/search", { q }),
  connection: () => "/connection",
  setup: (query: { change?: string; differs?: string } = {}) => withQuery("/setup", query),
  setupStep: (step: string) => `/setup/${step}`,
  otp: () => "/connection/otp",
  operations: ({ state = "" }: { readonly state?: string } = {}) => withQuery("/operations", { state }),
  operationsEvents: (state: string) => withQuery("/events", { only: "operations", state }),
  audit: (query: { q?: string; format?: string; download?: string } = {}) =>
    withQuery("/operations/audit", query),
  operation: (id: string) => `/operations/${encodeURIComponent(id)}`,
  operationEvents: (id: string, after: number) =>
    `/operations/${encodeURIComponent(id)}/events?after=${after}`,
} as const;

/** The URLs as browsers request them. */
export const paths = Object.fromEntries(
  Object.entries(routes).map(([name, path]) => [
    name,
    (...args: readonly unknown[]) => withBasePath((path as (...args: readonly unknown[]) => string)(...args)),
  ]),
) as unknown as typeof routes;

/** A destruction as fields of a URL or a form. */
function destroyFields({ prefixes, vms, ids, keepDisks, shutdown }: DestroyQuery): [string, string][] {
  return [
    ["prefixes", prefixes],
    ...vms.map((name): [string, string] => ["vm", name]),
    ...ids.map((id): [string, string] => ["id", String(id)]),
    ...optionFields({ keepDisks, shutdown }),
  ];
}

type DestroyOptions = Pick<DestroyQuery, "keepDisks" | "shutdown">;

function optionFields({ keepDisks, shutdown }: DestroyOptions): [string, string][] {
  return [
    ...(keepDisks ? [["keep", "yes"] as [string, string]] : []),
    ...(shutdown ? [["shutdown", "yes"] as [string, string]] : []),
  ];
}

/** The options that a list was made with, to compare them with those confirmed. */
export function listedOptions(options: DestroyOptions): string {
  return optionFields(options).map(([name]) => name).join(" ");
}

/** Appends the non-empty values as a query string. */
function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const filled = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return filled.length === 0 ? path : `${path}?${new URLSearchParams(filled)}`;
}
