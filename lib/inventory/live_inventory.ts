/**
 * The VMs of a NAS, read once and kept true by its events. TrueNAS's events may lack fields, repeat, and come before
 * the reply of the call that caused them, so an event only says which VM to read again. What cannot be read stays
 * stale and is tried again; what no event told of is found by reading everything now and then, while somebody looks.
 */
import { reasonOf } from "../errors/system_errors.ts";
import { TrueNASError, TrueNASTimeoutError } from "../errors/errors.ts";
import type { Disk, GuestAddress, Nic, Vm } from "./inventory.ts";
import type { Logger } from "../observability/logging.ts";
import { compareNames } from "./names.ts";
import { notifyEach, runDetached } from "../command_line/unhandled_errors.ts";
import type { Caller } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import type { CollectionEvent } from "../truenas/connection/protocol.ts";
import { readGuestIps, readVms, readVmsById } from "../truenas/read_inventory.ts";
import type { SessionState } from "../truenas/connection/nas_connection.ts";

/**
 * Readings that events ask for are so many milliseconds apart, and so many times what the last one took, so that a busy
 * NAS is not kept busy by them; the first one after a quiet time is made at once.
 */
const GATHER = { leastMs: 25, times: 3, mostMs: 1_000 } as const;

/** Sizes of zvols are read again with their VM when they are older than this. */
const SIZES_MS = 60_000;

/**
 * A page waits so long for the first reading, and is then sent without the VMs, which follow; so do scripts and exports,
 * which nothing follows, for every change.
 */
export const READING_MS = 3_000;

/** A page waits so long for VMs that are known to have changed: its stream brings what comes later. */
const CHANGES_MS = 300;

/** Everything is read again this often while somebody looks: events can be lost, and a zvol's size has none. */
const CHECK_MS = 60_000;
/** What could not be read is tried again after this, and each time it fails after twice as long. */
const RETRY = { leastMs: 1_000, mostMs: 30_000 } as const;

/** How often guests are asked for their addresses, while somebody looks. */
const ADDRESSES_MS = 30_000;
/** An address that stays the same is told anew this often, so that its age stays true without much traffic. */
const ADDRESS_AGE_MS = 300_000;

/** A change of the inventory. `all`: it was read anew as a whole. */
export type InventoryChange =
  | { readonly type: "all" }
  | { readonly type: "changed"; readonly vm: Vm }
  | { readonly type: "removed"; readonly id: number };

/** What is known of the VMs now. */
export interface InventorySnapshot {
  /** In order of name; null when they were never read. */
  readonly vms: readonly Vm[] | null;
  /** When they were last known to be true, in milliseconds since 1970 (UTC). */
  readonly readAt: number | null;
  /** Why the last reading failed, or null. */
  readonly error: TrueNASError | null;
}

/** What of a session the inventory follows. */
export type InventorySource = Caller & Pick<Session, "state" | "onState" | "onEvent">;

/** Keeps the inventory; see the file's comment. */
export class LiveInventory {
  readonly #session: InventorySource;
  readonly #readings: Caller;
  readonly #logger: Logger;
  readonly #listeners = new Set<(change: InventoryChange) => void>();
  /** Whether all VMs are to be read. */
  #isStale = true;
  readonly #stale = new Set<number>();
  /** Devices that changed, by id; true where the NAS has to be asked whose they are. */
  readonly #staleDevices = new Map<number, boolean>();
  /** Removed during a reading: what it read of them before is not true any more. */
  readonly #removed = new Set<number>();
  readonly #forget: (() => void)[];
  #byId: Map<number, Vm> | null = null;
  #sorted: readonly Vm[] | null = null;
  #readAt: number | null = null;
  /** When everything was last read, by the clock of the process. */
  #checkedAt = -Infinity;
  #error: TrueNASError | null = null;
  /** When the sizes of a VM's zvols were read, by its id. */
  readonly #sizesAt = new Map<number, number>();
  #gatherer: ReturnType<typeof setTimeout> | undefined;
  /** The next reading that events ask for is not made before. */
  #restUntil = -Infinity;
  /** Readings come one after another, so that none overwrites a later one. */
  #catchingUp: Promise<void> = Promise.resolve();
  #isCatchingUp = false;
  /** Readings that failed since one succeeded. */
  #failures = 0;
  /** The connection was lost since everything was read. */
  #isLost = false;
  /** Whoever waits for the end of a reading. */
  #waiting = Promise.withResolvers<void>();
  /** By the id of the NIC. */
  #addresses: ReadonlyMap<number, GuestAddress> = new Map();
  #readingAddresses: Promise<void> | null = null;
  #addressTimer: ReturnType<typeof setTimeout> | undefined;
  #checkTimer: ReturnType<typeof setTimeout> | undefined;
  #watchers = 0;
  #closed = false;

