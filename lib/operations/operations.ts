/**
 * The operations of one NAS: started once their plan is the one that was shown, and afterwards cancelled, resumed,
 * rolled back or left.
 */
import { ConfigurationError } from "../errors/errors.ts";
import type { CreationRequest, PlannedMacs } from "../plan/creation_input.ts";
import type { DestructionRequest } from "../plan/destruction.ts";
import type { OrphanPlan } from "../plan/orphans.ts";
import type { RollBackPlan } from "../plan/roll_back.ts";
import type { CreationPlan, DestructionPlan, DestructionVm } from "../plan/types.ts";
import { defaultTypes } from "../plan/wanted.ts";
import type { OperationLog } from "./log.ts";
import type { Concurrency } from "./limiter.ts";
import type { Planner } from "./planner.ts";
import { recoveryOf } from "./recovery.ts";
import { type RunResult, toResult } from "./run_result.ts";
import type {
  Destruction,
  DrainTimes,
  OperationRunner,
  RunningOperation,
  RunOptions,
  StartedOrReplanned,
} from "./runner.ts";
import type { CancelMode } from "./steps/create_vm.ts";
import type { OperationStore } from "./store.ts";
import type { OperationRequest, OperationView } from "./types.ts";

/** What operations are started with. */
export interface OperationsOptions {
  readonly store: OperationStore;
  readonly planner: Planner;
  readonly runner: OperationRunner;
  /** The password of the displays; needed to create. */
  readonly displayPassword: string | null;
}

/** Starts operations; see the file's comment. */
export class Operations {
  /** The operations since this manager was made, and with a journal those before. */
  readonly store: OperationStore;
  readonly #planner: Planner;
  readonly #runner: OperationRunner;
  readonly #options: OperationsOptions;

  /** Starts nothing yet. */
  constructor(options: OperationsOptions) {
    this.store = options.store;
    this.#planner = options.planner;
    this.#runner = options.runner;
    this.#options = options;
  }

  /** The operation that writes now, or null. */
  get writing(): OperationLog | null {
    return this.#runner.writing;
  }

  /** How many calls of operations run at once. */
  get concurrency(): Concurrency {
    return this.#runner.concurrency;
  }

  /** Calls the listener with each change of the limit, until the returned function is called. */
  onConcurrency(listener: () => void): () => void {
    return this.#runner.onConcurrency(listener);
  }

  /**
   * Begins nothing more, and ends what is under way, for a program that has to stop: see {@link DrainTimes}.
   *
   * @returns the operations that were let go; the journal tells the next program of them.
   */
  drain(times: DrainTimes): Promise<readonly OperationView[]> {
    return this.#runner.drain(times);
  }

  /**
   * Plans again and creates, if the plan is still the one that was shown.
   *
   * @throws {TrueNASError} when the plan cannot be made.
   */
  startCreation(
    request: CreationRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<CreationPlan>> {
    const makePlan = () => this.#planner.creation(request);
    return this.#runner.startIfUnchanged(makePlan, shown, (plan) => this.#create(plan, request, options));
  }

  /** Plans again and destroys, if the plan is still the one that was shown. */
  startDestruction(
    request: DestructionRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<DestructionPlan>> {
    let known: Destruction = {};
    const makePlan = async () => {
      const { plan, ...made } = await this.#planner.destruction(request);
      known = made;
      return plan;
    };
    return this.#runner.startIfUnchanged(
      makePlan,
      shown,
      (plan) => this.#runner.destroy(plan, options, known),
    );
  }

  /** Looks again and removes the orphans, if they are still those that were shown. */
  startCleaning(
    left: readonly string[],
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<OrphanPlan>> {
    const makePlan = () => this.#planner.cleaning(left);
    return this.#runner.startIfUnchanged(makePlan, shown, (plan) => this.#runner.clean(plan, options));
  }

  /** Plans and creates at once, when nothing else writes. */
  async create(request: CreationRequest, options: RunOptions = {}): Promise<RunResult> {
    this.#displayPassword();
    return await this.#runner.exclusive(async () => {
      const plan = await this.#planner.creation(request);
      return toResult(await this.#create(plan, request, options).finished);
    });
  }

  /**
   * Destroys what `makePlan` plans when nothing else writes; a VM that is not what the plan says any more is left
   * alone and named.
   */
  async destroy(
    makePlan: () => Promise<{ readonly plan: DestructionPlan } & Destruction>,
    options: RunOptions = {},
  ): Promise<RunResult> {
    return await this.#runner.exclusive(async () => {
      const { plan, ...known } = await makePlan();
      return toResult(await this.#runner.destroy(plan, options, known).finished);
    });
  }

