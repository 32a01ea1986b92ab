/**
 * The operations of one NAS. Those that create or remove VMs run one at a time, each from a plan made when its turn comes;
 * afterwards an operation can be resumed, rolled back or left as it is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import PQueue from "npm:p-queue@10.0.0";
import type { Configuration } from "../configuration/configuration.ts";
import { ConfigurationError } from "../errors/errors.ts";
import type { ImageRemovalPlan, ImageRemovalRequest } from "../images/removing/plan.ts";
import { imageRemoval } from "../images/removing/removal_operation.ts";
import type { Vm } from "../inventory/inventory.ts";
import { NOTHING_CHANGED } from "../plan/changes.ts";
import type { CreationRequest, OngoingReplacement, PlannedMacs } from "../plan/creation_input.ts";
import type { DestructionRequest } from "../plan/destruction.ts";
import type { OrphanPlan } from "../plan/orphans.ts";
import { selectionProblems } from "../plan/reconciling.ts";
import type { RollBackPlan } from "../plan/roll_back.ts";
import type { CreationPlan, DestructionPlan, PlannedVm } from "../plan/types.ts";
import { defaultTypes } from "../plan/wanted.ts";
import type { TemplateManager } from "../template_manager.ts";
import type { VersionRules } from "../truenas/versions.ts";
import type { Concurrency } from "./call_limiter.ts";
import type { OperationLog } from "./record/log.ts";
import type { Planner } from "./planner.ts";
import { recoveryOf, remainingSettleMs } from "./recovery.ts";
import { isLeftByProgram, replacementsOf, resumedReconciling, withDefaults } from "./resuming.ts";
import { type RunResult, toResult } from "./summary.ts";
import type { OperationRunner, RunningOperation, RunOptions } from "./runner.ts";
import { cleaning, creation, type Destruction, destruction, undoing } from "./specs.ts";
import type { CancelMode } from "./steps/create_vm.ts";
import type { RefusedPorts } from "./steps/refused_ports.ts";
import type { OperationStore } from "./record/store.ts";
import type { OperationView } from "./types.ts";

/** Either an operation was started, or its plan is no longer the one that was shown. */
export type StartedOrReplanned<Plan> =
  | { readonly started: true; readonly operation: RunningOperation }
  | { readonly started: false; readonly plan: Plan };

/** How long running operations may continue when the program stops, in milliseconds. */
export interface DrainTimes {
  /** Time to finish normally. */
  readonly finishMs: number;
  /** Time to end after they were cancelled. */
  readonly cancelMs: number;
}

/** What starting operations needs. */
export interface OperationsOptions {
  readonly store: OperationStore;
  readonly planner: Planner;
  readonly runner: OperationRunner;
  /** The templates of a VM type, with its overrides. */
  readonly templates: (configuration: Configuration, type: string) => TemplateManager;
  readonly refusedPorts: RefusedPorts;
  /** How the NAS takes changes of devices. */
  readonly deviceUpdate: () => VersionRules["deviceUpdate"];
  /** The displays' password; required to create VMs. */
  readonly displayPassword: string | null;
}

/** How old a creation may be to go on by itself after a restart of this program, in milliseconds. */
const RESUMED_WITHIN_MS = 24 * 60 * 60_000;

/** Starts operations, and decides what happens after them; see the file's comment. */
export class Operations {
  /** The operations of this manager, and those that the journal recorded before. */
  readonly store: OperationStore;
  readonly #options: OperationsOptions;
  readonly #runner: OperationRunner;
  readonly #planner: Planner;
  /** Planning is part of the turn, so that no plan is outdated when it runs. */
  readonly #turns = new PQueue({ concurrency: 1 });
  /** Resumptions and rollbacks that have not finished, by the id of the operation they recover. */
  readonly #recoveries = new Map<string, Promise<RunningOperation | null>>();
  #isAbandoned = false;

  /** Starts nothing yet. */
  constructor(options: OperationsOptions) {
    this.store = options.store;
    this.#options = options;
    this.#runner = options.runner;
    this.#planner = options.planner;
  }

