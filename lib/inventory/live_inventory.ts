/**
 * The VMs of a NAS, kept current by its events. TrueNAS's events can lack fields, repeat, and arrive before the reply of
 * the call that caused them, so an event only marks a VM as stale. Failed readings are retried; changes without an event
 * are found by reading everything periodically while somebody is watching.
 */
import { reasonOf } from "../errors/system_errors.ts";
import { TrueNASError, TrueNASTimeoutError } from "../errors/errors.ts";
import type { Disk, GuestAddress, Nic, Vm } from "./inventory.ts";
import type { Logger } from "../observability/logging.ts";
import { compareNames } from "./names.ts";
import { notifyEach, runDetached } from "../errors/unhandled_errors.ts";
import type { Caller } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import type { CollectionEvent } from "../truenas/connection/protocol.ts";
import { readGuestIps, readVms, readVmsById } from "../truenas/read_inventory.ts";
import type { SessionState } from "../truenas/connection/nas_connection.ts";

/**
 * Minimum interval between readings caused by events, also as a multiple of the last reading's duration, so that they do
 * not overload a busy NAS. The first reading after a quiet period is immediate.
 */
const GATHER = { leastMs: 25, times: 3, mostMs: 1_000 } as const;

/** Zvol sizes older than this are read again together with their VM. */
const SIZES_MS = 60_000;

/**
 * How long a page waits for the first reading before it is sent without VMs, and how long scripts and exports wait for
 * any change, because they get no later update.
 */
export const READING_MS = 3_000;

/** How long a page waits for known changes; its stream delivers later ones. */
const CHANGES_MS = 300;

/** Interval of full readings while somebody is watching, because events can be lost and zvol sizes have none. */
const CHECK_MS = 60_000;
/** Delay before a failed reading is retried; doubles with each failure. */
const RETRY = { leastMs: 1_000, mostMs: 30_000 } as const;

/** How often guest addresses are read while somebody is watching. */
const ADDRESSES_MS = 30_000;
/** An unchanged address is announced this often, which keeps its displayed age right with little traffic. */
const ADDRESS_AGE_MS = 300_000;

/** A change of the inventory. `all`: everything was read again. */
export type InventoryChange =
  | { readonly type: "all" }
  | { readonly type: "changed"; readonly vm: Vm }
  | { readonly type: "removed"; readonly id: number };

/** The known VMs. */
export interface InventorySnapshot {
  /** Sorted by name; null before the first reading. */
  readonly vms: readonly Vm[] | null;
  /** When they were last known to be current, in milliseconds since 1970 (UTC). */
  readonly readAt: number | null;
  /** Why the last reading failed, or null. */
  readonly error: TrueNASError | null;
}

/** The part of a session that the inventory uses. */
export type InventorySource = Caller & Pick<Session, "state" | "onState" | "onEvent">;

/** Keeps the VMs current; see the comment at the top of this file. */
export class LiveInventory {
  readonly #session: InventorySource;
  readonly #logger: Logger;
  readonly #listeners = new Set<(change: InventoryChange) => void>();
  /** Whether all VMs must be read. */
  #isStale = true;
  readonly #stale = new Set<number>();
  /** Ids of changed devices; true where the NAS must be asked which VM they belong to. */
  readonly #staleDevices = new Map<number, boolean>();
  /** VMs removed during a reading, whose result for them is outdated. */
  readonly #removed = new Set<number>();
  readonly #forget: (() => void)[];
  #byId: Map<number, Vm> | null = null;
  #sorted: readonly Vm[] | null = null;
  #readAt: number | null = null;
  /** When everything was last read, on the process clock. */
  #checkedAt = -Infinity;
  #error: TrueNASError | null = null;
  /** When the zvol sizes of each VM were read, by VM id. */
  readonly #sizesAt = new Map<number, number>();
  #gatherer: ReturnType<typeof setTimeout> | undefined;
  /** Earliest time of the next reading caused by events. */
  #restUntil = -Infinity;
  /** Readings run one after another, so none overwrites a later one. */
  #catchingUp: Promise<void> = Promise.resolve();
  #isCatchingUp = false;
  /** Number of failed readings since the last success. */
  #failures = 0;
  /** Whether the connection was lost since everything was read. */
  #isLost = false;
  /** Resolves at the end of the current reading. */
  #waiting = Promise.withResolvers<void>();
  /** Guest addresses by NIC id. */
  #addresses: ReadonlyMap<number, GuestAddress> = new Map();
  #readingAddresses: Promise<void> | null = null;
  #addressTimer: ReturnType<typeof setTimeout> | undefined;
  #checkTimer: ReturnType<typeof setTimeout> | undefined;
  #watchers = 0;
  #closed = false;

