/**
 * The VMs of a NAS, read once and kept true by its events. TrueNAS's events may lack fields, repeat, and come before
 * the reply of the call that caused them, so an event only says which VM to read again.
 */
import { TrueNASError } from "./errors.ts";
import type { Disk, GuestAddress, Vm } from "./inventory.ts";
import type { Logger } from "./logging.ts";
import { compareNames } from "./names.ts";
import type { Caller } from "./truenas/client.ts";
import type { Session, SessionState } from "./truenas/session.ts";
import { readGuestIps, readVms, readVmsById } from "./truenas/read_inventory.ts";

/**
 * Readings that events ask for are so many milliseconds apart, and so many times what the last one took, so that a busy
 * NAS is not kept busy by them; the first one after a quiet time is made at once.
 */
const GATHER = { leastMs: 25, times: 3, mostMs: 1_000 } as const;

/** Sizes of zvols are read again with their VM when they are older than this. */
const SIZES_MS = 60_000;

/** A page waits so long for the first reading, and is then sent without the VMs, which follow. */
const FIRST_READING_MS = 3_000;

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

/** Keeps the inventory; see the file's comment. */
export class LiveInventory {
  readonly #session: Session;
  readonly #readings: Caller;
  readonly #logger: Logger;
  readonly #listeners = new Set<(change: InventoryChange) => void>();
  readonly #stale = new Set<number>();
  /** Removed while single VMs are read: what was read of them before is not true any more. */
  readonly #removed = new Set<number>();
  readonly #forget: (() => void)[];
  #byId: Map<number, Vm> | null = null;
  #sorted: readonly Vm[] | null = null;
  #readAt: number | null = null;
  #error: TrueNASError | null = null;
  /** When the sizes of a VM's zvols were read, by its id. */
  readonly #sizesAt = new Map<number, number>();
  #reading: Promise<void> | null = null;
  #gatherer: ReturnType<typeof setTimeout> | undefined;
  /** The next reading that events ask for is not made before. */
  #restUntil = -Infinity;
  #catchingUp: Promise<void> = Promise.resolve();
  #isCatchingUp = false;
  #addresses: ReadonlyMap<string, GuestAddress> = new Map();
  #readingAddresses: Promise<void> | null = null;
  #addressTimer: ReturnType<typeof setTimeout> | undefined;
  #watchers = 0;
  #closed = false;

