/**
 * The operations of one NAS. Those that create or remove VMs run beside each other as long as none needs what another has
 * claimed; afterwards an operation can be resumed, rolled back or left as it is.
 */
import type { Configuration } from "../configuration/configuration.ts";
import { ConfigurationError, TrueNASError } from "../errors/errors.ts";
import type { ImageRemovalPlan, ImageRemovalRequest } from "../images/removing/plan.ts";
import { imageRemoval } from "../images/removing/removal_operation.ts";
import type { WantedImage } from "../images/acquiring/acquirer.ts";
import { acquisition } from "../images/acquiring/image_operation.ts";
import type { Vm } from "../inventory/inventory.ts";
import { NOTHING_CHANGED } from "../plan/changes.ts";
import type { CreationRequest } from "../plan/creation_input.ts";
import { type DestructionRequest, isNamedBy } from "../plan/destruction.ts";
import type { OrphanPlan } from "../plan/orphans.ts";
import { selectionProblems } from "../plan/reconciling.ts";
import type { RollBackPlan } from "../plan/roll_back.ts";
import type { CreationPlan, DestructionPlan, PlannedVm } from "../plan/types.ts";
import type { Concurrency } from "./limits/call_limiter.ts";
import { drain, type DrainTimes } from "./drain.ts";
import type { OperationLog } from "./record/log.ts";
import type { Planner } from "./planner.ts";
import { type OperationsOptions, Preparing } from "./preparing.ts";
import { recoveryOf } from "./recovery.ts";
import { isLeftByProgram } from "./resuming.ts";
import { type RunResult, toResult } from "./summary.ts";
import type { OperationRunner, OperationSpec, RunningOperation, RunOptions } from "./runner.ts";
import { cleaning, type Destruction, destruction } from "./specs.ts";
import type { CancelMode } from "./steps/create_vm.ts";
import type { OperationStore } from "./record/store.ts";
import { describeOverlap, type Overlap } from "./turns/claims.ts";
import { Recoveries } from "./turns/recoveries.ts";
import { type Planned, Turns } from "./turns/turns.ts";
import type { OperationView } from "./types.ts";

/** Either an operation was started, or its plan is no longer the one that was shown, or a running operation prevents it. */
export type StartedOrReplanned<Plan> =
  | { readonly started: true; readonly operation: RunningOperation }
  | {
    readonly started: false;
    readonly plan: Plan;
    /** The running operation that has to end first; null when there is none. */
    readonly overlap: Overlap | null;
  };

/** How old a creation may be to go on by itself after a restart of this program, in milliseconds. */
const RESUMED_WITHIN_MS = 24 * 60 * 60_000;

/** Starts operations, and decides what happens after them; see the file's comment. */
export class Operations {
  /** The operations of this manager, and those that the journal recorded before. */
  readonly store: OperationStore;
  readonly #options: OperationsOptions;
  readonly #runner: OperationRunner;
  readonly #planner: Planner;
  readonly #preparing: Preparing;
  readonly #turns: Turns;
  readonly #recoveries: Recoveries;
  #isAbandoned = false;

  /** Starts nothing yet. */
  constructor(options: OperationsOptions) {
    this.store = options.store;
    this.#options = options;
    this.#runner = options.runner;
    this.#planner = options.planner;
    this.#preparing = new Preparing(options);
    const { claims, settle: { settleMs } } = options.runner;
    this.#turns = new Turns(claims);
    this.#recoveries = new Recoveries({ store: options.store, turns: this.#turns, claims, settleMs });
  }

  /** The running operations that have VMs, disks or images for themselves, the oldest first. */
  get claiming(): readonly OperationLog[] {
    const { claims, running } = this.#runner;
    return claims.held().flatMap(({ operation }) => running.get(operation)?.log ?? []);
  }

  /** The running operation that has to end before an operation can be resumed or rolled back; null when there is none. */
  overlapWith(operationId: string): Overlap | null {
    return this.#recoveries.overlapOf(operationId);
  }

  /** Whether an operation is being resumed or rolled back, or is about to be. */
  isRecovering(operationId: string): boolean {
    return this.#recoveries.has(operationId);
  }

