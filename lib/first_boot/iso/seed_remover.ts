/**
 * Removes first configurations (seeds) on CD-ROMs when their VM is stopped after its first boot, wherever it was stopped: the CD-ROM,
 * then the dataset. A guest that has not finished its first boot keeps it, so that it finds it at its next start.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import type { LiveInventory } from "../../inventory/live_inventory.ts";
import type { Logger } from "../../observability/logging.ts";
import { type Claims, findOverlap } from "../../operations/turns/claims.ts";
import type { OperationView } from "../../operations/types.ts";
import { fetchDatasets, fetchVm } from "../../truenas/batched_reads.ts";
import type { Caller, WriteGuard } from "../../truenas/client.ts";
import { describeRemoval, removeSeed } from "./remove_seed.ts";
import { seedDatasetOfVm } from "./seed_dataset.ts";

/** What removing seeds needs. */
export interface SeedRemoverOptions {
  readonly caller: Caller;
  readonly live: LiveInventory;
  readonly guard: WriteGuard;
  /** What running operations work on. */
  readonly claims: Claims;
  /** All operations, the newest first. */
  readonly views: () => readonly OperationView[];
  readonly logger: Logger;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** A guest that nobody asks whether it answers is taken to have booted after so many milliseconds. */
const FIRST_BOOT_MS = 10 * 60_000;

/** See the file's comment. */
export class SeedRemover {
  readonly #options: SeedRemoverOptions;
  readonly #stopListening: () => void;
  /** Since when VMs with such a seed run, by uuid, as far as this program has seen it. */
  readonly #runningSince = new Map<string, number>();
  /** VMs that were stopped after their first boot, by uuid. */
  readonly #due = new Set<string>();
  readonly #removing = new Map<string, Promise<void>>();
  #isClosed = false;

  /** Follows the inventory. */
  constructor(options: SeedRemoverOptions) {
    this.#options = options;
    this.#stopListening = options.live.onChange(() => this.#look());
  }

  /** Stops, and waits for what is being removed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    await Promise.all(this.#removing.values());
  }

  #look(): void {
    const { readOnly, noDestroy } = this.#options.guard;
    if (this.#isClosed || readOnly || noDestroy) return;
    for (const vm of this.#options.live.snapshot.vms ?? []) {
      const { uuid, state } = vm;
      const dataset = seedDatasetOfVm(vm);
      if (uuid === null || dataset === null) continue;
      if (state === "RUNNING" && !this.#runningSince.has(uuid)) {
        this.#runningSince.set(uuid, this.#options.now());
      }
      if (state === "STOPPED") this.#onStopped({ vm, uuid, dataset });
    }
  }

  #onStopped(seeded: SeededVm): void {
    const { uuid } = seeded;
    const { claims, now, views } = this.#options;
    const since = this.#runningSince.get(uuid);
    this.#runningSince.delete(uuid);
    const hasRun = since !== undefined && now() - since >= FIRST_BOOT_MS;
    if (hasRun || hasAnswered(views(), uuid)) this.#due.add(uuid);
    if (!this.#due.has(uuid) || this.#removing.has(uuid)) return;
    const other = findOverlap({ vms: [seeded.vm.name] }, claims.held());
    if (other !== null) return void other.ended.then(() => this.#look());
    this.#due.delete(uuid);
    this.#removing.set(uuid, this.#remove(seeded).finally(() => this.#removing.delete(uuid)));
  }

  /** Nobody waits for it, so a failure is logged; what is left is removed at the next stop, or found among the orphans. */
  async #remove({ vm: { id, name }, uuid, dataset }: SeededVm): Promise<void> {
    const { caller, logger } = this.#options;
    try {
      const [found, datasets] = await Promise.all([fetchVm(caller, id), fetchDatasets(caller, [dataset])]);
      const isOurs = datasets.known && datasets.value[0]?.mark?.vm === uuid;
      const device = found?.seedDisk ?? null;
      if (!isOurs || found?.uuid !== uuid || found.state !== "STOPPED" || device === null) return;
      const options = { zvol: false, raw_file: false, force: false };
      await caller.call("vm.device.delete", [device.deviceId, options]);
      const calls = { next: () => Promise.resolve(), send: <T>(call: () => Promise<T>) => call() };
      const seed = { dataset, uuid };
      const removal = await removeSeed({ caller }, calls, seed);
      logger.info("The first configuration (seed) of a VM was removed after its first boot", {
        vm: name,
        dataset: describeRemoval(removal, seed),
      });
    } catch (error) {
      logger.warning("The first configuration (seed) of a VM was not removed after its first boot", {
        vm: name,
        reason: reasonOf(error),
      });
    }
  }
}

interface SeededVm {
  readonly vm: Vm;
  readonly uuid: string;
  readonly dataset: string;
}

/** Whether a creation has seen the guest answer. */
export function hasAnswered(views: readonly OperationView[], uuid: string): boolean {
  return views.some(({ vms }) =>
    vms.some(({ steps }) =>
      steps.some(({ evidence }) => evidence?.uuid === uuid) &&
      steps.some(({ step, status }) => step === "ready" && status === "done")
    )
  );
}
