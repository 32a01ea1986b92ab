/**
 * Begins operations, one that writes at a time, and ends them: the words of the log, the VMs several at once, the
 * choices that a person has afterwards.
 */
import { type Problem, TrueNASError } from "../errors/errors.ts";
import type { Vm } from "../inventory/inventory.ts";
import type { Logger } from "../observability/logging.ts";
import type { OrphanPlan, OrphanZvol } from "../plan/orphans.ts";
import { inRemovalOrder } from "../plan/removal.ts";
import type { RollBackVm } from "../plan/roll_back.ts";
import type { CreationPlan, DestructionPlan, DestructionVm, PlannedVm } from "../plan/types.ts";
import type { TemplateManager } from "../template_manager.ts";
import type { Caller } from "../truenas/client.ts";
import { MAX_RUNNING_CALLS } from "../truenas/connection/protocol.ts";
import { formatCount } from "../units.ts";
import { VM_ACTIONS, type VmActionName } from "../inventory/vm_actions.ts";
import { type ActionRequest, actOnVm } from "./steps/act_on_vm.ts";
import { type ChangedVm, changeVm, titleOf, type VmChange } from "./steps/change_vm.ts";
import { type CancelMode, createVm } from "./steps/create_vm.ts";
import { destroyVm, destructionSteps } from "./steps/destroy_vm.ts";
import type { OperationLog } from "./log.ts";
import { MemoryReservation } from "./memory_reservation.ts";
import { RefusedPorts } from "./steps/refused_ports.ts";
import {
  CallLimiter,
  type Concurrency,
  forEachLimited,
  type LimitedCallerOptions,
  type Limits,
  SINGLE_VM_PRIORITY,
} from "./limiter.ts";
import { recoveryOf, remainingSettleMs } from "./recovery.ts";
import { removeZvol, zvolRemovalSteps } from "./steps/remove_zvol.ts";
import { DEFAULT_SETTLE_TIMEOUTS, describeError, pause, type SettleTimeouts } from "./steps/run_step.ts";
import type { OperationStore } from "./store.ts";
import { describeVm, describeVmToDestroy, overallStatus, reportUntouched } from "./summary.ts";
import type { Actor, OperationEvent, OperationRequest, OperationView, Resolution } from "./types.ts";
import { undoVm } from "./steps/undo_vm.ts";

/** Told of every fact of an operation as it happens: each step as it starts and as it ends. */
export type Observer = (event: OperationEvent) => void;

/** Options of a run. */
export interface RunOptions {
  /** Told of every fact as it happens. */
  readonly observer?: Observer;
  /** Who asks for it, for the audit log. */
  readonly by?: Actor;
  /**
   * Cancels: calls in flight end, nothing new starts, and VMs that are half made are rolled back, or kept when the
   * signal's reason is `keep`.
   */
  readonly signal?: AbortSignal;
}

/** An operation under way. */
export interface RunningOperation {
  /** Its log so far, to follow. */
  readonly log: OperationLog;
  /** Resolves when it has finished; it never rejects. */
  readonly finished: Promise<OperationView>;
}

/** A change under way. */
export interface RunningChange extends RunningOperation {
  /** What stands against it, at its field; resolves with nothing once it is done. */
  readonly problems: Promise<readonly Problem[]>;
}

/** Either an operation was begun, or the plan is not the one that was shown any more. */
export type StartedOrReplanned<Plan> =
  | { readonly started: true; readonly operation: RunningOperation }
  | { readonly started: false; readonly plan: Plan };

/** What operations work with. */
export interface RunnerOptions {
  readonly caller: Caller;
  /** The templates of a VM type, with what it overrides. */
  readonly templates: (request: OperationRequest | null, type: string) => TemplateManager;
  readonly store: OperationStore;
  /** Whether the NAS deletes one VM at a time, with its zvols. */
  readonly serialDeletes: () => boolean;
  /** VMs worked on at once; default 20, so that the calls of others fill the limit while some wait for answers. */
  readonly parallel?: number;
  readonly settle?: SettleTimeouts;
  readonly logger: Logger;
}

/** What a creation is told beside its plan. */
export interface Creation {
  readonly plan: CreationPlan;
  readonly request: OperationRequest;
  /** The displays' password; it goes to the NAS and nowhere else. */
  readonly displayPassword: string;
}