  /**
   * Resumes an operation that was interrupted, cancelled or failed in part: the NAS is read again, and only missing
   * parts are created. A destruction continues with the set that was confirmed, and reads each VM again.
   *
   * @returns null when there is nothing of that operation to take up.
   */
  resume(operationId: string, options: RunOptions = {}): Promise<RunningOperation | null> {
    return this.#runner.recover(operationId, "resumed", (view) => this.#resume(view, options));
  }

  /**
   * Removes everything that an operation made that did not end as it should: VMs by the uuid that they were given,
   * devices that were added, and zvols whose properties name it. A VM that was unfinished and that somebody has
   * started since stays.
   *
   * Snapshots of the zvols go only when they are among those that were shown: then `shown` is the plan.
   *
   * @returns null when there is nothing of that operation to remove.
   */
  rollBack(
    operationId: string,
    options: RunOptions & { readonly shown?: RollBackPlan } = {},
  ): Promise<RunningOperation | null> {
    const run = (view: OperationView) =>
      Promise.resolve(this.#runner.undo(view, options, options.shown?.vms));
    return this.#runner.recover(operationId, "rolled-back", run);
  }

  /** Leaves what an operation made as it is: nothing is asked about it any more. False when there was nothing to decide. */
  leave(operationId: string): boolean {
    return this.#runner.leave(operationId);
  }

  /**
   * Cancels an operation that was begun here: calls in flight end, nothing new starts, and VMs that are half made are
   * rolled back, or kept to be resumed. False when there is no such operation, or it is over.
   */
  cancel(operationId: string, mode: CancelMode = "roll-back"): boolean {
    return this.#runner.cancel(operationId, mode);
  }

  #create(plan: CreationPlan, request: CreationRequest, options: RunOptions = {}): RunningOperation {
    const { configuration, types = defaultTypes(configuration) } = request;
    const asked: OperationRequest = { kind: "create", configuration, types, macs: macsOf(plan) };
    return this.#runner.create({ plan, request: asked, displayPassword: this.#displayPassword() }, options);
  }

  async #resume(view: OperationView, options: RunOptions): Promise<RunningOperation> {
    const { request } = view;
    const names = recoveryOf(view).resumable.map(({ name }) => name);
    if (request?.kind === "destroy") {
      const vms = request.vms.filter(({ name }) => names.includes(name));
      return this.#runner.destroy({ ...request, vms: vms.map(completed) }, options, { resumed: true });
    }
    if (request === null) throw new TypeError("An operation without a request cannot be taken up");
    const plan = await this.#planner.creation(request);
    return this.#create(
      { ...plan, vms: plan.vms.filter(({ name }) => names.includes(name)) },
      request,
      options,
    );
  }

  #displayPassword(): string {
    const { displayPassword } = this.#options;
    if (displayPassword !== null && displayPassword.trim() !== "") return displayPassword;
    throw new ConfigurationError("VNC_PASSWORD", [{
      field: "vncPassword",
      message: "A display password is needed to create VMs; TrueNAS refuses displays without one",
    }]);
  }
}

/** A journal of an earlier version tells nothing of snapshots: none of them was shown. */
function completed(vm: DestructionVm): DestructionVm {
  const { blocked = [], after = [], zvols } = vm as Partial<DestructionVm> & Pick<DestructionVm, "zvols">;
  return {
    ...vm,
    blocked,
    after,
    zvols: zvols.map((zvol) => ({ ...UNSHOWN, ...zvol })),
  };
}

const UNSHOWN = { snapshots: null, dependants: [] };

/** So that whoever takes the operation up again makes the cards that were planned. */
function macsOf({ vms }: CreationPlan): Readonly<Record<string, PlannedMacs>> {
  const active = vms.filter(({ steps }) => steps.length > 0);
  return Object.fromEntries(active.map(({ name, devices }) => {
    const nics = devices.flatMap((device) =>
      device.dtype === "NIC" ? [[device.name, device.mac] as const] : []
    );
    return [name, Object.fromEntries(nics)];
  }));
}
