/**
 * Plays the guests of VMs: each VM whose first disk has an image boots, finds its seed as a real guest does, and shows itself. A
 * VM with an empty disk has no guest.
 */
import { Guest, type InstalledGuest } from "./guest.ts";
import type { GuestTimes } from "./guest_times.ts";
import type { GuestFetch } from "./network.ts";
import type { Nas } from "../nas.ts";
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
  readonly #forget: () => void;

  /** Follows the VMs of a NAS until it is stopped. */
  constructor(nas: Nas, fetch: GuestFetch, times: Partial<GuestTimes>) {
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
    const guest = new Guest(this.#nas, vm, this.#times, this.#fetch, end.signal);
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

  #end(id: number): void {
    const vm = this.#nas.store.vms.get(id);
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