/** What is known of a destruction beside its plan. */
export interface Destruction {
  /** Its VMs' destruction had begun earlier; default false. */
  readonly resumed?: boolean;
  /** What the plan was made from, when that was read for this: the first VMs are not looked at again. */
  readonly read?: readonly Vm[];
}

/** Runs operations; see the file's comment. */
export class OperationRunner {
  readonly #options: RunnerOptions;
  readonly #limiter: CallLimiter;
  readonly #memory: MemoryReservation;
  /** Display ports that the NAS refused; plans step over them. */
  readonly refusedPorts = new RefusedPorts();
  /** One operation writes at a time: the next waits for this. */
  #last: Promise<unknown> = Promise.resolve();
  #writing: OperationLog | null = null;
  /** What is under way, by the operation's id. */
  readonly #running = new Map<string, { cancel: AbortController; finished: Promise<OperationView> }>();
  #closing: "open" | "closing" | "abandoned" = "open";
  /** What takes up an operation, by that one's id, while it is under way. */
  readonly #recoveries = new Map<string, Promise<RunningOperation | null>>();

  /** Begins nothing yet. */
  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#limiter = new CallLimiter(options.caller, {
      serialDeletes: options.serialDeletes,
      logger: options.logger,
    });
    this.#memory = new MemoryReservation(options.caller);
  }

  /** How many calls of operations run at once. */
  get concurrency(): Concurrency {
    return this.#limiter.concurrency;
  }

  /** Calls the listener with each change of the limit, until the returned function is called. */
  onConcurrency(listener: () => void): () => void {
    return this.#limiter.onConcurrency(listener);
  }

  /** The operation that writes now, or null. */
  get writing(): OperationLog | null {
    return this.#writing;
  }

  /** Resolves when nothing writes any more, or when what writes was let go. */
  async idle(): Promise<void> {
    if (this.#closing !== "abandoned") await this.#last;
  }

  /** Runs one after another whatever writes; reading for the plan is part of it, so that no plan is stale. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Plans again when its turn comes, and begins if the plan is still the one that was shown. */
  async startIfUnchanged<Plan extends { readonly fingerprint: string }>(
    makePlan: () => Promise<Plan>,
    shown: string,
    run: (plan: Plan) => RunningOperation,
  ): Promise<StartedOrReplanned<Plan>> {
    return await this.#first<StartedOrReplanned<Plan>>(async (notify) => {
      const plan = await makePlan();
      if (plan.fingerprint !== shown) return notify({ started: false, plan });
      const operation = run(plan);
      notify({ started: true, operation });
      await operation.finished;
    });
  }

  /**
   * Takes up again what did not end as it should: when it is its turn, and every call of unknown outcome has had its
   * time, `run` begins it. Asked again meanwhile, it is the same one. Null when there is nothing of that kind to do.
   */
  recover(
    operationId: string,
    how: "resumed" | "rolled-back",
    run: Recover,
  ): Promise<RunningOperation | null> {
    const started = this.#recoveries.get(operationId) ?? this.#recover(operationId, how, run);
    this.#recoveries.set(operationId, started);
    return started;
  }

  async #recover(
    operationId: string,
    how: "resumed" | "rolled-back",
    run: Recover,
  ): Promise<RunningOperation | null> {
    return await this.#first<RunningOperation | null>(async (notify) => {
      try {
        const log = this.#options.store.get(operationId);
        if (log === undefined || !isOpen(log.view, how)) return notify(null);
        await pause(remainingSettleMs(log.view, this.#options.store.now(), this.#settle.settleMs));
        const operation = await run(log.view);
        notify(operation);
        const { status } = await operation.finished;
        // One that did not end well leaves the decision open.
        if (status === "done") this.#resolve(log, { how, operation: operation.log.id });
      } finally {
        this.#recoveries.delete(operationId);
      }
    });
  }

  /** Leaves what an operation made as it is; false when there is nothing to decide. */
  leave(operationId: string): boolean {
    const log = this.#options.store.get(operationId);
    if (log === undefined) return false;
    const { resumable, removable } = recoveryOf(log.view);
    if (resumable.length + removable.length === 0) return false;
    this.#resolve(log, { how: "left" });
    return true;
  }

  /** Cancels an operation that was begun here; false when there is no such operation, or it is over. */
  cancel(operationId: string, mode: CancelMode): boolean {
    const running = this.#running.get(operationId);
    running?.cancel.abort(mode);
    return running !== undefined;
  }

  /**
   * Begins nothing more, and ends what is under way: it may finish for a while; then it is cancelled, so that calls in
   * flight end and nothing new starts; what is not over then is let go, and the journal tells the next program.
   *
   * @returns what was let go.
   */
  async drain({ finishMs, cancelMs }: DrainTimes): Promise<readonly OperationView[]> {
    this.#closing = "closing";
    const over = () => Promise.all([...this.#running.values()].map(({ finished }) => finished));
    if (await within(over(), finishMs)) return [];
    for (const { cancel } of this.#running.values()) cancel.abort("keep");
    if (await within(over(), cancelMs)) return [];
    this.#closing = "abandoned";
    return [...this.#running.keys()].flatMap((id) => this.#options.store.get(id)?.view ?? []);
  }

  /** Carries out a plan to create. */
  create({ plan, request, displayPassword }: Creation, options: RunOptions = {}): RunningOperation {
    const active = plan.vms.filter(({ steps }) => steps.length > 0);
    const log = this.#open(options, {
      kind: "create",
      title: `Create ${formatCount(active.length, "VM")}`,
      vms: plan.vms.map((vm) => ({ name: vm.name, steps: vm.steps, summary: describeVm(vm) })),
      request,
    });
    for (const vm of plan.vms.filter(({ steps }) => steps.length === 0)) reportUntouched(log, vm);
    const templates = new Map(
      active.map(({ type }) => [type, this.#options.templates(request, type)] as const),
    );
    const templatesOf = (type: string) => templates.get(type) ?? this.#options.templates(request, type);
    const group = ({ type, parallel }: PlannedVm) => ({ name: type, concurrency: parallel ?? Infinity });
    const stop = new AbortController();
    const zvols = { mayCreate: true };
    const ports = { refused: this.refusedPorts, allocator: this.refusedPorts.allocatorFor(plan.vms) };
    const work = (signal: AbortSignal) => {
      const context = {
        ...this.#context(log, { signal }),
        templates: templatesOf,
        displayPassword,
        signal,
      };
      return (vm: PlannedVm) => createVm({ ...context, stop, zvols, ports }, vm);
    };
    return this.#run(log, { items: active, group, work, options });
  }

  /** Carries out a plan to destroy. */
  destroy(
    plan: Pick<DestructionPlan, "vms" | "keepDisks" | "shutdown">,
    options: RunOptions = {},
    { resumed = false, read = [] }: Destruction = {},
  ): RunningOperation {
    const { keepDisks, shutdown } = plan;
    const order = { keyOf: keyOfVm, afterOf: ({ after }: DestructionVm) => after.map(String) };
    const vms = inRemovalOrder(plan.vms, order);
    const zvols = new Set(vms.flatMap((vm) => vm.zvols.map(({ name }) => name))).size;
    const log = this.#open(options, {
      kind: "destroy",
      title: `Destroy ${formatCount(vms.length, "VM")} and ${formatCount(zvols, "zvol")}`,
      vms: plan.vms.map((vm) => ({
        name: vm.name,
        steps: destructionSteps(shutdown, vm),
        summary: describeVmToDestroy(vm),
      })),
      request: { kind: "destroy", vms: plan.vms, keepDisks, shutdown },
    });
    // Those that are begun at once need not be looked at again.
    const atOnce = new Set(vms.slice(0, this.#parallel).map(({ id }) => id));
    const known = new Map(read.filter(({ id }) => atOnce.has(id)).map((vm) => [vm.id, vm]));
    const work = (signal: AbortSignal) => {
      const context = { ...this.#context(log, { signal }), signal, shutdown, resumed };
      return inTurn(
        order,
        (vm: DestructionVm, after) => destroyVm({ ...context, after, known: known.get(vm.id) ?? null }, vm),
      );
    };
    return this.#run(log, { items: vms, work, options });
  }

  /** Removes everything that an operation made, or may have made, of VMs that its view calls removable. */
  undo(
    view: OperationView,
    options: RunOptions = {},
    shown: readonly RollBackVm[] = [],
  ): RunningOperation {
    const { removable } = recoveryOf(view);
    const log = this.#open(options, {
      kind: "undo",
      title: `Roll back: ${view.title}`,
      vms: removable.map(({ name, summary }) => ({ name, steps: ["look"], summary })),
    });
    const context = this.#context(log);
    const work = () => (vm: OperationView["vms"][number]) => {
      const own = shown.find(({ name }) => name === vm.name) ?? null;
      return undoVm(context, vm, { operation: view.id, shown: own });
    };
    return this.#run(log, { items: removable, work, options });
  }

  /** Removes orphans: half-made VMs first, then zvols, but clones before what they are clones of. */
  clean({ vms, zvols }: OrphanPlan, options: RunOptions = {}): RunningOperation {
    const alone = zvols.known ? zvols.value : [];
    const log = this.#open(options, {
      kind: "clean",
      title: `Remove ${formatCount(vms.length, "unfinished VM")} and ${
        formatCount(alone.length, "unused zvol")
      }`,
      vms: [
        ...vms.map((vm) => ({
          name: vm.name,
          steps: destructionSteps(false, vm),
          summary: describeVmToDestroy(vm),
        })),
        ...alone.map((zvol) => ({
          name: zvol.name,
          steps: zvolRemovalSteps(zvol),
          summary: "a zvol in no VM",
        })),
      ],
    });
    const order = {
      keyOf: ({ key }: Removal) => key,
      afterOf: ({ after }: Removal) => after,
    };
    const items = inRemovalOrder<Removal>([
      ...vms.map((vm) => ({ key: keyOfVm(vm), after: vm.after.map(String), vm, zvol: null })),
      ...alone.map((zvol) => ({ key: zvol.name, after: zvol.after, vm: null, zvol })),
    ], order);
    const work = (signal: AbortSignal) => {
      const context = { ...this.#context(log, { signal }), signal };
      return inTurn(
        order,
        ({ vm, zvol }: Removal, after) =>
          zvol !== null
            ? removeZvol({ ...context, after }, zvol)
            : destroyVm({ ...context, after, shutdown: false, resumed: false, known: null }, vm),
      );
    };
    return this.#run(log, { items, work, options });
  }

  /** Does one thing with some VMs, beside whatever else is under way: each VM is looked at again before. */
  act(action: VmActionName, requests: readonly ActionRequest[], options: RunOptions = {}): RunningOperation {
    const { verb } = VM_ACTIONS[action];
    const [first] = requests;
    const what = requests.length === 1 && first !== undefined
      ? first.name
      : formatCount(requests.length, "VM");
    const log = this.#open(options, {
      kind: "act",
      title: `${verb} ${what}`,
      vms: requests.map(({ name, state }) => ({ name, steps: [action], summary: state.toLowerCase() })),
    });
    const priority = requests.length === 1 ? { priority: SINGLE_VM_PRIORITY } : {};
    const work = (signal: AbortSignal) => {
      const context = { ...this.#context(log, priority), signal };
      return (request: ActionRequest) => actOnVm(context, request);
    };
    return this.#run(log, { items: requests, work, options, beside: true });
  }

  /** Changes one VM, beside whatever else is under way; what the NAS says against it comes with the result. */
  change(vm: ChangedVm, change: VmChange, options: RunOptions = {}): RunningChange {
    const log = this.#open(options, {
      kind: "change",
      title: `${titleOf(change)} ${vm.name}`,
      vms: [{ name: vm.name, steps: [change.kind], summary: "" }],
    });
    const problems: Problem[] = [];
    const context = this.#context(log, { priority: SINGLE_VM_PRIORITY });
    const work = () => async (it: ChangedVm) => {
      problems.push(...await changeVm(context, it, change));
    };
    const { finished } = this.#run(log, { items: [vm], work, options, beside: true });
    return { log, finished, problems: finished.then(() => problems) };
  }

  get #settle(): SettleTimeouts {
    return this.#options.settle ?? DEFAULT_SETTLE_TIMEOUTS;
  }

  get #parallel(): number {
    return this.#options.parallel ?? 2 * MAX_RUNNING_CALLS;
  }

  /** One for all VMs of an operation, so that what they read at the same time becomes one call. */
  #context(log: OperationLog, { signal, ...options }: LimitedCallerOptions = {}) {
    return {
      caller: this.#limiter.caller(options),
      cancellable: this.#limiter.caller({ ...options, ...(signal === undefined ? {} : { signal }) }),
      memory: this.#memory,
      log,
      settle: this.#settle,
    };
  }

  #resolve(log: OperationLog, resolution: Resolution): void {
    log.append({ type: "resolved", ...resolution });
  }

  /** Runs when its turn comes; resolves with the first thing told, while the turn lasts until the work has ended. */
  async #first<T>(work: (notify: (value: T) => void) => Promise<void>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.exclusive(() => work(resolve)).catch(reject);
    return await promise;
  }

  #open(
    { observer, by }: RunOptions,
    started: Omit<Extract<OperationEvent, { type: "started" }>, "type" | "seq" | "at">,
  ): OperationLog {
    if (this.#closing !== "open") {
      throw new TrueNASError("The program is stopping, so nothing was begun", { outcome: "not-done" });
    }
    const log = this.#options.store.create();
    if (observer !== undefined) log.observe((event) => this.#notify(observer, event));
    log.append({ type: "started", ...(by === undefined ? {} : { by }), ...started });
    return log;
  }

  /** An observer's own error must not stop an operation half-way. */
  #notify(observer: Observer, event: OperationEvent): void {
    try {
      observer(event);
    } catch (error) {
      this.#options.logger.error("An observer of an operation failed", { error: String(error) });
    }
  }

  #run<T>(
    log: OperationLog,
    { items, group, work, options, beside = false }: Work<T>,
  ): RunningOperation {
    const cancel = new AbortController();
    const given = options.signal;
    const onAbort = () => cancel.abort(given?.reason);
    if (given?.aborted) onAbort();
    given?.addEventListener("abort", onAbort, { once: true });
    const limits = { concurrency: this.#parallel, ...(group === undefined ? {} : { group }) };
    const finish = async () => {
      try {
        await forEachLimited(items, limits, work(cancel.signal));
        log.append({ type: "finished", status: overallStatus(log.view) });
      } catch (error) {
        log.append({ type: "finished", status: "failed", message: describeError(error).message });
        this.#options.logger.error("An operation ended in an error of this program", {
          error: String(error),
        });
      } finally {
        if (!beside) this.#writing = null;
        this.#running.delete(log.id);
        given?.removeEventListener("abort", onAbort);
      }
      return log.view;
    };
    // Begun in a moment, so that it is in the books before it can be over.
    const finished = Promise.resolve().then(finish);
    this.#running.set(log.id, { cancel, finished });
    if (!beside) this.#writing = log;
    return { log, finished };
  }
}

