/**
 * Reads from a NAS what plans and pages need. Only the list of VMs is required; every other reading can be refused to the
 * account or unknown to the release, and then carries the reason.
 */
import { TrueNASCallError, TrueNASTimeoutError } from "../errors/errors.ts";
import { isFileMissing } from "../errors/refusals.ts";
import type { Capacity, Dataset, Disk, Inventory, NasIdentity, Reading, Vm } from "../inventory/inventory.ts";
import { parseIpv4 } from "../configuration/environment/ip_addresses.ts";
import { parseMac } from "../exports/values.ts";
import { SEED_DATASETS } from "../first_boot/iso/seed_dataset.ts";
import { isMarked } from "../inventory/marks.ts";
import type { Caller, CallOptions } from "./client.ts";
import type { DatasetRow, QueryFilter } from "./method_types.ts";
import { vmQuery } from "./methods.ts";
import { toDataset, toVm } from "./rows.ts";
import { nicNames } from "./versions.ts";
import type { VersionRules } from "./versions.ts";

/** Names per filter: 200 names of up to 255 characters stay below TrueNAS's message limit of 64 kB. */
const NAMES_PER_CALL = 200;

/** The properties used from pool.dataset.query; TrueNAS skips the others. */
const DATASET_PROPERTIES = ["volsize", "available", "refreservation", "used", "usedbydataset"] as const;

/** How to read. */
export type ReadOptions = Pick<CallOptions, "signal" | "connectionWaitMs" | "silenceMs">;

/** How long readings wait: for a connection that is being restored, and for a NAS that sends nothing. */
export type Patience = Pick<CallOptions, "silenceMs"> & { readonly connectionWaitMs: number };

/** How to read all VMs. */
export interface VmsOptions extends ReadOptions {
  /** Zvols the VMs probably have, so that their sizes are read in parallel. */
  readonly expected?: readonly string[];
}

/** The VMs with their devices; zvol sizes where the account can read them. */
export async function readVms(caller: Caller, options: VmsOptions = {}): Promise<readonly Vm[]> {
  const { expected = [], ...others } = options;
  const [rows, early] = await Promise.all([
    caller.call("vm.query", vmQuery(), others),
    readDatasets(caller, expected, others),
  ]);
  const vms = rows.map(toVm);
  if (!early.known) return vms;
  const requested = new Set(expected);
  const late = await readDatasets(caller, zvolsOf(vms).filter((zvol) => !requested.has(zvol)), others);
  return withSizes(vms, factsOf([...early.value, ...late.known ? late.value : []]));
}

/** The existing VMs with these ids; sizes of known zvols are not read again. */
export async function readVmsById(
  caller: Caller,
  ids: readonly number[],
  options: ReadOptions & { readonly known?: ReadonlyMap<string, ZvolFacts> } = {},
): Promise<readonly Vm[]> {
  const { known = new Map<string, ZvolFacts>(), ...others } = options;
  const rows = await caller.call("vm.query", vmQuery(["id", "in", ids]), others);
  const vms = withSizes(rows.map(toVm), known);
  const datasets = await readDatasets(caller, zvolsOf(vms), others);
  return datasets.known ? withSizes(vms, factsOf(datasets.value)) : vms;
}

/** The distinct zvols of unknown size. */
function zvolsOf(vms: readonly Vm[]): readonly string[] {
  const zvols = vms.flatMap(({ disks }) =>
    disks.flatMap(({ zvol, sizeBytes }) => zvol === null || sizeBytes !== null ? [] : [zvol])
  );
  return [...new Set(zvols)];
}

/** The properties of a disk that are read from its zvol. */
type ZvolFacts = Pick<Disk, "sizeBytes" | "takenBytes" | "usedBytes" | "sparse" | "mark">;

function factsOf(datasets: readonly Dataset[]): ReadonlyMap<string, ZvolFacts> {
  return new Map(
    datasets.map(({ name, volsizeBytes: sizeBytes, takenBytes, usedBytes, sparse, mark }) => [
      name,
      { sizeBytes, takenBytes, usedBytes, sparse, mark },
    ]),
  );
}

function withSizes(vms: readonly Vm[], facts: ReadonlyMap<string, ZvolFacts>): readonly Vm[] {
  const withSize = (disk: Disk) => {
    const { sizeBytes, takenBytes, usedBytes, sparse, mark } = facts.get(disk.zvol ?? "") ?? disk;
    return { ...disk, sizeBytes, takenBytes, usedBytes, sparse, mark };
  };
  return vms.map((vm) => ({ ...vm, disks: vm.disks.map(withSize) }));
}

