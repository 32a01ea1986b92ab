/** The contents of the simulated NAS as plain data in memory, and its free space and memory. */
import type { Account } from "./accounts.ts";
import type { StoredFile } from "./files/stored_file.ts";

/** A device row. */
export interface StoredDevice {
  id: number;
  vm: number;
  order: number;
  attributes: Record<string, unknown> & { dtype: string };
}

/** A VM row without derived fields (status, devices). */
export interface StoredVm {
  id: number;
  /** vm.create's argument with its defaults. */
  config: Record<string, unknown> & { name: string; memory: number };
  state: "RUNNING" | "STOPPED" | "SUSPENDED";
  everStarted: boolean;
  /** How often it has started since it is there; absent before its first start. */
  starts?: number;
  /** MiB that it was started with, while its `memory` is another one and waits for the next start. */
  runsWithMib?: number;
  /** Whether its guest runs an agent, which reports addresses. */
  agent?: boolean;
  /** The address that a simulated guest reports; absent: one is made up. */
  address?: string;
  /** IPv4 addresses that its guest has, by the NIC's MAC address. */
  addresses?: Readonly<Record<string, string>>;
  /** TCP ports on which its guest listens. */
  ports?: readonly number[];
}

/** A filesystem or zvol. */
export interface StoredDataset {
  name: string;
  type: "FILESYSTEM" | "VOLUME";
  volsizeBytes: number;
  /** What it refers to: what guests and conversions have written to it, or to the snapshot it was cloned from. */
  writtenBytes: number;
  /** The part of it that belongs to the snapshot it was cloned from, and so takes no further space. */
  sharedBytes: number;
  /** What was written to the zvol last: an image, or null for zeros. */
  content: string | null;
  sparse: boolean;
  userProperties: Record<string, string>;
  /** Milliseconds since 1970 (UTC). */
  createdAt: number;
  /** The snapshot it was cloned from. */
  origin: string | null;
  /** Whether something other than a VM has it open, so that it cannot be destroyed. */
  isOpen: boolean;
  /** An encrypted dataset without its key. */
  isLocked: boolean;
  isReadonly: boolean;
}

/** A snapshot of a filesystem or zvol. */
export interface StoredSnapshot {
  /** `pool/dataset@snapshot` */
  name: string;
  dataset: string;
  snapshotName: string;
  readonly createtxg: number;
  /** Milliseconds since 1970 (UTC). */
  readonly createdAt: number;
  /** Tag to seconds since 1970 (UTC). */
  readonly holds: Map<string, number>;
  readonly userProperties: Record<string, string>;
  /** Whether it is destroyed with its last clone. */
  isDeferred: boolean;
  /** The dataset at that time. */
  readonly volsizeBytes: number;
  readonly referencedBytes: number;
  readonly content: string | null;
  /** What only the snapshot still refers to. */
  uniqueBytes: number;
}

/** A job of core.get_jobs. */
export interface StoredJob {
  id: number;
  method: string;
  arguments: readonly unknown[];
  messageIds: readonly (string | number | null)[];
  state: "WAITING" | "RUNNING" | "SUCCESS" | "FAILED" | "ABORTED";
  percent: number;
  description: string;
  readonly isAbortable: boolean;
  /** The text of its log; null for a job without one. */
  logs: string | null;
  result: unknown;
  error: string | null;
  excInfo: Record<string, unknown> | null;
  startedAt: number;
  finishedAt: number | null;
  credentials: unknown;
}