  /** How many calls of operations run at once. */
  get concurrency(): Concurrency {
    return this.#runner.limiter.concurrency;
  }

  /** Calls the listener whenever the limit changes, until the returned function is called. */
  onConcurrency(listener: () => void): () => void {
    return this.#runner.limiter.onConcurrency(listener);
  }

  /** Plans to create VMs; nothing is changed. */
  planCreation(request: CreationRequest): Promise<CreationPlan> {
    return this.#planner.creation(request);
  }

  /**
   * What a creation would do with a VM of a type; nothing is read or changed. Null without a connection.
   *
   * @throws {ConfigurationError} when the configuration does not have the type, or a template is wrong.
   */
  compareWithType(configuration: Configuration, type: string, vm: Vm): PlannedVm | null {
    return this.#planner.comparison(configuration, type, vm);
  }

  /**
   * Plans again, creates VMs and changes those that are selected, if the plan is still the one with the fingerprint `shown`
   * and can change what is selected, and no running operation has claimed any of it.
   *
   * @param options `beforeStart` is called last, with what is about to start; an error that it throws prevents it.
   * @throws {TrueNASError} when the NAS cannot be read.
   * @throws {ConfigurationError} when there is no display password.
   */
  startCreation(
    request: CreationRequest,
    shown: string,
    options: RunOptions & { readonly beforeStart?: (plan: CreationPlan) => void } = {},
  ): Promise<StartedOrReplanned<CreationPlan>> {
    return this.#startIfUnchanged(shown, async () => {
      const plan = await this.#planner.creation(request);
      const isSelectable = selectionProblems(plan, request.reconcile ?? NOTHING_CHANGED).length === 0;
      const spec = this.#preparing.creation(plan, request);
      const run = () => {
        options.beforeStart?.(plan);
        return this.#runner.run(spec, options);
      };
      return { plan, planned: { claim: spec.claim ?? {}, run: isSelectable ? run : null } };
    });
  }

  /**
   * Plans again and destroys VMs, if the plan is still the one with the fingerprint `shown` and no running operation has
   * claimed any of them.
   *
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  startDestruction(
    request: DestructionRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<DestructionPlan>> {
    return this.#startIfUnchanged(shown, async () => {
      const { plan, read } = await this.#planner.destruction(request);
      return { plan, planned: this.#ready(destruction(plan, { read }), options) };
    });
  }

  /**
   * Searches again and removes orphans, if the plan is still the one with the fingerprint `shown` and no operation is
   * running that creates or removes VMs.
   *
   * @param left Names of orphans to keep.
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  startCleaning(
    left: readonly string[],
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<OrphanPlan>> {
    return this.#startIfUnchanged(shown, async () => {
      const plan = await this.#planner.cleaning(left);
      return { plan, planned: this.#ready(cleaning(plan), options) };
    });
  }

  /** Plans to remove an image; nothing is changed. */
  planImageRemoval(
    request: ImageRemovalRequest,
    configuration: Configuration | null,
  ): Promise<ImageRemovalPlan> {
    return this.#planner.imageRemoval(request, configuration);
  }

  /**
   * Plans again and removes an image, if the plan is still the one with the fingerprint `shown`, nothing keeps a part and no
   * running operation uses it.
   *
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  startImageRemoval(
    request: ImageRemovalRequest,
    { configuration, shown }: { readonly configuration: Configuration | null; readonly shown: string },
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<ImageRemovalPlan>> {
    return this.#startIfUnchanged(shown, async () => {
      const plan = await this.#planner.imageRemoval(request, configuration);
      // A person who removes an image wants all of it gone, and can choose parts.
      const isWhole = plan.parts.length > 0 && plan.parts.every(({ blocked }) => blocked.length === 0);
      const planned = this.#ready(imageRemoval(plan), options);
      return { plan, planned: isWhole ? planned : { ...planned, run: null } };
    });
  }

  /**
   * Plans and creates VMs, and changes those that are selected. If a running operation has claimed any of it, this waits for
   * its end and plans again.
   *
   * @throws {TrueNASError} when the NAS cannot be read, or when it was cancelled while it waited; nothing was sent.
   * @throws {ConfigurationError} when there is no display password, or a selected VM cannot be changed; nothing was sent.
   */
  async create(request: CreationRequest, options: RunOptions = {}): Promise<RunResult> {
    this.#preparing.expectPassword();
    return await this.#finish(options, async () => {
      const plan = await this.#planner.creation(request);
      const problems = selectionProblems(plan, request.reconcile ?? NOTHING_CHANGED);
      const ready = this.#ready(this.#preparing.creation(plan, request), options);
      if (problems.length === 0) return ready;
      const refuse = () => {
        throw new ConfigurationError("selection", problems);
      };
      return { ...ready, run: refuse };
    });
  }

  /**
   * Plans and destroys VMs. If a running operation has claimed any of them, or creates VMs that `request` names, this waits
   * for its end and plans again. A VM that differs from the plan is kept and reported.
   *
   * @throws {TrueNASError} when it was cancelled while it waited, and whatever `makePlan` throws; nothing was sent.
   */
  async destroy(
    makePlan: () => Promise<{ readonly plan: DestructionPlan } & Destruction>,
    options: RunOptions = {},
    request: DestructionRequest = { prefixes: [] },
  ): Promise<RunResult> {
    return await this.#finish(options, async () => {
      const coming = this.#runner.claims.held().flatMap(({ claim: { vms = [] } }) =>
        vms.filter((name) => isNamedBy(request, name))
      );
      if (coming.length > 0) return { claim: { vms: coming }, run: null };
      const { plan, ...known } = await makePlan();
      return this.#ready(destruction(plan, known), options);
    });
  }

  /**
   * Brings an image to the NAS.
   *
   * @throws {TrueNASError} when a running operation works on the image; nothing was sent.
   *
   * @ignore
   */
  async acquire(wanted: WantedImage, options: RunOptions = {}): Promise<RunningOperation> {
    const spec = acquisition(wanted, this.#options.acquirer);
    const { operation, overlap } = await this.#turns.attempt(() =>
      Promise.resolve(this.#ready(spec, options))
    );
    if (operation !== null) return operation;
    const why = overlap === null ? "There was nothing to start" : describeOverlap(overlap);
    throw new TrueNASError(`${why}. Nothing was sent`, { outcome: "not-done" });
  }

  /**
   * Resumes an operation that was interrupted, cancelled or failed in part. A creation reads the NAS again and creates
   * only what is missing; a destruction continues with the VMs that were confirmed, and reads each of them again. If a
   * running operation has claimed any of it, this waits for its end.
   *
   * @returns null when there is nothing to resume.
   */
  resume(operationId: string, options: RunOptions = {}): Promise<RunningOperation | null> {
    return this.#recoveries.start(
      operationId,
      "resumed",
      (view, concluded) =>
        this.#preparing.resume(view, (spec) => this.#ready({ ...spec, concluded }, options)),
    );
  }

  /**
   * Removes everything that an incomplete creation made: VMs by their uuid, devices that were added, and zvols whose
   * properties name the operation. A VM that was incomplete and has been started since is kept. Snapshots of the zvols
   * are removed only if the plan in `shown` lists them.
   *
   * @returns null when there is nothing to remove.
   */
  rollBack(
    operationId: string,
    options: RunOptions & { readonly shown?: RollBackPlan } = {},
  ): Promise<RunningOperation | null> {
    return this.#recoveries.start(
      operationId,
      "rolled-back",
      (view, concluded) =>
        this.#preparing.undo(
          view,
          options.shown ?? null,
          (spec) => this.#ready({ ...spec, concluded }, options),
        ),
    );
  }

  /** Keeps what an operation created as it is, and closes the decision; false when there was nothing to decide. */
  leave(operationId: string): boolean {
    const log = this.store.get(operationId);
    if (log === undefined) return false;
    const { resumable, removable } = recoveryOf(log.view);
    if (resumable.length + removable.length === 0) return false;
    log.append({ type: "resolved", how: "left" });
    return true;
  }

  /**
   * Cancels an operation of this manager: running calls finish, nothing new starts, and incomplete VMs are rolled back,
   * or kept to be resumed. False when there is no such operation or it has finished.
   */
  cancel(operationId: string, mode: CancelMode = "roll-back"): boolean {
    const running = this.#runner.running.get(operationId);
    running?.cancel.abort(mode);
    // Without the NAS nothing can be rolled back either, so the decision stays open.
    running?.outages.stopWaiting();
    return running !== undefined;
  }

  /**
   * Resumes the creations of the last day that an earlier program left unfinished when it ended, oldest first. Nobody has to
   * decide about them, because they go on as they were confirmed; about older ones people may have changed their minds.
   */
  async resumeInterrupted(): Promise<void> {
    const since = this.store.now() - RESUMED_WITHIN_MS;
    const left = this.store.list().toReversed()
      .filter((view) => isLeftByProgram(view) && view.startedAt >= since);
    await Promise.all(
      left.map(async ({ id }) => await (await this.resume(id, { by: { who: "restart" } }))?.finished),
    );
  }

  /**
   * Ends an operation that waits for the NAS: everything stays as it is, and it can be resumed or rolled back later. False
   * when it is not waiting.
   */
  stopWaiting(operationId: string): boolean {
    return this.#runner.running.get(operationId)?.outages.stopWaiting() ?? false;
  }

  /** Resolves when an operation has ended; at once for one that does not run. */
  async ended(operationId: string): Promise<void> {
    await this.#runner.running.get(operationId)?.finished;
  }

  /**
   * Refuses further operations and ends the running ones, for a program that has to stop: they may finish for a while, and
   * are then cancelled. What does not end in time is abandoned; the journal informs the next program.
   *
   * @returns the abandoned operations.
   */
  async drain(times: DrainTimes): Promise<readonly OperationView[]> {
    const abandoned = await drain(this.#runner, times);
    this.#isAbandoned = abandoned.length > 0;
    return abandoned;
  }

  /** Resolves when no operation creates or removes VMs any more, or when it was abandoned. */
  async idle(): Promise<void> {
    if (!this.#isAbandoned) await this.#turns.idle();
  }

  /**
   * Plans again and starts an operation of another part of the library, if the plan is still the one with the fingerprint
   * `shown`, is ready, and no running operation has claimed any of it.
   *
   * @ignore
   */
  startPlanned<Plan extends { readonly fingerprint: string }, T>(
    shown: string,
    prepare: () => Promise<{
      readonly plan: Plan;
      readonly spec: OperationSpec<T>;
      readonly isReady: boolean;
    }>,
    options: RunOptions,
  ): Promise<StartedOrReplanned<Plan>> {
    return this.#startIfUnchanged(shown, async () => {
      const { plan, spec, isReady } = await prepare();
      const planned = this.#ready(spec, options);
      return { plan, planned: isReady ? planned : { ...planned, run: null } };
    });
  }

  #ready<T>(spec: OperationSpec<T>, options: RunOptions): Planned {
    return { claim: spec.claim ?? {}, run: () => this.#runner.run(spec, options) };
  }

  async #finish({ signal }: RunOptions, plan: () => Promise<Planned>): Promise<RunResult> {
    const operation = await this.#turns.start(plan, signal);
    if (operation === null) throw new TypeError("There was nothing to start");
    return toResult(await operation.finished);
  }

  async #startIfUnchanged<Plan extends { readonly fingerprint: string }>(
    shown: string,
    prepare: () => Promise<{ readonly plan: Plan; readonly planned: Planned }>,
  ): Promise<StartedOrReplanned<Plan>> {
    const { promise, resolve } = Promise.withResolvers<Plan>();
    const { operation, overlap } = await this.#turns.attempt(async () => {
      const { plan, planned } = await prepare();
      resolve(plan);
      return plan.fingerprint === shown ? planned : { ...planned, run: null };
    });
    return operation === null
      ? { started: false, plan: await promise, overlap }
      : { started: true, operation };
  }
}