/** What a plan needs besides the VMs. */
export interface InventoryRequest {
  readonly nas: NasIdentity;
  /** Datasets and zvols whose existence and space matter. */
  readonly datasets: readonly string[];
  /** Files that must exist. */
  readonly files: readonly string[];
  /** Names of VMs for which it matters whether they ever ran. */
  readonly vms: readonly string[];
  /** uuids of VMs that never ran according to our own record. */
  readonly neverStarted: ReadonlySet<string>;
  /** How this release shows that a stopped VM ran. */
  readonly showsRun: VersionRules["showsRun"];
  /** The pool of new zvols. */
  readonly pool: string;
}

/**
 * Reads everything a creation plan is made from and checked against.
 *
 * @throws {TrueNASError} when the VMs cannot be listed or the connection is lost.
 */
export async function readInventory(
  caller: Caller,
  request: InventoryRequest,
  { expected = [], ...options }: VmsOptions = {},
): Promise<Inventory> {
  const [vms, files, datasets, nicChoices, bindChoices, memory, vcpus, blockSize] = await Promise.all([
    readVms(caller, { ...options, expected }),
    readFiles(caller, request.files, options),
    readDatasets(caller, request.datasets, options),
    readNicChoices(caller, options),
    reading(async () => Object.keys(await caller.call("vm.device.bind_choices", [], options))),
    reading(() => caller.call("vm.get_available_memory", [], options)),
    reading(() => caller.call("vm.maximum_supported_vcpus", [], options)),
    reading(() => caller.call("pool.dataset.recommended_zvol_blocksize", [request.pool], options)),
  ]);
  return {
    nas: request.nas,
    datasets,
    nicChoices,
    bindChoices,
    availableMemoryBytes: memory,
    maximumVcpus: vcpus,
    zvolBlockSize: blockSize,
    vms: await Promise.all(vms.map((vm) => withHistory(caller, vm, request, options))),
    files: await withAttached(caller, files, vms.filter(({ name }) => request.vms.includes(name)), options),
  };
}

/** Adds whether the install images attached to the planned VMs exist. */
async function withAttached(
  caller: Caller,
  files: Inventory["files"],
  vms: readonly Vm[],
  options: ReadOptions,
): Promise<Inventory["files"]> {
  if (!files.known) return files;
  const paths = new Set(vms.flatMap(({ cdroms }) => cdroms.map(({ path }) => path)));
  const attached = await readFiles(caller, [...paths].filter((path) => !files.value.has(path)), options);
  return attached.known ? { known: true, value: new Map([...files.value, ...attached.value]) } : files;
}

/** Those of these files that do not exist; empty when that cannot be read. */
export async function readMissingFiles(
  caller: Caller,
  paths: readonly string[],
  options: ReadOptions & Pick<CallOptions, "timeoutMs"> = {},
): Promise<readonly string[]> {
  const files = await readFiles(caller, [...new Set(paths)], options);
  return files.known ? [...files.value].flatMap(([path, isThere]) => isThere ? [] : [path]) : [];
}

/** Adds that a VM never ran, if our record says so and the NAS does not contradict it; otherwise unknown. */
async function withHistory(
  caller: Caller,
  vm: Vm,
  { vms, neverStarted, showsRun }: InventoryRequest,
  options: ReadOptions,
): Promise<Vm> {
  const isRequested = vm.state === "STOPPED" && vms.includes(vm.name) && isMarked(vm.description);
  if (!isRequested || vm.uuid === null || !neverStarted.has(vm.uuid)) return vm;
  const ran = await reading(() => showsRunOf(caller, vm.id, showsRun, options));
  return { ...vm, everStarted: ran.known ? ran.value : null };
}

async function showsRunOf(
  caller: Caller,
  id: number,
  by: VersionRules["showsRun"],
  options: ReadOptions,
): Promise<boolean> {
  if (by === "log") return await caller.call("vm.log_file_path", [id], options) !== null;
  return (await caller.call("vm.status", [id], options)).domain_state !== null;
}

/** The memory of the NAS, and the space in this dataset and its pool. */
export async function readCapacity(
  caller: Caller,
  dataset: string,
  options: ReadOptions = {},
): Promise<Capacity> {
  const root = dataset.split("/")[0] ?? dataset;
  const [memory, info, datasets] = await Promise.all([
    reading(() => caller.call("vm.get_available_memory", [], options)),
    reading(() => caller.call("system.info", [], options)),
    readDatasets(caller, [...new Set([dataset, root])], options),
  ]);
  const found = (wanted: string) =>
    datasets.known ? datasets.value.find(({ name }) => name === wanted) : undefined;
  const bytes = found(dataset)?.availableBytes ?? null;
  const { takenBytes = null, availableBytes = null } = found(root) ?? {};
  return {
    memoryBytes: memory.known ? memory.value : null,
    totalMemoryBytes: info.known ? info.value.physmem : null,
    storage: bytes === null ? null : { name: dataset, bytes },
    pool: takenBytes === null || availableBytes === null
      ? null
      : { name: root, takenBytes, freeBytes: availableBytes },
  };
}