/** The contents; tests read and change them. */
export interface Store {
  readonly vms: Map<number, StoredVm>;
  readonly devices: Map<number, StoredDevice>;
  /** Filesystems and zvols by name. */
  readonly datasets: Map<string, StoredDataset>;
  /** By full name. */
  readonly snapshots: Map<string, StoredSnapshot>;
  /** By full path. */
  readonly files: Map<string, StoredFile>;
  /** Full paths of folders that are no datasets, which can be empty. */
  readonly folders: Set<string>;
  /** Symbolic links: from a path to another. */
  readonly links: Map<string, string>;
  /** Credentials of cloudsync by id. */
  readonly cloudCredentials: Map<number, { id: number; name: string; url: string }>;
  readonly jobs: Map<number, StoredJob>;
  readonly bridges: string[];
  readonly interfaces: string[];
  readonly bindAddresses: string[];
  /** Addresses with their prefixes (`192.168.1.10/24`) by bridge or interface. */
  readonly aliases: Map<string, string[]>;
  /** Other devices in its networks: MAC addresses by IPv4 address. */
  readonly hosts: Map<string, string>;
  /** Devices that it exchanged packets with: MAC addresses by IPv4 address. */
  readonly arp: Map<string, string>;
  /** The name of the NAS's service on each port. */
  readonly servicePorts: Map<number, string>;
  readonly accounts: Account[];
  readonly pool: string;
  /** Size of the pool in bytes. */
  readonly poolBytes: number;
  /** Memory for VMs in bytes. */
  readonly memoryBytes: number;
  /** Whether its statistics (netdata) run; without them it sends no load. */
  measuresLoad: boolean;
  hostId: string;
  /** Changes when it restarts. */
  bootId: string;
  lastVmId: number;
  lastDeviceId: number;
  lastJobId: number;
  /** ZFS's transaction counter, which orders snapshots. */
  lastTxg: number;
}

/** Block size of zvols; their size must be a multiple of it. */
export const VOLBLOCKSIZE_BYTES = 16_384;

const ISO_BYTES = 700 * 1024 ** 2;

/** The contents of a new NAS. */
export function freshStore(
  options: { poolFreeBytes: number; freeMemoryBytes: number; accounts: Account[] },
): Store {
  const store: Store = {
    vms: new Map(),
    devices: new Map(),
    datasets: new Map(),
    snapshots: new Map(),
    files: new Map(),
    folders: new Set(),
    links: new Map(),
    cloudCredentials: new Map(),
    jobs: new Map(),
    bridges: ["br0", "br1"],
    interfaces: ["eno1", "enp3s0"],
    servicePorts: new Map(),
    hosts: new Map(),
    arp: new Map(),
    aliases: new Map([["br0", ["192.168.1.10/24"]]]),
    bindAddresses: ["0.0.0.0", "127.0.0.1", "192.168.1.10", "::", "::1"],
    accounts: options.accounts,
    pool: "tank",
    poolBytes: options.poolFreeBytes,
    memoryBytes: options.freeMemoryBytes,
    measuresLoad: true,
    hostId: "5b3c2e6f0d6a4c1f9a7e8d2b4c6f8a0e1d3b5c7f9a1e2d4b6c8f0a2e4d6b8c0f",
    bootId: crypto.randomUUID(),
    lastVmId: 0,
    lastDeviceId: 0,
    lastJobId: 0,
    lastTxg: 1_000,
  };
  for (const name of ["tank", "tank/vms", "tank/VMs", "tank/iso"]) {
    addDataset(store, { name, type: "FILESYSTEM" });
  }
  for (const name of ["iso/debian.iso", "iso/talos.iso", "atroot.iso"]) {
    addFile(store, `/mnt/tank/${name}`, { sizeBytes: ISO_BYTES });
  }
  return store;
}

/** Adds a dataset or zvol without checks. */
export function addDataset(
  store: Store,
  dataset: Pick<StoredDataset, "name" | "type"> & Partial<StoredDataset>,
): StoredDataset {
  const stored = {
    volsizeBytes: 0,
    writtenBytes: 0,
    sharedBytes: 0,
    content: null,
    sparse: false,
    userProperties: {},
    createdAt: Date.now(),
    origin: null,
    isOpen: false,
    isLocked: false,
    isReadonly: false,
    ...dataset,
  };
  store.datasets.set(stored.name, stored);
  return stored;
}

