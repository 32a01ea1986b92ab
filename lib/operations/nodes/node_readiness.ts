/**
 * Whether each VM answers: as the operation that waited for it has seen it, and by a light check each minute where there is one.
 * A VM for which nobody ever waited has no readiness.
 */
import PQueue from "npm:p-queue@10.0.0";
import { TrueNASError } from "../../errors/errors.ts";
import { notifyEach, runDetached } from "../../errors/unhandled_errors.ts";
import { portOf } from "../../first_boot/readiness/planned_ready.ts";
import type { ProbePort } from "../../first_boot/readiness/probe_port.ts";
import type { Readiness } from "../../first_boot/types.ts";
import type { Vm } from "../../inventory/inventory.ts";
import type { LiveInventory } from "../../inventory/live_inventory.ts";
import type { Logger } from "../../observability/logging.ts";
import { seenBy, seenByAll, type SeenReadiness } from "../record/readiness_of.ts";
import type { OperationStore } from "../record/store.ts";

/** Where it comes from. */
export interface NodeReadinessOptions {
  /** The operations, which know what was seen of each VM. */
  readonly store: OperationStore;
  /** The VMs on the NAS. */
  readonly live: LiveInventory;
  /** Asks ports of guests. */
  readonly probe: ProbePort;
  /** The address that a guest's agent tells; null where TrueNAS does not ask agents, or while there is no connection. */
  readonly askAgent: () => ((vm: Vm) => Promise<string | null>) | null;
  /** Where failures are written. */
  readonly logger: Logger;
  /** Milliseconds between two checks of a VM; default a minute. */
  readonly checkMs?: number;
}

const CHECK_MS = 60_000;
/** Not all VMs are asked at once: within this part of the time between two checks. */
const SPREAD = 0.25;
/** A node that is busy for a moment is asked again before it counts as lost. */
const AGAIN_MS = 3_000;
const PROBE_MS = 3_000;
const CHECKS_AT_ONCE = 8;
/** An answer that changes nothing is announced this often, which keeps its displayed age right with little traffic. */
const AGE_MS = 300_000;

interface Known extends SeenReadiness {
  /** Whether the VM was off since, so that what was seen before is over. */
  readonly isOver: boolean;
  /** When it was last announced, in milliseconds since 1970 (UTC). */
  readonly toldAt: number;
}

