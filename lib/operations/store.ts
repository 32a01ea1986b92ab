/** The operations, newest kept when there are too many. */
import { type Logger, silentLogger } from "../observability/logging.ts";
import { notifyEach } from "../errors/unhandled_errors.ts";
import type { JournalEvidence } from "../plan/destruction.ts";
import type { OperationJournal } from "./journal.ts";
import { OperationLog } from "./log.ts";
import { needsDecision, recoveryOf } from "./recovery.ts";
import { overallStatus } from "./summary.ts";
import { isVmAction, VM_ACTIONS } from "../inventory/vm_actions.ts";
import type { OperationEvent, OperationKind, OperationView, OperationVmView, StepView } from "./types.ts";
import type { PlannedMacs } from "../plan/creation_input.ts";

/** Operations kept: a few hundred kilobytes of log each at most. */
export const MAX_OPERATIONS = 200;

/** Those about which somebody has still to decide are kept beyond that, up to here. */
export const MAX_WITH_UNDECIDED = 400;

/** Of so many the events are kept in memory, where there is a journal to read the others in. */
const MAX_IN_MEMORY = 10;

/** Holds the logs. */
export class OperationStore {
  readonly #logs = new Map<string, OperationLog>();
  readonly #running = new Set<OperationLog>();
  /** Those that ended last. */
  readonly #inMemory: OperationLog[] = [];
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  readonly #journal: OperationJournal | null;
  readonly #logger: Logger;
  readonly #listeners = new Set<(view: OperationView, event: OperationEvent) => void>();

  /**
   * `now` gives milliseconds since 1970 (UTC). With a journal, earlier operations are there again, and those that
   * were running when the program ended are interrupted: what is known of them is told, and what is not.
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
      if (log.view.status === "running") interrupt(log);
      else this.#ended(log);
    }
    this.#forgetOldest();
  }

  /** A new, empty log under a new id. */
  create(): OperationLog {
    const log = this.#open(crypto.randomUUID().slice(0, 8));
    this.#forgetOldest();
    return log;
  }

  #open(id: string): OperationLog {
    const journal = this.#journal;
    const book = journal === null ? null : {
      write: (event: OperationEvent) => journal.append(id, event),
      written: () => journal.written(),
      read: () => journal.read(id),
    };
    const log = new OperationLog(id, this.now, book);
    log.observe((event) => {
      if (event.type === "started") this.#running.add(log);
      if (event.type === "finished") {
        this.#running.delete(log);
        this.#ended(log);
      }
      notifyEach(this.#listeners, (listener) => listener(log.view, event), this.#logger);
    });
    this.#logs.set(id, log);
    return log;
  }

  /** Only of the latest operations the events stay in memory: people follow those. */
  #ended(log: OperationLog): void {
    this.#inMemory.push(log);
    if (this.#inMemory.length > MAX_IN_MEMORY) this.#inMemory.shift()?.release();
  }