  /** The running operation that creates or removes VMs, or null. */
  get writing(): OperationLog | null {
    const logs = [...this.#runner.running.values()].map(({ log }) => log);
    return logs.find(({ view }) => view.kind !== "act" && view.kind !== "change") ?? null;
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
   * and can change what is selected.
   *
   * @throws {TrueNASError} when the NAS cannot be read.
   * @throws {ConfigurationError} when there is no display password.
   */
  startCreation(
    request: CreationRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<CreationPlan>> {
    return this.#startIfUnchanged(shown, async () => {
      const plan = await this.#planner.creation(request);
      const isSelectable = selectionProblems(plan, request.reconcile ?? NOTHING_CHANGED).length === 0;
      return { plan, run: isSelectable ? () => this.#create(plan, request, options) : null };
    });
  }

  /**
   * Plans again and destroys VMs, if the plan is still the one with the fingerprint `shown`.
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
      return { plan, run: () => this.#runner.run(destruction(plan, { read }), options) };
    });
  }

  /**
   * Searches again and removes orphans, if the plan is still the one with the fingerprint `shown`.
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
      return { plan, run: () => this.#runner.run(cleaning(plan), options) };
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
   * Plans again and removes an image, if the plan is still the one with the fingerprint `shown` and nothing keeps a part.
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
      return { plan, run: isWhole ? () => this.#runner.run(imageRemoval(plan), options) : null };
    });
  }

  /**
   * Plans and creates VMs, and changes those that are selected, once no other operation creates or removes any.
   *
   * @throws {TrueNASError} when the NAS cannot be read.
   * @throws {ConfigurationError} when there is no display password, or a selected VM cannot be changed; nothing was sent.
   */
  async create(request: CreationRequest, options: RunOptions = {}): Promise<RunResult> {
    this.#displayPassword();
    return await this.#turns.add(async () => {
      const plan = await this.#planner.creation(request);
      const problems = selectionProblems(plan, request.reconcile ?? NOTHING_CHANGED);
      if (problems.length > 0) throw new ConfigurationError("selection", problems);
      return toResult(await this.#create(plan, request, options).finished);
    });
  }

  /**
   * Plans and destroys VMs once no other operation creates or removes any. A VM that differs from the plan is kept and
   * reported.
   *
   * @throws whatever `makePlan` throws.
   */
  async destroy(
    makePlan: () => Promise<{ readonly plan: DestructionPlan } & Destruction>,
    options: RunOptions = {},
  ): Promise<RunResult> {
    return await this.#turns.add(async () => {
      const { plan, ...known } = await makePlan();
      return toResult(await this.#runner.run(destruction(plan, known), options).finished);
    });
  }