/** Knows which VMs answer; see the file's comment. */
export class NodeReadiness {
  readonly #options: NodeReadinessOptions;
  readonly #known = new Map<string, Known>();
  readonly #listeners = new Set<(vm: Vm) => void>();
  readonly #queue = new PQueue({ concurrency: CHECKS_AT_ONCE });
  readonly #end: (() => void)[];
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** Knows what the journal knows, and follows the operations; checks nothing yet. */
  constructor(options: NodeReadinessOptions) {
    this.#options = options;
    const { store, live } = options;
    for (const [uuid, seen] of seenByAll(store.list())) this.#known.set(uuid, known(seen));
    this.#end = [
      store.onEvent(({ vms }, event) => {
        if ((event.type !== "step" && event.type !== "sign") || event.step !== "ready") return;
        const seen = seenBy(vms.find(({ name }) => name === event.vm) ?? { ...NO_VM, name: event.vm });
        if (seen !== null) this.#set(known(seen));
      }),
      live.onChange((change) => {
        for (const vm of change.type === "changed" ? [change.vm] : live.snapshot.vms ?? []) this.#notice(vm);
      }),
    ];
  }

  /** Whether a VM answers; null when nobody ever waited for it, or it is off. */
  of({ uuid, state }: Pick<Vm, "uuid" | "state">): Readiness | null {
    const one = uuid === null ? undefined : this.#known.get(uuid);
    if (one === undefined) return null;
    if (one.readiness.state === "waiting") return one.readiness;
    return state === "RUNNING" ? one.readiness : null;
  }

  /** Calls the listener with each VM whose readiness has changed, until the returned function is called. */
  onChange(listener: (vm: Vm) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How many running VMs are in which state; those that nobody waited for are left out. */
  count(): ReadonlyMap<Readiness["state"], number> {
    const counts = new Map<Readiness["state"], number>();
    for (const vm of this.#options.live.snapshot.vms ?? []) {
      const readiness = this.of(vm);
      if (readiness !== null) counts.set(readiness.state, (counts.get(readiness.state) ?? 0) + 1);
    }
    return counts;
  }

  /** Checks each minute from now on, until {@link close}. */
  start(): void {
    const { checkMs = CHECK_MS, logger } = this.#options;
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setInterval(
      () => runDetached(this.check(), "checking which nodes answer", logger),
      checkMs,
    );
  }

  /** Checks all VMs for which there is a check. */
  async check(): Promise<void> {
    const { checkMs = CHECK_MS, live, store } = this.#options;
    const checked = (live.snapshot.vms ?? []).filter((vm) =>
      vm.state === "RUNNING" && this.#isChecked(vm) && store.busy(vm.name) === null
    );
    await Promise.all(checked.map(async (vm) => {
      await pause(Math.random() * SPREAD * checkMs);
      await this.#queue.add(() => this.#check(vm));
    }));
  }

  /** Stops. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#queue.clear();
    for (const end of this.#end) end();
    this.#listeners.clear();
  }

  #isChecked({ uuid }: Vm): boolean {
    const one = uuid === null ? undefined : this.#known.get(uuid);
    if (one === undefined || one.readiness.state === "waiting") return false;
    return one.when === "agent" || portOf(one.when) !== null;
  }

  async #check(vm: Vm): Promise<void> {
    if (vm.uuid === null) return;
    const address = await this.#askTwice(vm);
    const one = this.#known.get(vm.uuid);
    // A VM that was stopped meanwhile does not answer, and is not lost.
    const isOn = this.#options.live.snapshot.vms?.find(({ id }) => id === vm.id)?.state === "RUNNING";
    if (address === undefined || this.#closed || one === undefined || !isOn) return;
    if (one.readiness.state === "waiting") return;
    const now = this.#options.store.now();
    const readiness: Readiness = address === null
      ? { ...one.readiness, state: "lost", by: null }
      : { state: "ready", address, by: one.when, at: now };
    this.#set({ ...one, readiness, isOver: false });
  }

  async #askTwice(vm: Vm): Promise<string | null | undefined> {
    const { checkMs = CHECK_MS } = this.#options;
    try {
      const first = await this.#ask(vm);
      if (first !== null) return first;
      await pause(AGAIN_MS * (checkMs / CHECK_MS));
      return await this.#ask(vm);
    } catch (error) {
      // The connection to the NAS was lost, which says nothing about the node.
      if (error instanceof TrueNASError) return undefined;
      throw error;
    }
  }

  /** The address at which it answers; null when it does not; undefined when that cannot be found out at the moment. */
  async #ask(vm: Vm): Promise<string | null | undefined> {
    const one = this.#known.get(vm.uuid ?? "");
    if (one === undefined) return undefined;
    const port = portOf(one.when);
    if (port === null) return await this.#options.askAgent()?.(vm);
    const { address } = one.readiness;
    const known = [address, ...vm.nics.map(({ ip }) => ip?.address ?? null)];
    const addresses = [...new Set(known.filter((it) => it !== null))];
    if (addresses.length === 0) return undefined;
    for (const address of addresses) {
      const { state } = await this.#options.probe({ address, port, timeoutMs: PROBE_MS });
      if (state === "open") return address;
    }
    return null;
  }

  /** What was seen before a VM was off says nothing about it any longer. */
  #notice({ uuid, state }: Vm): void {
    const one = uuid === null ? undefined : this.#known.get(uuid);
    if (one === undefined || one.readiness.state === "waiting") return;
    if (state !== "RUNNING" && !one.isOver) this.#known.set(one.uuid, { ...one, isOver: true });
    if (state !== "RUNNING" || !one.isOver) return;
    // It runs again, and has not answered yet.
    const readiness: Readiness = { ...one.readiness, state: "unknown", by: null };
    this.#known.set(one.uuid, { ...one, readiness, isOver: false });
  }

  #set(one: Known): void {
    const before = this.#known.get(one.uuid);
    const { state, address, at } = one.readiness;
    const isOld = (at ?? 0) - (before?.toldAt ?? 0) >= AGE_MS;
    const isNew = before?.readiness.state !== state || before.readiness.address !== address || isOld;
    this.#known.set(one.uuid, { ...one, toldAt: isNew ? at ?? 0 : before.toldAt });
    const vm = this.#options.live.snapshot.vms?.find(({ uuid }) => uuid === one.uuid);
    if (isNew && vm !== undefined) notifyEach(this.#listeners, (told) => told(vm), this.#options.logger);
  }
}

const NO_VM = { summary: "", vmId: null, outcome: null, message: null, steps: [] } as const;

function known(seen: SeenReadiness): Known {
  return { ...seen, isOver: false, toldAt: seen.readiness.at ?? 0 };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
