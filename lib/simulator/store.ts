/** What the simulated NAS holds: plain data in memory, and how much of it is free. */
import type { Account } from "./accounts.ts";

/** A device row. */
export interface StoredDevice {
  id: number;
  vm: number;
  order: number;
  attributes: Record<string, unknown> & { dtype: string };
}

/** A VM row without what is derived (status, devices). */
export interface StoredVm {
  id: number;
  /** vm.create's argument with its defaults. */
  config: Record<string, unknown> & { name: string; memory: number };
  state: "RUNNING" | "STOPPED" | "SUSPENDED";
  everStarted: boolean;
  /** Its guest runs an agent, which knows its addresses. */
  agent?: boolean;
}

/** A filesystem or zvol. */
export interface StoredDataset {
  name: string;
  type: "FILESYSTEM" | "VOLUME";
  volsizeBytes: number;
  sparse: boolean;
  userProperties: Record<string, string>;
  /** Milliseconds since 1970 (UTC). */
  createdAt: number;
  /** The snapshot that it is a clone of. */
  origin: string | null;
  /** Something beside VMs has it open, which keeps it from being destroyed. */
  isOpen: boolean;
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
  /** It goes with its last clone. */
  isDeferred: boolean;
}

/** A job of core.get_jobs. */
export interface StoredJob {
  id: number;
  method: string;
  arguments: readonly unknown[];
  messageIds: readonly (string | number | null)[];
  state: "WAITING" | "RUNNING" | "SUCCESS" | "FAILED" | "ABORTED";
  percent: number;
  error: string | null;
  excInfo: Record<string, unknown> | null;
  startedAt: number;
  finishedAt: number | null;
  credentials: unknown;
}

/** Everything; tests read it, and may put things there. */
export interface Store {
  readonly vms: Map<number, StoredVm>;
  readonly devices: Map<number, StoredDevice>;
  /** By name; zvols as well. */
  readonly datasets: Map<string, StoredDataset>;
  /** By full name. */
  readonly snapshots: Map<string, StoredSnapshot>;
  /** Full paths of files. */
  readonly files: Set<string>;
  readonly jobs: Map<number, StoredJob>;
  readonly bridges: string[];
  readonly interfaces: string[];
  readonly bindAddresses: string[];
  /** Ports that services of the NAS listen on, by port: the service's name. */
  readonly servicePorts: Map<number, string>;
  readonly accounts: Account[];
  readonly pool: string;
  /** Bytes of the pool before any zvol. */
  readonly poolBytes: number;
  /** Bytes of memory for VMs before any runs. */
  readonly memoryBytes: number;
  hostId: string;
  readonly bootId: string;
  lastVmId: number;
  lastDeviceId: number;
  lastJobId: number;
  /** ZFS's own count of changes, by which snapshots are put in order. */
  lastTxg: number;
}

/** The block size of zvols, of which their size has to be a multiple. */
export const VOLBLOCKSIZE_BYTES = 16_384;

/** What a fresh NAS has. */
export function freshStore(
  options: { poolFreeBytes: number; freeMemoryBytes: number; accounts: Account[] },
): Store {
  const store: Store = {
    vms: new Map(),
    devices: new Map(),
    datasets: new Map(),
    snapshots: new Map(),
    files: new Set(["/mnt/tank/iso/debian.iso", "/mnt/tank/iso/talos.iso", "/mnt/tank/atroot.iso"]),
    jobs: new Map(),
    bridges: ["br0", "br1"],
    interfaces: ["eno1", "enp3s0"],
    servicePorts: new Map(),
    bindAddresses: ["0.0.0.0", "127.0.0.1", "192.168.1.10", "::", "::1"],
    accounts: options.accounts,
    pool: "tank",
    poolBytes: options.poolFreeBytes,
    memoryBytes: options.freeMemoryBytes,
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
  return store;
}

/** Adds a dataset or zvol without any check. */
export function addDataset(
  store: Store,
  dataset: Pick<StoredDataset, "name" | "type"> & Partial<StoredDataset>,
): StoredDataset {
  const stored = {
    volsizeBytes: 0,
    sparse: false,
    userProperties: {},
    createdAt: Date.now(),
    origin: null,
    isOpen: false,
    ...dataset,
  };
  store.datasets.set(stored.name, stored);
  return stored;
}

/** Bytes that are left in the pool: thick zvols take theirs at once, sparse ones none while they are empty. */
export function poolFreeBytes(store: Store): number {
  const taken = [...store.datasets.values()].reduce((sum, it) => sum + (it.sparse ? 0 : it.volsizeBytes), 0);
  return store.poolBytes - taken;
}

/** Bytes of memory that VMs may still be started with. */
export function freeMemoryBytes(store: Store): number {
  const active = [...store.vms.values()].filter(({ state }) => state !== "STOPPED");
  return store.memoryBytes - active.reduce((sum, { config }) => sum + config.memory * 1_048_576, 0);
}

/** The devices of a VM in the order of their ids. */
export function devicesOf(store: Store, vmId: number): StoredDevice[] {
  return [...store.devices.values()].filter(({ vm }) => vm === vmId);
}

/** The zvol behind a disk's path: TrueNAS writes a space as `+` there. */
export function zvolAt(path: unknown): string | null {
  if (typeof path !== "string" || !path.startsWith("/dev/zvol/")) return null;
  return path.slice("/dev/zvol/".length).replaceAll("+", " ");
}