  /** Calls the listener after each event of any operation, until the returned function is called. */
  onEvent(listener: (view: OperationView, event: OperationEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What is being done to a VM of this name now, or null. */
  busy(name: string): Busy | null {
    for (const { view } of this.#running) {
      const vm = view.vms.find((it) => it.name === name && it.outcome === null);
      if (vm === undefined) continue;
      const over = vm.steps.filter(({ status }) => status !== "pending" && status !== "running").length;
      return { operation: view.id, doing: doing(view, vm), over, steps: vm.steps.length };
    }
    return null;
  }

  /** The log of an operation, or undefined when there is none of that id. */
  get(id: string): OperationLog | undefined {
    return this.#logs.get(id);
  }

  /** Every operation, newest first. */
  list(): readonly OperationView[] {
    return [...this.#logs.values()].map(({ view }) => view).toReversed();
  }

  /** What the operations saw made, for telling whose a VM is. */
  evidence(): JournalEvidence {
    const all = this.#steps().flatMap(({ evidence }) => evidence === null ? [] : [evidence]);
    return {
      uuids: new Set(all.flatMap(({ uuid }) => uuid === undefined ? [] : [uuid])),
      zvols: new Set(all.flatMap(({ zvol }) => zvol === undefined ? [] : [zvol])),
    };
  }

  /** The MACs with which a VM of this name was last planned; null when no creation tells. */
  plannedMacs(name: string): PlannedMacs | null {
    for (const { request } of this.list()) {
      const macs = request?.kind === "create" ? request.macs?.[name] : undefined;
      if (macs !== undefined) return macs;
    }
    return null;
  }

  /** The uuids of VMs that a creation left unfinished, and about which nobody has decided, and of half-made clones. */
  unfinished(): ReadonlySet<string> {
    const vms = [...this.#logs.values()].flatMap(({ view }) => recoveryOf(view).removable);
    const unfinished = vms.filter(({ outcome }) => outcome !== "created");
    const clones = this.#steps().filter(({ step, status }) => step === "clone" && status === "failed");
    return new Set([
      ...unfinished.flatMap(uuidsOf),
      ...clones.flatMap(({ evidence }) => evidence?.uuid ?? []),
    ]);
  }

  /**
   * The uuids of VMs that a creation made and that no operation is known to have started since. Others may have
   * started them all the same: only the NAS can tell of that.
   */
  neverStarted(): ReadonlySet<string> {
    const made = new Map<string, OperationVmView>();
    for (const { view } of this.#logs.values()) {
      for (const vm of view.vms) {
        if (hasRun(view, vm)) forgetVm(made, vm);
        else if (view.kind === "create") { for (const uuid of uuidsOf(vm)) made.set(uuid, vm); }
      }
    }
    return new Set(made.keys());
  }

  /** Ids of the operations under way, and the uuids that they gave, or whose VMs they destroy. */
  running(): { readonly operations: ReadonlySet<string>; readonly uuids: ReadonlySet<string> } {
    const views = [...this.#logs.values()].map(({ view }) => view).filter(({ status }) =>
      status === "running"
    );
    const steps = views.flatMap(({ vms }) => vms.flatMap(({ steps }) => steps));
    const made = steps.flatMap(({ evidence }) => evidence?.uuid ?? []);
    const toDestroy = views.flatMap(({ request }) => request?.kind === "destroy" ? request.vms : []);
    return {
      operations: new Set(views.map(({ id }) => id)),
      uuids: new Set([...made, ...toDestroy.flatMap(({ uuid }) => uuid ?? [])]),
    };
  }

  #steps(): readonly StepView[] {
    return [...this.#logs.values()].flatMap(({ view }) => view.vms.flatMap(({ steps }) => steps));
  }

  #forgetOldest(): void {
    this.#forget(MAX_OPERATIONS, (view) => !isUndecided(view));
    this.#forget(MAX_WITH_UNDECIDED, () => true);
  }

  #forget(most: number, may: (view: OperationView) => boolean): void {
    for (const [id, { view }] of this.#logs) {
      if (this.#logs.size <= most) return;
      if (view.status === "running" || !may(view)) continue;
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
  /** Steps that are over. */
  readonly over: number;
  /** All its steps. */
  readonly steps: number;
}

/** Whether it left something about which nobody has decided. */
function isUndecided(view: OperationView): boolean {
  const isLeft = ({ outcome }: OperationVmView) => outcome === "left-behind" || outcome === "cancelled-kept";
  return needsDecision(view) || recoveryOf(view).removable.some(isLeft);
}

/** Whether an operation shows that a VM runs or ran: it was seen to start, or was asked for what only a VM in use is. */
function hasRun({ kind }: OperationView, { steps }: OperationVmView): boolean {
  if (kind === "act") return steps.some(({ step, startedAt }) => step !== "detach" && startedAt !== null);
  return steps.some(({ step, status }) =>
    step === "start" && (status === "done" || status === "rolled-back")
  );
}

function uuidsOf({ steps }: OperationVmView): readonly string[] {
  return steps.flatMap(({ evidence }) => evidence?.uuid ?? []);
}

/** An operation names a VM, and knows its id only once it has ended: either is enough to doubt that it never ran. */
function forgetVm(made: Map<string, OperationVmView>, { name, vmId }: OperationVmView): void {
  for (const [uuid, vm] of made) {
    if (vm.name === name || (vmId !== null && vm.vmId === vmId)) made.delete(uuid);
  }
}

const DOING = {
  create: "Creating",
  destroy: "Destroying",
  undo: "Rolling back",
  clean: "Removing",
  change: "Changing",
} as const satisfies Record<Exclude<OperationKind, "act">, string>;

function doing({ kind }: OperationView, { steps }: OperationVmView): string {
  if (kind !== "act") return DOING[kind];
  const action = steps[0]?.step ?? "";
  return isVmAction(action) ? VM_ACTIONS[action].doing : "Working";
}

/** Ends the log of an operation whose program is gone: a step that was running has an unknown outcome. */
function interrupt(log: OperationLog): void {
  // Only the last word is missing: everything that it was to do had ended.
  if (log.view.vms.length > 0 && log.view.vms.every(({ outcome }) => outcome !== null)) {
    log.append({ type: "finished", status: overallStatus(log.view) });
    return;
  }
  for (const vm of log.view.vms.filter(({ outcome }) => outcome === null)) {
    const open = vm.steps.filter(({ status }) => status === "running");
    for (const { step } of open) {
      const error = {
        message: "The program ended during this step; whether it took effect is not known",
        outcome: "unknown",
      } as const;
      log.append({ type: "step", vm: vm.name, step, status: "failed", error });
    }
    for (const { step } of vm.steps.filter(({ status }) => status === "pending")) {
      log.append({ type: "step", vm: vm.name, step, status: "skipped" });
    }
    log.append({ type: "vm", vm: vm.name, outcome: "interrupted", message: describeInterrupted(vm) });
  }
  const message =
    "The program ended before the operation did. Below is what the journal tells of it; look at the VMs on the NAS";
  log.append({ type: "finished", status: "interrupted", message });
}

function describeInterrupted({ steps }: OperationVmView): string {
  const done = steps.filter(({ status }) => status === "done").map(({ step, detail }) =>
    detail === null ? step : `${step} (${detail})`
  );
  const unknown = steps.filter(({ status }) => status === "running").map(({ step, makes }) =>
    makes === null ? step : `${step} (${makes})`
  );
  const parts = [done.length === 0 ? "No step was done" : `Done: ${done.join(", ")}`];
  if (unknown.length > 0) parts.push(`Not known: ${unknown.join(", ")}`);
  return parts.join(". ");
}
