/** Holds the logs of operations, up to a limit, and continues those of an earlier program from the journal. */
import { notifyEach } from "../../errors/unhandled_errors.ts";
import { isVmAction, VM_ACTIONS } from "../../inventory/vm_actions.ts";
import { type Logger, silentLogger } from "../../observability/logging.ts";
import type { OperationJournal } from "./journal.ts";
import { OperationLog } from "./log.ts";
import { overallStatus } from "../summary.ts";
import {
  isActive,
  type OperationEvent,
  type OperationKind,
  type OperationView,
  type OperationVmView,
} from "../types.ts";
import { isUndecided } from "./undecided.ts";

/** Operations kept. */
export const MAX_OPERATIONS = 200;

/** Operations kept if the oldest ones still need a decision. */
export const MAX_WITH_UNDECIDED = 400;

/** Operations whose events stay in memory; those of others are read from the journal. */
const MAX_IN_MEMORY = 10;

/** Holds the logs of operations; see the file's comment. */
export class OperationStore {
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** By id, oldest first. */
  readonly #logs = new Map<string, OperationLog>();
  /** Finished operations whose events are in memory, oldest first. */
  readonly #inMemory: OperationLog[] = [];
  readonly #journal: OperationJournal | null;
  readonly #logger: Logger;
  readonly #listeners = new Set<(view: OperationView, event: OperationEvent) => void>();

  /**
   * Loads earlier operations from the journal, if there is one; those that were running become `interrupted`.
   *
   * @param now Milliseconds since 1970 (UTC).
   * @throws {ConfigurationError} when the journal is damaged.
   */
  constructor(
    now: () => number = Date.now,
    journal: OperationJournal | null = null,
    logger: Logger = silentLogger,
  ) {
    this.now = now;
    this.#logger = logger;
    this.#journal = journal;
    for (const { id, events } of journal?.load() ?? []) {
      const log = this.#open(id);
      log.restore(events);
      if (isActive(log.view)) interrupt(log);
      else this.#limitMemory(log);
    }
    this.#forgetOldest();
  }

  /** A new, empty log with a new id. */
  create(): OperationLog {
    const log = this.#open(crypto.randomUUID().slice(0, 8));
    this.#forgetOldest();
    return log;
  }

  #open(id: string): OperationLog {
    const log = new OperationLog(id, this.now, this.#journal);
    log.observe((event) => {
      if (event.type === "finished") this.#limitMemory(log);
      notifyEach(this.#listeners, (listener) => listener(log.view, event), this.#logger);
    });
    this.#logs.set(id, log);
    return log;
  }

  #limitMemory(finished: OperationLog): void {
    this.#inMemory.push(finished);
    if (this.#inMemory.length > MAX_IN_MEMORY) this.#inMemory.shift()?.release();
  }

  /** Calls the listener after each event of any operation, until the returned function is called. */
  onEvent(listener: (view: OperationView, event: OperationEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What a running operation does to the VM of this name, or null. */
  busy(name: string): Busy | null {
    for (const { view } of this.#logs.values()) {
      // The items of an operation on images are images.
      if (!isActive(view) || view.kind === "image" || view.kind === "remove-image") continue;
      const vm = view.vms.find((it) => it.name === name && it.outcome === null);
      if (vm === undefined) continue;
      const finished = vm.steps.filter(({ status }) => status !== "pending" && status !== "running").length;
      const step = vm.steps.find(({ status }) => status === "running")?.step ?? null;
      const creates = (kind: string) =>
        view.kind === "create" ? vm.steps.filter((it) => it.step.startsWith(kind)).length : 0;
      return {
        operation: view.id,
        doing: doing(view, vm),
        finished,
        steps: vm.steps.length,
        step,
        devices: { disks: creates("disk"), nics: creates("nic") },
      };
    }
    return null;
  }

  /** The log of an operation, or undefined when there is none with this id. */
  get(id: string): OperationLog | undefined {
    return this.#logs.get(id);
  }

  /** Every operation, newest first. */
  list(): readonly OperationView[] {
    return [...this.#logs.values()].map(({ view }) => view).toReversed();
  }

  #forgetOldest(): void {
    this.#forget(MAX_OPERATIONS, (view) => !isUndecided(view));
    this.#forget(MAX_WITH_UNDECIDED, () => true);
  }

  #forget(max: number, mayForget: (view: OperationView) => boolean): void {
    for (const [id, { view }] of this.#logs) {
      if (this.#logs.size <= max) return;
      if (isActive(view) || !mayForget(view)) continue;
      this.#logs.delete(id);
      this.#journal?.forget(id);
    }
  }
}

/** What an operation is doing to a VM. */
export interface Busy {
  /** The operation's id. */
  readonly operation: string;
  /** `Creating` */
  readonly doing: string;
  /** Number of finished steps. */
  readonly finished: number;
  /** Number of all steps. */
  readonly steps: number;
  /** The running step, or null between two steps. */
  readonly step: string | null;
  /** How many of each it attaches, which the VM will have once it is done. */
  readonly devices: { readonly disks: number; readonly nics: number };
}

const DOING = {
  create: "Creating",
  destroy: "Destroying",
  undo: "Rolling back",
  clean: "Removing",
  change: "Changing",
  image: "Fetching",
  "remove-image": "Removing",
  checkpoint: "Checkpointing",
  rollback: "Rolling back",
  "remove-checkpoint": "Removing a checkpoint",
} as const satisfies Record<Exclude<OperationKind, "act">, string>;

function doing({ kind }: OperationView, { steps }: OperationVmView): string {
  if (kind !== "act") return DOING[kind];
  const action = steps[0]?.step ?? "";
  return isVmAction(action) ? VM_ACTIONS[action].doing : "Working";
}

/** Ends the log of an operation whose program has ended: a step that was running has an unknown outcome. */
function interrupt(log: OperationLog): void {
  const unfinished = log.view.vms.filter(({ outcome }) => outcome === null);
  if (unfinished.length === 0 && log.view.vms.length > 0) {
    log.append({ type: "finished", status: overallStatus(log.view) });
    return;
  }
  for (const { name, steps } of unfinished) {
    for (const { step, status } of steps) {
      if (status === "running") {
        log.append({ type: "step", vm: name, step, status: "failed", error: INTERRUPTED });
      }
      if (status === "pending") log.append({ type: "step", vm: name, step, status: "skipped" });
    }
    log.append({ type: "vm", vm: name, outcome: "interrupted", message: describeInterrupted(steps) });
  }
  const message =
    "The program ended while this operation was running. The journal shows how far it got; check the VMs in TrueNAS";
  log.append({ type: "finished", status: "interrupted", message });
}

const INTERRUPTED = {
  message: "The program ended during this step, so its outcome is unknown",
  outcome: "unknown",
} as const;

function describeInterrupted(steps: OperationVmView["steps"]): string {
  const describe = (status: "done" | "running") =>
    steps.filter((step) => step.status === status).map(({ step, detail, makes }) => {
      const what = status === "done" ? detail : makes;
      return what === null ? step : `${step} (${what})`;
    }).join(", ");
  const [done, unknown] = [describe("done"), describe("running")];
  return `${done === "" ? "No step was completed" : `Done: ${done}`}${
    unknown === "" ? "" : `. Unknown: ${unknown}`
  }`;
}
