/**
 * The VMs of a NAS, kept current by its events. TrueNAS's events can lack fields, repeat, and arrive before the reply of
 * the call that caused them, so an event only marks a VM as stale. Failed readings are retried; changes without an event
 * are found by reading everything periodically while somebody is watching.
 */
import { reasonOf } from "../errors/system_errors.ts";
import { TrueNASError, TrueNASTimeoutError } from "../errors/errors.ts";
import { GuestAddresses } from "./guest_addresses.ts";
import type { Disk, Vm } from "./inventory.ts";
import type { Logger } from "../observability/logging.ts";
import { compareNames } from "./names.ts";
import { RunningSizes } from "./running_sizes.ts";
import { StaleVms } from "./stale_vms.ts";
import { notifyEach, runDetached } from "../errors/unhandled_errors.ts";
import type { Caller } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import type { CollectionEvent } from "../truenas/connection/protocol.ts";
import { readVms, readVmsById } from "../truenas/read_inventory.ts";
import type { SessionState } from "../truenas/connection/nas_connection.ts";

/**
 * Minimum interval between readings caused by events, also as a multiple of the last reading's duration, so that they do
 * not overload a busy NAS. The first reading after a quiet period is immediate.
 */
const EVENT_READING = { leastMs: 25, times: 3, mostMs: 1_000 } as const;
/** Delay before a failed reading is retried; doubles with each failure. */
const RETRY = { leastMs: 1_000, mostMs: 30_000 } as const;
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
/** Interval of reading guest addresses while somebody is watching. */
const ADDRESSES_MS = 30_000;

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
  readonly #forget: (() => void)[];
  #stale = new StaleVms(true);
  /** VMs removed during a reading, whose result for them is outdated. */
  readonly #removed = new Set<number>();
  #byId: Map<number, Vm> | null = null;
  #sorted: readonly Vm[] | null = null;
  #readAt: number | null = null;
  /** When everything was last read, on the process clock. */
  #checkedAt = -Infinity;
  #error: TrueNASError | null = null;
  /** When the zvol sizes of each VM were read, by VM id. */
  readonly #sizesAt = new Map<number, number>();
  #readTimer: ReturnType<typeof setTimeout> | undefined;
  /** Earliest time of the next reading caused by events. */
  #nextReadingAt = -Infinity;
  /** Readings run one after another, so none overwrites a later one. */
  #lastReading: Promise<void> = Promise.resolve();
  #isReading = false;
  /** Number of failed readings since the last success. */
  #failures = 0;
  /** Whether the connection was lost since everything was read. */
  #wasLost = false;
  /** Resolves at the end of the current reading. */
  #readingEnd = Promise.withResolvers<void>();
  readonly #addresses = new GuestAddresses();
  readonly #sizes = new RunningSizes();
  #readingAddresses: Promise<void> | null = null;
  #watchers = 0;
  /** Periodic readings while somebody is watching. */
  #intervals: ReturnType<typeof setInterval>[] = [];
  #closed = false;

  /** Reads when the session is live, again after each reconnection, and after events. */
  constructor(session: InventorySource, logger: Logger) {
    this.#session = session;
    this.#logger = logger;
    this.#forget = [
      session.onState((state) => this.#onState(state)),
      session.onEvent((event) => this.#onEvent(event)),
    ];
  }

  /** What is known now; does not ask the NAS. */
  get snapshot(): InventorySnapshot {
    return { vms: this.#vms(), readAt: this.#readAt, error: this.#error };
  }

  /**
   * Waits until everything stale has been read, but only briefly, so that a slow NAS does not delay pages.
   *
   * @param waitMs How long to wait; default 3 s for the first reading, 0.3 s for later ones.
   */
  async ready(
    waitMs: number = this.#byId === null ? READING_MS : CHANGES_MS,
  ): Promise<InventorySnapshot> {
    if (performance.now() - this.#checkedAt > CHECK_MS) this.check();
    const timeout = Promise.withResolvers<void>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      timeout.resolve();
    }, waitMs);
    while (!isLate && this.#isBehind && this.#session.state.kind === "live") {
      if (this.#byId === null) this.#readDetached();
      await Promise.race([this.#readingEnd.promise, timeout.promise]);
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
  async readyVms(waitMs?: number): Promise<readonly Vm[]> {
    const { vms, error } = await this.ready(waitMs);
    if (vms !== null) return vms;
    const { state } = this.#session;
    if ("error" in state) throw state.error;
    throw error ??
      new TrueNASTimeoutError("The NAS has not answered yet, so its VMs are unknown; try again");
  }

  /** Schedules a full reading. */
  check(): void {
    this.#stale.all = true;
    this.#readSoon();
  }

  /** Schedules a reading of one VM; several requests are combined into one call. */
  refresh(id: number): void {
    this.#stale.vms.add(id);
    this.#readSoon();
  }

  /** Reads this VM and everything stale now; resolves when done. */
  async refreshNow(id: number): Promise<void> {
    this.#stale.vms.add(id);
    this.#sizesAt.delete(id);
    await this.#read();
  }

  /** A VM was started, so it runs with its settings; its stop may have been too short to be seen. */
  wasStarted(id: number): void {
    this.#sizes.forget(id);
    this.refresh(id);
  }

  /** Reads the addresses of running guests, where the release supports it (27.0 and later). */
  readAddresses(): Promise<void> {
    return this.#readingAddresses ??= this.#readGuests().finally(() => this.#readingAddresses = null);
  }

  /**
   * Marks somebody as watching until the returned function is called. Meanwhile everything is read periodically, and guest
   * addresses are kept current.
   */
  watch(): () => void {
    if (this.#watchers++ === 0 && !this.#closed) {
      const readGuests = () =>
        runDetached(this.readAddresses(), "asking guests for their addresses", this.#logger);
      readGuests();
      this.#intervals = [setInterval(readGuests, ADDRESSES_MS), setInterval(() => this.check(), CHECK_MS)];
    }
    let watching = true;
    return () => {
      if (watching && --this.#watchers === 0) this.#stopIntervals();
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
    clearTimeout(this.#readTimer);
    this.#stopIntervals();
    for (const forget of this.#forget) forget();
    this.#listeners.clear();
    this.#readingEnd.resolve();
  }

  #stopIntervals(): void {
    for (const interval of this.#intervals.splice(0)) clearInterval(interval);
  }

  /** Whether a change is known that has not been read yet. */
  get #isBehind(): boolean {
    return this.#isReading || !this.#stale.isEmpty;
  }

  #onState({ kind }: SessionState): void {
    if (kind !== "live" || this.#closed) return;
    this.#stale.all = true;
    // Makes listeners refresh everything, whatever has changed.
    this.#wasLost = true;
    this.#readDetached();
  }

  #onEvent({ collection, msg, id, fields }: CollectionEvent): void {
    if (typeof id !== "number") return;
    if (collection === "vm.query") {
      if (msg === "removed") this.#remove(id);
      // Removed VMs as well, because a late event can be about an earlier VM with the same id.
      this.refresh(id);
    }
    if (collection === "vm.device.query") {
      const vm = fields?.["vm"];
      if (typeof vm === "number") {
        this.#stale.vms.add(vm);
        // Unless a device was only added, a zvol of the same name can be a different one.
        if (msg !== "added") this.#sizesAt.delete(vm);
      }
      // The previous owner is read as well. Up to 25.04 events do not name the owner.
      this.#stale.addDevice(id, msg !== "removed" && typeof vm !== "number");
      this.#readSoon();
    }
  }

  #readSoon(): void {
    if (this.#isReading || this.#closed) return;
    this.#readTimer ??= setTimeout(() => {
      this.#readTimer = undefined;
      this.#readDetached();
    }, Math.max(0, this.#nextReadingAt - performance.now()));
  }

  #readDetached(): void {
    runDetached(this.#read(), "reading what has changed", this.#logger);
  }

  async #read(): Promise<void> {
    clearTimeout(this.#readTimer);
    this.#readTimer = undefined;
    const reading = this.#lastReading.then(() => this.#readBehind());
    // A failed reading does not stop later ones.
    this.#lastReading = reading.catch(() => {});
    await reading;
  }

  /** Reads what is stale; changes that arrive meanwhile are read after the minimum interval. */
  async #readBehind(): Promise<void> {
    // Without a connection nothing can be read; reconnecting reads everything.
    if (this.#closed || !this.#isBehind || this.#session.state.kind !== "live") return;
    const startedAt = performance.now();
    this.#isReading = true;
    this.#failures = await this.#readStale() ? 0 : this.#failures + 1;
    this.#isReading = false;
    const tookMs = performance.now() - startedAt;
    const restMs = this.#failures === 0
      ? Math.min(EVENT_READING.times * tookMs, EVENT_READING.mostMs)
      : tookMs + Math.min(RETRY.leastMs * 2 ** (this.#failures - 1), RETRY.mostMs);
    this.#nextReadingAt = startedAt + Math.max(EVENT_READING.leastMs, restMs);
    if (this.#isBehind) this.#readSoon();
    this.#readingEnd.resolve();
    this.#readingEnd = Promise.withResolvers();
  }

  /** Reads all VMs or only the stale ones; returns false on failure, when they stay stale. */
  async #readStale(): Promise<boolean> {
    const stale = this.#stale;
    this.#stale = new StaleVms();
    this.#removed.clear();
    try {
      await (stale.all || this.#byId === null ? this.#readAll() : this.#readSome(stale));
      return true;
    } catch (error) {
      this.#stale.addAll(stale);
      this.#failed(error);
      if (stale.all) this.#notify({ type: "all" });
      return false;
    }
  }

  async #readAll(): Promise<void> {
    const read = await readVms(this.#session);
    if (this.#byId === null || this.#wasLost) this.#sizes.forgetAll();
    const vms = read.filter(({ id }) => !this.#removed.has(id)).map((vm) => this.#withKnown(vm));
    this.#sizes.sawAll();
    this.#checkedAt = performance.now();
    for (const { id } of vms) this.#sizesAt.set(id, this.#checkedAt);
    const before = this.#byId;
    if (before === null || this.#wasLost || this.#error !== null) {
      this.#wasLost = false;
      this.#error = null;
      this.#byId = new Map(vms.map((vm) => [vm.id, vm]));
      this.#touch();
      return this.#notify({ type: "all" });
    }
    const found = new Set(vms.map(({ id }) => id));
    for (const id of [...before.keys()]) if (!found.has(id)) this.#remove(id);
    // VMs can be compared as JSON, because they are plain data with the same key order.
    const isSame = (vm: Vm) => JSON.stringify(vm) === JSON.stringify(before.get(vm.id));
    for (const vm of vms) if (!isSame(vm)) this.#change(vm);
    this.#touch();
  }

  async #readSome(stale: StaleVms): Promise<void> {
    const ids = [...new Set([...stale.vms, ...await this.#ownersOf(stale.devices)])];
    const found = await readVmsById(this.#session, ids, { known: this.#knownDisks(ids) });
    const foundIds = new Set(found.map(({ id }) => id));
    for (const vm of found) if (!this.#removed.has(vm.id)) this.#change(vm);
    for (const id of ids) if (!foundIds.has(id)) this.#remove(id);
    this.#error = null;
    this.#touch();
  }

  /** The VMs that have or had these devices. */
  async #ownersOf(devices: StaleVms["devices"]): Promise<readonly number[]> {
    if (devices.size === 0) return [];
    const known = [...this.#byId?.values() ?? []].filter(({ disks, nics, displays, cdroms, others }) =>
      [...disks, ...nics, ...displays, ...cdroms, ...others].some(({ deviceId }) => devices.has(deviceId))
    ).map(({ id }) => id);
    for (const id of known) this.#sizesAt.delete(id);
    const unknown = [...devices].flatMap(([id, isOwnerUnknown]) => isOwnerUnknown ? [id] : []);
    if (unknown.length === 0) return known;
    const rows = await this.#session.call("vm.device.query", [[["id", "in", unknown]]]);
    return [...known, ...rows.map(({ vm }) => vm)];
  }

  /** Disks of these VMs with recently read sizes, which VM events do not contain. */
  #knownDisks(ids: readonly number[]): ReadonlyMap<string, Disk> {
    const now = performance.now();
    const isRecent = (id: number) => now - (this.#sizesAt.get(id) ?? -Infinity) <= SIZES_MS;
    const [recent, old] = [ids.filter(isRecent), ids.filter((id) => !isRecent(id))];
    for (const id of old) this.#sizesAt.set(id, now);
    const disks = recent.flatMap((id) => this.#byId?.get(id)?.disks ?? []);
    return new Map(disks.flatMap((disk) => disk.zvol === null ? [] : [[disk.zvol, disk]]));
  }

  async #readGuests(): Promise<void> {
    const { state } = this.#session;
    if (state.kind !== "live" || !state.rules.guestIps) return;
    await this.ready();
    const running = (this.#vms() ?? []).filter((vm) => vm.state === "RUNNING");
    try {
      await this.#addresses.read(this.#session, running, Date.now);
    } catch (error) {
      // After a lost connection the known addresses stay, with their age.
      if (!(error instanceof TrueNASError)) throw error;
      return this.#logger.debug("Cannot read guest addresses; the known ones are kept", {
        error: error.message,
      });
    }
    for (const vm of this.#vms() ?? []) if (this.#addresses.hasChanged(vm)) this.#change(vm);
  }

  #vms(): readonly Vm[] | null {
    if (this.#byId === null) return null;
    return this.#sorted ??= [...this.#byId.values()].sort((a, b) => compareNames(a.name, b.name));
  }

  #change(read: Vm): void {
    const vm = this.#withKnown(read);
    this.#byId?.set(vm.id, vm);
    this.#sorted = null;
    this.#notify({ type: "changed", vm });
  }

  /** Adds what other readings told about it. */
  #withKnown(vm: Vm): Vm {
    return this.#sizes.addTo(this.#addresses.addTo(vm));
  }

  #remove(id: number): void {
    this.#removed.add(id);
    this.#sizes.forget(id);
    this.#sizesAt.delete(id);
    if (!this.#byId?.delete(id)) return;
    this.#touch();
    this.#notify({ type: "removed", id });
  }

  #touch(): void {
    this.#sorted = null;
    this.#readAt = Date.now();
  }

  #notify(change: InventoryChange): void {
    notifyEach(this.#listeners, (listener) => listener(change), this.#logger);
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