  /** Reads as soon as the session is live, and again after each reconnection; what events ask for, by `readings`. */
  constructor(session: InventorySource, readings: Caller, logger: Logger) {
    this.#session = session;
    this.#readings = readings;
    this.#logger = logger;
    this.#forget = [
      session.onState((state) => this.#stateChanged(state)),
      session.onEvent((event) => this.#hear(event)),
    ];
  }

  /** What is known now, without asking the NAS. */
  get snapshot(): InventorySnapshot {
    return { vms: this.#vms(), readAt: this.#readAt, error: this.#error };
  }

  /**
   * What is known once everything that is stale now has been read, or after a short while: a page is not to wait for a
   * NAS that is slow.
   *
   * @param patienceMs How long to wait for that; default 3 s for the first reading, and 0.3 s for later ones.
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
      // A first reading that failed is shown as such.
      if (this.#byId === null) break;
    }
    clearTimeout(timer);
    return this.snapshot;
  }

  /**
   * The VMs, waiting like {@link ready}.
   *
   * @throws {TrueNASError} when they were never read: then nobody can say which VMs there are, not even that there are none.
   */
  async readyVms(connectionWaitMs?: number): Promise<readonly Vm[]> {
    const { vms, error } = await this.ready(connectionWaitMs);
    if (vms !== null) return vms;
    const { state } = this.#session;
    if ("error" in state) throw state.error;
    throw error ??
      new TrueNASTimeoutError("The NAS has not answered yet, so its VMs are unknown");
  }

  /** Reads everything again soon. */
  check(): void {
    this.#isStale = true;
    this.#readSoon();
  }

  /** Reads one VM again soon; several such requests become one call. */
  refresh(id: number): void {
    this.#stale.add(id);
    this.#readSoon();
  }

  /** Reads everything that is known to be stale, and this VM, now; resolves when it is known. */
  async refreshNow(id: number): Promise<void> {
    this.#stale.add(id);
    this.#sizesAt.delete(id);
    await this.#catchUpNow();
  }

  /** Asks the guests that run for their addresses, where the release has that (27.0 and later). */
  readAddresses(): Promise<void> {
    return this.#readingAddresses ??= this.#doReadAddresses().finally(() => this.#readingAddresses = null);
  }

  /**
   * Somebody looks, until the returned function is called: meanwhile everything is read again now and then, and the
   * guests' addresses are kept known.
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

  /** Tells of each change until the returned function is called. */
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

  /** Whether anything is known to have changed since it was read. */
  get #isBehind(): boolean {
    return this.#isStale || this.#stale.size > 0 || this.#staleDevices.size > 0 || this.#isCatchingUp;
  }

  #hear({ collection, msg, id, fields }: CollectionEvent): void {
    if (typeof id !== "number") return;
    if (collection === "vm.query") {
      if (msg === "removed") this.#remove(id);
      // Also what was removed: a late event may be about an earlier VM of the same id.
      this.refresh(id);
    }
    if (collection === "vm.device.query") {
      const vm = fields?.["vm"];
      if (typeof vm === "number") this.#staleDisks(vm, msg);
      // Whoever had it until now is read as well. Up to 25.04 events do not say whose it is.
      const mustAsk = msg !== "removed" && typeof vm !== "number";
      this.#staleDevices.set(id, mustAsk || this.#staleDevices.get(id) === true);
      this.#readSoon();
    }
  }

  /** A VM of which a device changed: its zvols may be others under the same names, unless one only was added. */
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

  /** Reads what is stale; what becomes stale meanwhile is read after a rest. */
  async #catchUp(): Promise<void> {
    // Without a connection there is nothing to read; once there is one, everything is.
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

  /** Reads all VMs, or only those that are stale; false when that failed, and they still are. */
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
    // Whoever looks is told that all of it is true again, whatever has changed.
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
    const found = await readVmsById(this.#readings, all, { known: this.#knownDisks(all) });
    const seen = new Set(found.map(({ id }) => id));
    for (const vm of found) if (!this.#removed.has(vm.id)) this.#change(vm);
    for (const id of all) if (!seen.has(id)) this.#remove(id);
    this.#error = null;
    this.#touch();
  }

  /** The VMs whose devices these are, or were. */
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
    const rows = await this.#readings.call("vm.device.query", [[["id", "in", unknown]]]);
    return [...known, ...rows.map(({ vm }) => vm)];
  }

  /** Disks of these VMs whose sizes were read lately: an event of a VM says nothing of them. */
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
      // The connection is lost: what was known stays, with its age.
      if (!(error instanceof TrueNASError)) throw error;
      return this.#logger.debug("Guests cannot be asked for their addresses", { error: error.message });
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
    // A session that was closed on purpose is nothing to warn of.
    if (this.#session.state.kind === "closed") return;
    this.#logger.warning("Cannot read the VMs", { error: this.#error.message });
  }
}

/** Plain data, made by the same code: its text tells. */
function isSameVm(a: Vm, b: Vm | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