function keyOfVm({ id }: DestructionVm): string {
  return String(id);
}

/** A VM to destroy, or a zvol that is in no VM. */
type Removal =
  & { readonly key: string; readonly after: readonly string[] }
  & (
    | { readonly vm: DestructionVm; readonly zvol: null }
    | { readonly vm: null; readonly zvol: OrphanZvol }
  );

/** How removals follow each other: each is started after those that have to be gone before. */
interface RemovalOrder<T> {
  readonly keyOf: (item: T) => string;
  readonly afterOf: (item: T) => readonly string[];
}

/** Tells each removal when those that have to be gone before have ended. */
function inTurn<T>(
  { keyOf, afterOf }: RemovalOrder<T>,
  remove: (item: T, after: Promise<unknown>) => Promise<void>,
): (item: T) => Promise<void> {
  const started = new Map<string, Promise<void>>();
  return (item) => {
    const removal = remove(item, Promise.allSettled(afterOf(item).map((key) => started.get(key))));
    started.set(keyOf(item), removal);
    return removal;
  };
}

/** How long what is under way may go on when the program stops, in milliseconds. */
export interface DrainTimes {
  /** To finish by itself. */
  readonly finishMs: number;
  /** To end once it was cancelled. */
  readonly cancelMs: number;
}

/** Whether it was over in time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  const over = await Promise.race([work.then(() => true), promise]);
  clearTimeout(timer);
  return over;
}

/** Begins what takes up an operation. */
export type Recover = (view: OperationView) => Promise<RunningOperation>;

interface Work<T> {
  readonly items: readonly T[];
  readonly group?: Limits<T>["group"];
  readonly work: (signal: AbortSignal) => (item: T) => Promise<void>;
  readonly options: RunOptions;
  /** Runs beside the one operation that writes. */
  readonly beside?: boolean;
}

function isOpen(view: OperationView, how: "resumed" | "rolled-back"): boolean {
  const { resumable, removable } = recoveryOf(view);
  return (how === "resumed" ? resumable : removable).length > 0;
}