/** Limit for agent calls: an agent that does not answer blocks its call, and the other slots stay free for work. */
const AGENTS_AT_ONCE = 3;

/**
 * IPv4 addresses by NIC id, of guests with an agent. A guest can report anything, so only MAC addresses of its own VM and
 * valid host addresses are accepted.
 */
export async function readGuestIps(
  caller: Caller,
  vms: readonly Vm[],
  options: ReadOptions = {},
): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  const remaining = [...vms];
  const readNext = async () => {
    for (let vm = remaining.pop(); vm !== undefined; vm = remaining.pop()) {
      const { id, nics } = vm;
      const answer = await reading(() => caller.call("vm.get_guest_network_interfaces", [id], options));
      const interfaces = answer.known ? answer.value : [];
      for (const { deviceId, mac } of nics) {
        const own = interfaces.filter((it) => mac !== null && parseMac(it.hardware_address) === mac);
        const addresses = own.flatMap(({ ip_addresses }) => ip_addresses);
        const [ip] = addresses.flatMap(({ ip_address }) => parseIpv4(ip_address) ?? []);
        if (ip !== undefined) found.set(deviceId, ip);
      }
    }
  };
  await Promise.all(Array.from({ length: AGENTS_AT_ONCE }, readNext));
  return found;
}

/** Turns a refusal or timeout into a reason; a lost connection is thrown. */
export async function reading<T>(ask: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { known: true, value: await ask() };
  } catch (error) {
    if (error instanceof TrueNASTimeoutError) {
      return { known: false, because: "the NAS did not answer in time" };
    }
    if (!(error instanceof TrueNASCallError)) throw error;
    return { known: false, because: error.message };
  }
}

/** TrueNAS's own datasets (system and apps), which are unsuitable for zvols. */
export const SYSTEM_DATASET = /(^|\/)(\.system|ix-applications|ix-apps|\.ix-virt)(\/|$)/;

/** The bridges and interfaces that a NIC can be attached to. */
export function readNicChoices(
  caller: Caller,
  options: ReadOptions = {},
): Promise<Reading<readonly string[]>> {
  return reading(async () => nicNames(await caller.call("vm.device.nic_attach_choices", [], options)));
}

/** The existing datasets and zvols with these names. */
export async function readDatasets(
  caller: Caller,
  names: readonly string[],
  options: ReadOptions = {},
): Promise<Reading<readonly Dataset[]>> {
  if (names.length === 0) return { known: true, value: [] };
  return await reading(async () => {
    const rows = await inChunks(names, (some) => queryDatasets(caller, ["id", "in", some], options));
    return rows.map(toDataset);
  });
}

/** Queries many names in as few calls as TrueNAS's message limit allows. */
export async function inChunks<T>(
  names: readonly string[],
  ask: (names: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const chunks: (readonly string[])[] = [];
  for (let start = 0; start < names.length; start += NAMES_PER_CALL) {
    chunks.push(names.slice(start, start + NAMES_PER_CALL));
  }
  return (await Promise.all(chunks.map(ask))).flat();
}

/** The matching datasets with these ZFS properties, without their children. */
export function queryDatasets(
  caller: Caller,
  filter: QueryFilter,
  { limit, properties = DATASET_PROPERTIES, ...options }: ReadOptions & {
    readonly limit?: number;
    readonly properties?: readonly string[];
  },
): Promise<DatasetRow[]> {
  const extra = { retrieve_children: false, flat: true, properties };
  return caller.call("pool.dataset.query", [[filter], { extra, limit }], options);
}

/** Every zvol, and every dataset of a seed, with this program's properties, in all pools. */
export async function readMarkedZvols(
  caller: Caller,
  options: ReadOptions = {},
): Promise<Reading<readonly Dataset[]>> {
  return await reading(async () => {
    const [zvols, seeds] = await Promise.all([
      queryDatasets(caller, ["type", "=", "VOLUME"], options),
      queryDatasets(caller, ["id", "~", SEED_DATASETS], options),
    ]);
    const filesystems = seeds.filter(({ type }) => type === "FILESYSTEM");
    return [...zvols, ...filesystems].map(toDataset).filter(({ mark }) => mark !== null);
  });
}

async function readFiles(
  caller: Caller,
  paths: readonly string[],
  options: ReadOptions,
): Promise<Reading<ReadonlyMap<string, boolean>>> {
  return await reading(async () => {
    const exist = await Promise.all(paths.map((path) => fileExists(caller, path, options)));
    return new Map(paths.map((path, n) => [path, exist[n] === true]));
  });
}

async function fileExists(caller: Caller, path: string, options: ReadOptions): Promise<boolean> {
  try {
    return (await caller.call("filesystem.stat", [path], options)).type !== "DIRECTORY";
  } catch (error) {
    if (isFileMissing(error)) return false;
    throw error;
  }
}