  /**
   * Resumes an operation that was interrupted, cancelled or failed in part. A creation reads the NAS again and creates
   * only what is missing; a destruction continues with the VMs that were confirmed, and reads each of them again.
   *
   * @returns null when there is nothing to resume.
   */
  resume(operationId: string, options: RunOptions = {}): Promise<RunningOperation | null> {
    return this.#recover(operationId, "resumed", (view) => this.#resume(view, options));
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
    const { displayPassword, deviceUpdate } = this.#options;
    const restoring = { displayPassword: displayPassword ?? "", deviceUpdate };
    const start = (view: OperationView) =>
      this.#runner.run(undoing(view, options.shown?.vms ?? [], restoring), options);
    return this.#recover(operationId, "rolled-back", start);
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
    for (const { id } of left) await (await this.resume(id, { by: { who: "restart" } }))?.finished;
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
  async drain({ finishMs, cancelMs }: DrainTimes): Promise<readonly OperationView[]> {
    const { running } = this.#runner;
    const allFinished = () => Promise.all([...running.values()].map(({ finished }) => finished));
    this.#runner.close();
    if (await within(allFinished(), finishMs)) return [];
    for (const { cancel, outages } of running.values()) {
      outages.interrupt("The program was stopped");
      cancel.abort("keep");
    }
    if (await within(allFinished(), cancelMs)) return [];
    this.#isAbandoned = true;
    return [...running.values()].map(({ log }) => log.view);
  }

  /** Resolves when no operation creates or removes VMs any more, or when it was abandoned. */
  async idle(): Promise<void> {
    if (!this.#isAbandoned) await this.#turns.onIdle();
  }

  /** Resolves as soon as the operation has started; its turn lasts until it has finished. */
  #startIfUnchanged<Plan extends { readonly fingerprint: string }>(
    shown: string,
    prepare: () => Promise<{ readonly plan: Plan; readonly run: (() => RunningOperation) | null }>,
  ): Promise<StartedOrReplanned<Plan>> {
    const { promise, resolve, reject } = Promise.withResolvers<StartedOrReplanned<Plan>>();
    const turn = this.#turns.add(async () => {
      const { plan, run } = await prepare();
      if (plan.fingerprint !== shown || run === null) return resolve({ started: false, plan });
      const operation = run();
      resolve({ started: true, operation });
      await operation.finished;
    });
    turn.catch(reject);
    return promise;
  }

  /** Starts one recovery of an operation; further requests while it runs return the same one. */
  #recover(
    operationId: string,
    how: "resumed" | "rolled-back",
    start: (view: OperationView) => RunningOperation | Promise<RunningOperation>,
  ): Promise<RunningOperation | null> {
    const known = this.#recoveries.get(operationId);
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<RunningOperation | null>();
    this.#recoveries.set(operationId, promise);
    const turn = this.#turns.add(async () => {
      try {
        const log = this.store.get(operationId);
        if (log === undefined) return resolve(null);
        const { resumable, removable } = recoveryOf(log.view);
        if ((how === "resumed" ? resumable : removable).length === 0) return resolve(null);
        await sleep(remainingSettleMs(log.view, this.store.now(), this.#runner.settle.settleMs));
        const operation = await start(log.view);
        resolve(operation);
        const { status } = await operation.finished;
        // If it did not succeed, the decision stays open.
        if (status === "done") log.append({ type: "resolved", how, operation: operation.log.id });
      } finally {
        this.#recoveries.delete(operationId);
      }
    });
    turn.catch(reject);
    return promise;
  }

  #create(
    plan: CreationPlan,
    request: CreationRequest,
    options: RunOptions,
    ongoing: ReadonlyMap<string, OngoingReplacement> = new Map(),
  ): RunningOperation {
    const { configuration, types = defaultTypes(configuration), reconcile } = request;
    const { refusedPorts, templates, deviceUpdate } = this.#options;
    const replaced = plan.vms.filter(({ name, action }) =>
      ongoing.has(name) || (action === "replace" && reconcile?.replace.includes(name) === true)
    ).map((vm) => ongoing.get(vm.name)?.confirmed ?? vm);
    const spec = creation(plan, {
      request: {
        kind: "create",
        configuration,
        types,
        macs: macsOf(plan),
        ...(reconcile === undefined ? {} : { reconcile }),
        ...(replaced.length === 0 ? {} : { replaced }),
      },
      resumed: ongoing.size > 0,
      deviceUpdate,
      templates: (type) => templates(configuration, type),
      displayPassword: this.#displayPassword(),
      refusedPorts,
    });
    return this.#runner.run(spec, options);
  }

  async #resume(view: OperationView, options: RunOptions): Promise<RunningOperation> {
    const { request } = view;
    const names = recoveryOf(view).resumable.map(({ name }) => name);
    const isResumable = ({ name }: { readonly name: string }) => names.includes(name);
    if (request === null) throw new TypeError("An operation without a request cannot be resumed");
    if (request.kind === "destroy") {
      const vms = request.vms.filter(isResumable).map(withDefaults);
      return this.#runner.run(destruction({ ...request, vms }, { resumed: true }), options);
    }
    const ongoing = replacementsOf(view, this.store.list());
    const plan = await this.#planner.creation(request, ongoing);
    const again = { ...request, ...resumedReconciling(view, request) };
    return this.#create({ ...plan, vms: plan.vms.filter(isResumable) }, again, options, ongoing);
  }

  #displayPassword(): string {
    const { displayPassword } = this.#options;
    if (displayPassword !== null && displayPassword.trim() !== "") return displayPassword;
    throw new ConfigurationError("VNC_PASSWORD", [{
      field: "vncPassword",
      message: "Creating VMs requires a display password, because TrueNAS refuses displays without one",
    }]);
  }
}

/** Whether the work ended in time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  const ended = await Promise.race([work.then(() => true), promise]);
  clearTimeout(timer);
  return ended;
}

/** The planned MACs, so that a resumed creation gives its NICs the same ones. */
function macsOf({ vms }: CreationPlan): Readonly<Record<string, PlannedMacs>> {
  const active = vms.filter(({ steps }) => steps.length > 0);
  return Object.fromEntries(active.map(({ name, devices }) => {
    const nics = devices.flatMap((device) =>
      device.dtype === "NIC" ? [[device.name, device.mac] as const] : []
    );
    return [name, Object.fromEntries(nics)];
  }));
}