/** Free bytes of the pool: thick zvols take their whole size, sparse ones and clones what is written to them. */
export function poolFreeBytes(store: Store): number {
  const datasets = [...store.datasets.values()].reduce((sum, it) => sum + takenBytes(it), 0);
  const snapshots = [...store.snapshots.values()].reduce((sum, it) => sum + it.uniqueBytes, 0);
  const files = [...store.files.values()].reduce((sum, it) => sum + it.allocatedBytes, 0);
  return store.poolBytes - datasets - snapshots - files;
}

/** The space that a dataset itself takes. */
export function takenBytes({ sparse, volsizeBytes, writtenBytes, sharedBytes }: StoredDataset): number {
  return sparse ? writtenBytes - sharedBytes : volsizeBytes;
}

/** Adds a file without checks; what is there from the start takes none of the free space. */
export function addFile(store: Store, path: string, file: Partial<StoredFile> = {}): StoredFile {
  const { head = new Uint8Array() } = file;
  const stored = { sizeBytes: head.length, allocatedBytes: 0, head, content: path, digest: null, ...file };
  store.files.set(path, stored);
  return stored;
}

/**
 * Free memory in bytes for starting VMs. TrueNAS subtracts what an active VM uses, and what its `memory` promises beyond
 * that: a larger size counts as soon as it is set, and a smaller one only after the next start.
 */
export function freeMemoryBytes(store: Store): number {
  const promised = activeVms(store).reduce(
    (sum, vm) => sum + Math.max(memoryBytesOf(vm), runningMemoryBytesOf(vm)),
    0,
  );
  return store.memoryBytes - promised;
}

/** Memory in bytes that active VMs have not taken. */
export function untakenMemoryBytes(store: Store): number {
  return store.memoryBytes - activeVms(store).reduce((sum, vm) => sum + runningMemoryBytesOf(vm), 0);
}

function activeVms({ vms }: Store): StoredVm[] {
  return [...vms.values()].filter(({ state }) => state !== "STOPPED");
}

/** Processor threads of the NAS. */
export const CORES = 16;

/** All memory of the NAS in bytes. */
export function totalMemoryBytes(store: Store): number {
  return store.memoryBytes + 4 * 1024 ** 3;
}

/** Memory in bytes of the VMs in these states. */
export function usedMemoryBytes(store: Store, states: readonly StoredVm["state"][]): number {
  const vms = [...store.vms.values()].filter(({ state }) => states.includes(state));
  return vms.reduce((sum, vm) => sum + memoryBytesOf(vm), 0);
}

/** A VM's memory in bytes; TrueNAS's `memory` is in MiB. */
export function memoryBytesOf({ config }: StoredVm): number {
  return config.memory * 1024 ** 2;
}

/** The memory in bytes that an active VM was started with. */
export function runningMemoryBytesOf({ config, runsWithMib }: StoredVm): number {
  return (runsWithMib ?? config.memory) * 1024 ** 2;
}

/** The devices of a VM, by id. */
export function devicesOf(store: Store, vmId: number): StoredDevice[] {
  return [...store.devices.values()].filter(({ vm }) => vm === vmId);
}

const ZVOL_DEVICES = "/dev/zvol/";

/** The zvol of a disk's path, where TrueNAS writes a space as `+`. */
export function zvolAt(path: unknown): string | null {
  if (typeof path !== "string" || !path.startsWith(ZVOL_DEVICES)) return null;
  return path.slice(ZVOL_DEVICES.length).replaceAll("+", " ");
}

/** The device path of a zvol; the inverse of {@link zvolAt}. */
export function devicePathOf(zvol: string): string {
  return `${ZVOL_DEVICES}${zvol.replaceAll(" ", "+")}`;
}

/** The dataset that contains another one; empty for a pool. */
export function parentOf(dataset: string): string {
  return dataset.split("/").slice(0, -1).join("/");
}