  /** Reads when the session is live, again after each reconnection, and after events. */
  constructor(session: InventorySource, logger: Logger) {
    this.#session = session;
    this.#logger = logger;
    this.#forget = [
      session.onState((state) => this.#stateChanged(state)),
      session.onEvent((event) => this.#hear(event)),
    ];
  }

  /** What is known now; does not ask the NAS. */
  get snapshot(): InventorySnapshot {
    return { vms: this.#vms(), readAt: this.#readAt, error: this.#error };
  }

  /**
   * Waits until everything stale has been read, but only briefly, so that a slow NAS does not delay pages.
   *
   * @param connectionWaitMs How long to wait; default 3 s for the first reading, 0.3 s for later ones.
   */
  async ready(connectionWaitMs = this.#byId === null ? READING_MS : CHANGES_MS): Promise<InventorySnapshot> {
    if (performance.now() - this.#checkedAt > CHECK_MS) this.check();
    const { promise, resolve } = Promise.withResolvers<void>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      resolve();
    }, connectionWaitMs);
    while (!isLate && this.#isBehind && this.#session.state.kind === "live") {
      if (this.#byId === null) this.#catchUpSoon();
      await Promise.race([this.#waiting.promise, promise]);
      // A failed first reading is shown as an error.
      if (this.#byId === null) break;
    }
    clearTimeout(timer);
    return this.snapshot;
  }

  /**
   * The VMs, waiting like {@link ready}.
   *
   * @throws {TrueNASError} when they were never read, so that even their number is unknown.
   */
  async readyVms(connectionWaitMs?: number): Promise<readonly Vm[]> {
    const { vms, error } = await this.ready(connectionWaitMs);
    if (vms !== null) return vms;
    const { state } = this.#session;
    if ("error" in state) throw state.error;
    throw error ??
      new TrueNASTimeoutError("The NAS has not answered yet, so its VMs are unknown; try again");
  }

  /** Schedules a full reading. */
  check(): void {
    this.#isStale = true;
    this.#readSoon();
  }

  /** Schedules a reading of one VM; several requests are combined into one call. */
  refresh(id: number): void {
    this.#stale.add(id);
    this.#readSoon();
  }

  /** Reads this VM and everything stale now; resolves when done. */
  async refreshNow(id: number): Promise<void> {
    this.#stale.add(id);
    this.#sizesAt.delete(id);
    await this.#catchUpNow();
  }

  /** Reads the addresses of running guests, where the release supports it (27.0 and later). */
  readAddresses(): Promise<void> {
    return this.#readingAddresses ??= this.#doReadAddresses().finally(() => this.#readingAddresses = null);
  }

  /**
   * Marks somebody as watching until the returned function is called. Meanwhile everything is read periodically, and guest
   * addresses are kept current.
   */
  watch(): () => void {
    if (this.#watchers++ === 0) {
      this.#keepAddressesKnown();
      this.#keepChecking();
    }
    let watching = true;
    return () => {
      if (watching && --this.#watchers === 0) {
        clearTimeout(this.#addressTimer);
        clearTimeout(this.#checkTimer);
      }
      watching = false;
    };
  }

  /** Calls the listener for each change until the returned function is called. */
  onChange(listener: (change: InventoryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops listening. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#gatherer);
    clearTimeout(this.#addressTimer);
    clearTimeout(this.#checkTimer);
    for (const forget of this.#forget) forget();
    this.#listeners.clear();
    this.#waiting.resolve();
  }

  /** Whether a change is known that has not been read yet. */
  get #isBehind(): boolean {
    return this.#isStale || this.#stale.size > 0 || this.#staleDevices.size > 0 || this.#isCatchingUp;
  }

  #hear({ collection, msg, id, fields }: CollectionEvent): void {
    if (typeof id !== "number") return;
    if (collection === "vm.query") {
      if (msg === "removed") this.#remove(id);
      // Removed VMs as well, because a late event can be about an earlier VM with the same id.
      this.refresh(id);
    }
    if (collection === "vm.device.query") {
      const vm = fields?.["vm"];
      if (typeof vm === "number") this.#staleDisks(vm, msg);
      // The previous owner is read as well. Up to 25.04 events do not name the owner.
      const mustAsk = msg !== "removed" && typeof vm !== "number";
      this.#staleDevices.set(id, mustAsk || this.#staleDevices.get(id) === true);
      this.#readSoon();
    }
  }

  /** Marks a VM's disks as stale: after a device change, zvols of the same name can be different ones, unless a device was only added. */
  #staleDisks(id: number, msg: CollectionEvent["msg"]): void {
    this.#stale.add(id);
    if (msg !== "added") this.#sizesAt.delete(id);
  }

  #readSoon(): void {
    if (this.#isCatchingUp || this.#closed) return;
    this.#gatherer ??= setTimeout(() => {
      this.#gatherer = undefined;
      this.#catchUpSoon();
    }, Math.max(0, this.#restUntil - performance.now()));
  }

  /** Nobody waits for it: what fails is logged. */
  #catchUpSoon(): void {
    runDetached(this.#catchUpNow(), "reading what has changed", this.#logger);
  }

  async #catchUpNow(): Promise<void> {
    clearTimeout(this.#gatherer);
    this.#gatherer = undefined;
    const reading = this.#catchingUp.then(() => this.#catchUp());
    // One that fails stops none of those after it.
    this.#catchingUp = reading.catch(() => {});
    await reading;
  }

  /** Reads what is stale; changes that arrive meanwhile are read after the minimum interval. */
  async #catchUp(): Promise<void> {
    // Without a connection nothing can be read; reconnecting reads everything.
    if (this.#closed || !this.#isBehind || this.#session.state.kind !== "live") return;
    const startedAt = performance.now();
    this.#isCatchingUp = true;
    this.#failures = await this.#readStale() ? 0 : this.#failures + 1;
    this.#isCatchingUp = false;
    const tookMs = performance.now() - startedAt;
    const restMs = this.#failures === 0
      ? Math.min(GATHER.times * tookMs, GATHER.mostMs)
      : tookMs + Math.min(RETRY.leastMs * 2 ** (this.#failures - 1), RETRY.mostMs);
    this.#restUntil = startedAt + Math.max(GATHER.leastMs, restMs);
    if (this.#isBehind) this.#readSoon();
    const { resolve } = this.#waiting;
    this.#waiting = Promise.withResolvers();
    resolve();
  }

  /** Reads all VMs or only the stale ones; returns false on failure, when they stay stale. */
  async #readStale(): Promise<boolean> {
    const [isStale, ids, devices] = [this.#isStale, [...this.#stale], new Map(this.#staleDevices)];
    this.#isStale = false;
    this.#stale.clear();
    this.#staleDevices.clear();
    this.#removed.clear();
    try {
      await (isStale || this.#byId === null ? this.#readAll() : this.#readSome(ids, devices));
      return true;
    } catch (error) {
      this.#isStale ||= isStale;
      for (const id of ids) this.#stale.add(id);
      for (const [id, ask] of devices) {
        this.#staleDevices.set(id, ask || this.#staleDevices.get(id) === true);
      }
      this.#failed(error);
      if (isStale) this.#notify({ type: "all" });
      return false;
    }
  }

  #vms(): readonly Vm[] | null {
    if (this.#byId === null) return null;
    return this.#sorted ??= [...this.#byId.values()].sort((a, b) => compareNames(a.name, b.name));
  }

  #notify(change: InventoryChange): void {
    notifyEach(this.#listeners, (listener) => listener(change), this.#logger);
  }

  #stateChanged(state: SessionState): void {
    if (state.kind !== "live" || this.#closed) return;
    this.#isStale = true;
    // Makes listeners refresh everything, whatever has changed.
    this.#isLost = true;
    this.#catchUpSoon();
  }

  #keepChecking(): void {
    if (this.#closed) return;
    this.#checkTimer = setTimeout(() => {
      this.check();
      this.#keepChecking();
    }, CHECK_MS);
  }

  async #readAll(): Promise<void> {
    const read = await readVms(this.#session);
    const vms = read.filter(({ id }) => !this.#removed.has(id));
    const now = performance.now();
    for (const { id } of vms) this.#sizesAt.set(id, now);
    this.#checkedAt = now;
    const before = this.#byId;
    const isNews = before === null || this.#isLost || this.#error !== null;
    this.#isLost = false;
    this.#error = null;
    if (before === null || isNews) {
      this.#byId = new Map(vms.map((vm) => [vm.id, this.#withAddresses(vm)]));
      this.#touch();
      return this.#notify({ type: "all" });
    }
    const found = new Set(vms.map(({ id }) => id));
    for (const id of [...before.keys()]) if (!found.has(id)) this.#remove(id);
    for (const vm of vms) if (!isSameVm(this.#withAddresses(vm), before.get(vm.id))) this.#change(vm);
    this.#touch();
  }

  async #readSome(ids: readonly number[], devices: ReadonlyMap<number, boolean>): Promise<void> {
    const all = [...new Set([...ids, ...await this.#vmsOf(devices)])];
    const found = await readVmsById(this.#session, all, { known: this.#knownDisks(all) });
    const seen = new Set(found.map(({ id }) => id));
    for (const vm of found) if (!this.#removed.has(vm.id)) this.#change(vm);
    for (const id of all) if (!seen.has(id)) this.#remove(id);
    this.#error = null;
    this.#touch();
  }

  /** The VMs that have or had these devices. */
  async #vmsOf(devices: ReadonlyMap<number, boolean>): Promise<readonly number[]> {
    if (devices.size === 0) return [];
    const known = [...this.#byId?.values() ?? []].filter((vm) =>
      [...vm.disks, ...vm.nics, ...vm.displays, ...vm.cdroms, ...vm.others].some(({ deviceId }) =>
        devices.has(deviceId)
      )
    ).map(({ id }) => id);
    for (const id of known) this.#sizesAt.delete(id);
    const unknown = [...devices].flatMap(([id, mustAsk]) => mustAsk ? [id] : []);
    if (unknown.length === 0) return known;
    const rows = await this.#session.call("vm.device.query", [[["id", "in", unknown]]]);
    return [...known, ...rows.map(({ vm }) => vm)];
  }

  /** Disks of these VMs with recently read sizes, which VM events do not contain. */
  #knownDisks(ids: readonly number[]): ReadonlyMap<string, Disk> {
    const now = performance.now();
    const known = new Map<string, Disk>();
    for (const id of ids) {
      if (now - (this.#sizesAt.get(id) ?? -Infinity) > SIZES_MS) this.#sizesAt.set(id, now);
      else {for (const disk of this.#byId?.get(id)?.disks ?? []) {
          if (disk.zvol !== null) known.set(disk.zvol, disk);
        }}
    }
    return known;
  }

  #change(vm: Vm): void {
    const known = this.#withAddresses(vm);
    this.#byId?.set(vm.id, known);
    this.#sorted = null;
    this.#notify({ type: "changed", vm: known });
  }

  #keepAddressesKnown(): void {
    runDetached(this.#keepAddresses(), "asking guests for their addresses", this.#logger);
  }

  async #keepAddresses(): Promise<void> {
    await this.readAddresses();
    clearTimeout(this.#addressTimer);
    if (this.#watchers === 0 || this.#closed) return;
    this.#addressTimer = setTimeout(() => this.#keepAddressesKnown(), ADDRESSES_MS);
  }

  async #doReadAddresses(): Promise<void> {
    const { state } = this.#session;
    if (state.kind !== "live" || !state.rules.guestIps) return;
    await this.ready();
    const running = (this.#vms() ?? []).filter((vm) => vm.state === "RUNNING");
    let told: ReadonlyMap<number, string>;
    try {
      told = await readGuestIps(this.#session, running);
    } catch (error) {
      // After a lost connection the known addresses stay, with their age.
      if (!(error instanceof TrueNASError)) throw error;
      return this.#logger.debug("Cannot read guest addresses; the known ones are kept", {
        error: error.message,
      });
    }
    const readAt = Date.now();
    const before = this.#addresses;
    this.#addresses = new Map([...told].map(([nic, address]) => {
      const known = before.get(nic);
      const keep = known?.address === address && readAt - known.readAt < ADDRESS_AGE_MS;
      return [nic, keep ? known : { address, readAt }];
    }));
    for (const vm of this.#vms() ?? []) {
      if (vm.nics.some((nic) => nic.ip !== this.#addressOf(vm, nic))) this.#change(vm);
    }
  }

  #addressOf({ state }: Vm, { deviceId }: Nic): GuestAddress | null {
    return state === "RUNNING" ? this.#addresses.get(deviceId) ?? null : null;
  }

  #withAddresses(vm: Vm): Vm {
    return { ...vm, nics: vm.nics.map((nic) => ({ ...nic, ip: this.#addressOf(vm, nic) })) };
  }

  #remove(id: number): void {
    this.#removed.add(id);
    this.#sizesAt.delete(id);
    if (!this.#byId?.delete(id)) return;
    this.#sorted = null;
    this.#touch();
    this.#notify({ type: "removed", id });
  }

  #touch(): void {
    this.#sorted = null;
    this.#readAt = Date.now();
  }

  #failed(error: unknown): void {
    this.#error = error instanceof TrueNASError ? error : new TrueNASError(reasonOf(error), { cause: error });
    // A session that was closed on purpose needs no warning.
    if (this.#session.state.kind === "closed") return;
    this.#logger.warning("Cannot read the VMs; the known ones are kept and the reading is retried", {
      error: this.#error.message,
    });
  }
}

/** Compares as JSON, because both values are plain data with the same key order. */
function isSameVm(a: Vm, b: Vm | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