  /** Reads as soon as the session is live, and again after each reconnection; what events ask for, by `readings`. */
  constructor(session: Session, readings: Caller, logger: Logger) {
    this.#session = session;
    this.#readings = readings;
    this.#logger = logger;
    this.#forget = [
      session.onState((state) => this.#stateChanged(state)),
      session.onEvent(({ collection, msg, id }) => {
        if (collection !== "vm.query" || typeof id !== "number") return;
        if (msg === "removed") this.#remove(id);
        // What is being read as a whole may be older than this event.
        if (msg !== "removed" || this.#reading !== null) this.refresh(id);
      }),
    ];
  }

  /** What is known now, without asking the NAS. */
  get snapshot(): InventorySnapshot {
    return { vms: this.#vms(), readAt: this.#readAt, error: this.#error };
  }

  /** What is known, after the first reading has ended, in whatever way; or what is known by then when it takes long. */
  async ready(): Promise<InventorySnapshot> {
    if (this.#byId !== null || this.#session.state.kind !== "live") return this.snapshot;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, FIRST_READING_MS);
    await Promise.race([this.#readAll(), promise]);
    clearTimeout(timer);
    return this.snapshot;
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
    clearTimeout(this.#gatherer);
    this.#gatherer = undefined;
    this.#catchingUp = this.#catchingUp.then(() => this.#catchUp());
    await this.#catchingUp;
  }

  /** Asks the guests that run for their addresses, where the release has that (27.0 and later). */
  readAddresses(): Promise<void> {
    return this.#readingAddresses ??= this.#doReadAddresses().finally(() => this.#readingAddresses = null);
  }

  /** Keeps the guests' addresses known while somebody looks, until the returned function is called. */
  watchAddresses(): () => void {
    if (this.#watchers++ === 0) void this.#keepAddresses();
    let watching = true;
    return () => {
      if (watching && --this.#watchers === 0) clearTimeout(this.#addressTimer);
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
    for (const forget of this.#forget) forget();
    this.#listeners.clear();
  }

  #readSoon(): void {
    if (this.#isCatchingUp) return;
    this.#gatherer ??= setTimeout(() => {
      this.#gatherer = undefined;
      this.#catchingUp = this.#catchingUp.then(() => this.#catchUpAndRest());
    }, Math.max(0, this.#restUntil - performance.now()));
  }

  /** What becomes stale meanwhile is read after a rest. */
  async #catchUpAndRest(): Promise<void> {
    const startedAt = performance.now();
    this.#isCatchingUp = true;
    try {
      await this.#catchUp();
    } finally {
      this.#isCatchingUp = false;
    }
    const restMs = Math.min(GATHER.times * (performance.now() - startedAt), GATHER.mostMs);
    this.#restUntil = startedAt + Math.max(GATHER.leastMs, restMs);
    if (this.#stale.size > 0 && !this.#closed) this.#readSoon();
  }

  #vms(): readonly Vm[] | null {
    if (this.#byId === null) return null;
    return this.#sorted ??= [...this.#byId.values()].sort((a, b) => compareNames(a.name, b.name));
  }

  #tell(change: InventoryChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #stateChanged(state: SessionState): void {
    if (state.kind === "live" && !this.#closed) void this.#readAll();
  }

  #readAll(): Promise<void> {
    return this.#reading ??= this.#doReadAll().finally(() => this.#reading = null);
  }

  async #doReadAll(): Promise<void> {
    try {
      const vms = await readVms(this.#session);
      for (const { id } of vms) this.#sizesAt.set(id, performance.now());
      this.#byId = new Map(vms.map((vm) => [vm.id, this.#withAddresses(vm)]));
      this.#error = null;
      this.#touch();
    } catch (error) {
      this.#failed(error);
    }
    this.#tell({ type: "all" });
  }

  async #catchUp(): Promise<void> {
    await this.#reading;
    const ids = [...this.#stale];
    this.#stale.clear();
    this.#removed.clear();
    if (this.#closed || this.#byId === null || ids.length === 0) return;
    try {
      const found = await readVmsById(this.#readings, ids, { known: this.#knownDisks(ids) });
      const seen = new Set(found.map(({ id }) => id));
      for (const vm of found) if (!this.#removed.has(vm.id)) this.#change(vm);
      for (const id of ids) if (!seen.has(id)) this.#remove(id);
      this.#touch();
    } catch (error) {
      // A lost connection is followed by a reading of everything; until then the rows stand as they were.
      this.#failed(error);
    }
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
    this.#tell({ type: "changed", vm: known });
  }

  async #keepAddresses(): Promise<void> {
    await this.readAddresses();
    clearTimeout(this.#addressTimer);
    if (this.#watchers === 0 || this.#closed) return;
    this.#addressTimer = setTimeout(() => void this.#keepAddresses(), ADDRESSES_MS);
  }

  async #doReadAddresses(): Promise<void> {
    const { state } = this.#session;
    if (state.kind !== "live" || !state.rules.guestIps) return;
    await this.ready();
    const running = (this.#vms() ?? []).filter((vm) => vm.state === "RUNNING");
    let told: ReadonlyMap<string, string>;
    try {
      told = await readGuestIps(this.#session, running);
    } catch (error) {
      // The connection is lost: what was known stays, with its age.
      if (!(error instanceof TrueNASError)) throw error;
      return this.#logger.debug("Guests cannot be asked for their addresses", { error: error.message });
    }
    const readAt = Date.now();
    const before = this.#addresses;
    this.#addresses = new Map([...told].map(([mac, address]) => {
      const known = before.get(mac);
      const keep = known?.address === address && readAt - known.readAt < ADDRESS_AGE_MS;
      return [mac, keep ? known : { address, readAt }];
    }));
    for (const vm of this.#vms() ?? []) {
      if (vm.nics.some(({ mac, ip }) => ip !== this.#addressOf(vm, mac))) this.#change(vm);
    }
  }

  #addressOf({ state }: Vm, mac: string | null): GuestAddress | null {
    return state === "RUNNING" && mac !== null ? this.#addresses.get(mac) ?? null : null;
  }

  #withAddresses(vm: Vm): Vm {
    return { ...vm, nics: vm.nics.map((nic) => ({ ...nic, ip: this.#addressOf(vm, nic.mac) })) };
  }

  #remove(id: number): void {
    this.#stale.delete(id);
    this.#removed.add(id);
    this.#sizesAt.delete(id);
    if (!this.#byId?.delete(id)) return;
    this.#sorted = null;
    this.#touch();
    this.#tell({ type: "removed", id });
  }

  #touch(): void {
    this.#sorted = null;
    this.#readAt = Date.now();
  }

  #failed(error: unknown): void {
    this.#error = error instanceof TrueNASError ? error : new TrueNASError(String(error), { cause: error });
    this.#logger.warning("Cannot read the VMs", { error: this.#error.message });
  }
}
