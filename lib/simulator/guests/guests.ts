/**
 * Plays the guests of VMs: each VM whose first disk has an image boots, finds its seed as a real guest does, and shows itself. A
 * VM with an empty disk has no guest.
 */
import { Guest, type InstalledGuest } from "./guest.ts";
import type { GuestTimes } from "./guest_times.ts";
import { type GuestFetch, isOwn } from "./network.ts";
import type { Nas } from "../nas.ts";
import { greetingOf, type OpenPort } from "./ports.ts";
import { devicesOf, type StoredDataset, type StoredVm, zvolAt } from "../store.ts";

/** Long enough to be watched. */
const DEFAULT_TIMES: GuestTimes = { bootMs: 4_000, setupMs: 3_000, retryMs: 1_000 };

/** The guests of one NAS. */
export class Guests {
  readonly #nas: Nas;
  readonly #times: GuestTimes;
  readonly #fetch: GuestFetch;
  readonly #running = new Map<number, { readonly start: number; readonly end: AbortController }>();
  /** Guests by the contents of their disks, so that a clone is the same guest and a disk that is rolled back is the one it was. */
  readonly #installed = new Map<string, InstalledGuest>();
  readonly #open: OpenPort | null;
  readonly #forget: () => void;

  /** Follows the VMs of a NAS until it is stopped; `open` lets guests listen on this machine. */
  constructor(nas: Nas, fetch: GuestFetch, times: Partial<GuestTimes>, open: OpenPort | null = null) {
    this.#open = open;
    this.#nas = nas;
    this.#fetch = fetch;
    this.#times = { ...DEFAULT_TIMES, ...times };
    this.#forget = nas.onEvent(() => this.follow());
  }

  /** Switches every guest off. */
  stop(): void {
    this.#forget();
    for (const id of [...this.#running.keys()]) this.#end(id);
  }

  /** Boots the guests of VMs that have started, and ends those of VMs that have stopped. */
  follow(): void {
    const { vms } = this.#nas.store;
    for (const [id, { start }] of [...this.#running]) {
      const vm = vms.get(id);
      if (vm === undefined || vm.state === "STOPPED" || vm.starts !== start) this.#end(id);
    }
    for (const vm of vms.values()) {
      if (vm.state === "RUNNING" && vm.starts !== undefined && !this.#running.has(vm.id)) {
        this.#boot(vm, vm.starts);
      }
    }
  }

  #boot(vm: StoredVm, start: number): void {
    const end = new AbortController();
    this.#running.set(vm.id, { start, end });
    const disk = this.#diskOf(vm);
    if (disk === null) return;
    const { signal } = end;
    const listen = (ports: readonly number[]) => this.#listen(vm, ports, signal);
    const guest = new Guest(this.#nas, vm, { times: this.#times, fetch: this.#fetch, signal, listen });
    const before = this.#installed.get(disk.content ?? "") ?? null;
    const keep = (installed: InstalledGuest | null) => {
      if (installed === null || installed === before) return;
      disk.content = `guest ${crypto.randomUUID()}`;
      this.#installed.set(disk.content, installed);
    };
    guest.boot(before).then(keep, (error) => {
      if (!end.signal.aborted) throw error;
    });
  }

  /** Other addresses than loopback ones are of no machine here. */
  #listen(vm: StoredVm, ports: readonly number[], signal: AbortSignal): void {
    if (signal.aborted) return;
    const opened = ports.filter((port) => vm.ports?.includes(port) !== true);
    vm.ports = ports;
    for (const address of Object.values(vm.addresses ?? {}).filter(isOwn)) {
      for (const port of opened) this.#open?.({ address, port, greeting: greetingOf(port), signal });
    }
  }

  #end(id: number): void {
    const vm = this.#nas.store.vms.get(id);
    if (vm !== undefined) delete vm.ports;
    if (vm?.address !== undefined) {
      delete vm.address;
      vm.agent = false;
    }
    this.#running.get(id)?.end.abort();
    this.#running.delete(id);
    this.#nas.consoles.end(id);
  }

  /** The first disk, if an image was written to it. */
  #diskOf(vm: StoredVm): StoredDataset | null {
    const disks = devicesOf(this.#nas.store, vm.id).filter(({ attributes }) => attributes.dtype === "DISK");
    const [first] = disks.toSorted((a, b) => a.order - b.order);
    const dataset = this.#nas.store.datasets.get(zvolAt(first?.attributes.path) ?? "");
    return dataset !== undefined && dataset.content !== null ? dataset : null;
  }
}
