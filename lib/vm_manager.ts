/** The library's main entry: one NAS, its VMs, and the operations on them. */
import { checkConfiguration, type Configuration, vmTypeOf } from "./configuration/configuration.ts";
import { type FlatConfiguration, fromFlat } from "./configuration/flat_configuration.ts";
import { Consoles } from "./consoles/consoles.ts";
import { ConfigurationError } from "./errors/errors.ts";
import type { Vm } from "./inventory/inventory.ts";
import { LiveInventory } from "./inventory/live_inventory.ts";
import { NasInventory } from "./inventory/nas_inventory.ts";
import { AuditLog } from "./observability/audit.ts";
import { silentLogger } from "./observability/logging.ts";
import { logOperations, measureManager } from "./observability/telemetry.ts";
import { Operations } from "./operations/operations.ts";
import { Planner } from "./operations/planner.ts";
import type { RunResult } from "./operations/run_result.ts";
import { OperationRunner, type RunOptions } from "./operations/runner.ts";
import { OperationStore } from "./operations/store.ts";
import { RefusedPorts } from "./operations/steps/refused_ports.ts";
import { VmChanges } from "./operations/vm_changes.ts";
import { DISPLAY_PORTS } from "./plan/allocation.ts";
import type { CreationRequest } from "./plan/creation_input.ts";
import { DEFAULT_PREFIXES, describeMissing, type DestructionRequest } from "./plan/destruction.ts";
import type { OrphanPlan } from "./plan/orphans.ts";
import type { CreationPlan, DestructionPlan } from "./plan/types.ts";
import type { RollBackPlan } from "./plan/roll_back.ts";
import type { OperationView } from "./operations/types.ts";
import { isWithinRange, wholeNumberExpected } from "./inputs.ts";
import { TemplateManager } from "./template_manager.ts";
import type { NasConnection } from "./truenas/connection/nas_connection.ts";
import { Session } from "./truenas/connection/session.ts";
import { patienceOf, sessionOptionsOf, type VMManagerOptions } from "./vm_manager_options.ts";

/**
 * Creates and destroys groups of VMs on one NAS.
 *
 * @example Basic creation
 * ```ts
 * await using manager = new VMManager({ ...getEnvironmentVariables() });
 * await manager.connect();
 * const result = await manager.createVmType(loadConfiguration("config.yaml"), "worker", 5920);
 * for (const { name, outcome, message } of result.vms) console.log(name, outcome, message ?? "");
 * ```
 */
export class VMManager implements AsyncDisposable {
  /** The connection to the NAS: its state, and what can be done about it. */
  readonly connection: NasConnection;
  /** What is on the NAS: its VMs, and what further VMs can be given. */
  readonly inventory: NasInventory;
  /** Creating, destroying and cleaning up, with everything that was done before. */
  readonly operations: Operations;
  /** What is done with VMs that are there: start, stop, change, clone. */
  readonly changes: VmChanges;
  /** The serial console and the displays. */
  readonly consoles: Consoles;
  /** Who did what, of which the operations are a part. */
  readonly audit: AuditLog;
  /** The templates of VMs and devices. */
  readonly templates: TemplateManager;
  readonly #session: Session;
  readonly #planner: Planner;

  /**
   * Sends nothing yet.
   *
   * @throws {ConfigurationError} when the host cannot be read or credentials are missing.
   */
  constructor(options: VMManagerOptions) {
    const { logger = silentLogger, journal = null, metrics, vncPassword } = options;
    const sessionOptions = sessionOptionsOf(options);
    const session = new Session(sessionOptions);
    const patience = patienceOf(options);
    const store = new OperationStore(undefined, journal, options.logger);
    store.onEvent(logOperations(logger));
    this.audit = new AuditLog(store, journal, options.logger);
    this.templates = options.templateManager ?? new TemplateManager();
    const templatesOf = (configuration: Configuration, type: string) =>
      this.templates.withOverrides(vmTypeOf(configuration, type).template);
    // As it was last known, also while the connection is not there.
    let serialDeletes = false;
    session.onState((state) => {
      if (state.kind === "live") serialDeletes = state.rules.serialDeletes;
    });
    const runner = new OperationRunner({
      caller: session,
      store,
      serialDeletes: () => serialDeletes,
      logger,
      ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
      ...(options.settle === undefined ? {} : { settle: options.settle }),
    });
    const refusedPorts = new RefusedPorts();
    const live = new LiveInventory(session, logger);
    this.inventory = new NasInventory(session, live, patience);
    this.inventory.follow(store);
    this.#planner = new Planner({
      session,
      inventory: this.inventory,
      store,
      templates: templatesOf,
      refusedPorts,
      passwordChars: vncPassword?.trim().length ?? null,
      guard: sessionOptions.guard,
      patience,
    });
    this.operations = new Operations({
      store,
      planner: this.#planner,
      runner,
      templates: templatesOf,
      refusedPorts,
      displayPassword: vncPassword ?? null,
    });
    this.changes = new VmChanges(runner);
    this.consoles = new Consoles({
      session,
      address: sessionOptions.address,
      publicHost: options.publicHost ?? null,
      readOnly: options.readOnly ?? false,
      simulated: options.simulated ?? false,
      patience,
      logger,
    });
    this.connection = session;
    this.#session = session;
    if (metrics === undefined) return;
    const concurrency = () => runner.limiter.concurrency.limit;
    measureManager(metrics, { operations: store, session, live, concurrency });
  }

  /**
   * Connects and signs in. A connection that is lost later is made again by itself.
   *
   * @throws {TrueNASConnectionError} saying what is wrong and what to do.
   * @throws {ConfigurationError} when a template has a key that this TrueNAS version would refuse.
   */
  async connect(): Promise<void> {
    const { rules } = await this.#session.connect();
    this.templates.checkVersion(rules.id);
  }

  /** Signs out and closes the connection. Waits for an operation that is still writing. */
  async disconnect(): Promise<void> {
    await this.operations.idle();
    this.inventory.live.close();
    await this.#session.close();
  }

  /** `await using` disconnects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** The VMs on the NAS, read now. */
  list(): Promise<readonly Vm[]> {
    return this.inventory.list();
  }

  /** Plans to create; nothing is changed. */
  planCreation(request: CreationRequest<FlatConfiguration>): Promise<CreationPlan> {
    return this.operations.planCreation({ ...request, configuration: fromFlat(request.configuration) });
  }

  /** Plans to destroy; nothing is changed. */
  async planDestruction(
    request: DestructionRequest = { prefixes: DEFAULT_PREFIXES },
  ): Promise<DestructionPlan> {
    return (await this.#planner.destruction(request)).plan;
  }

  /** Looks for what carries this program's marks and belongs to nothing, but for the names left out. */
  planCleaning(left: readonly string[] = []): Promise<OrphanPlan> {
    return this.#planner.cleaning(left);
  }

  /** Plans to roll an operation back; null when there are no zvols to remove, or no connection. Nothing is changed. */
  planRollBack(view: OperationView): Promise<RollBackPlan | null> {
    return this.#planner.rollBack(view);
  }

  /**
   * Creates the VMs of one type: VMs that are there as wanted are kept, missing ones are made, and what cannot be
   * made is rolled back. One VM's failure never stops the others.
   *
   * @param config As read by {@link loadConfiguration}.
   * @param vmType A section of it, for example `worker`.
   * @param vncStartPort Where the displays' ports start, for example 5920; taken ports are stepped over.
   * @throws {ConfigurationError} for an unknown type or a missing storage section; nothing was sent.
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  async createVmType(
    config: unknown,
    vmType: string,
    vncStartPort: number,
    options: RunOptions = {},
  ): Promise<RunResult> {
    const configuration = checkedConfiguration(config, vmType, vncStartPort);
    const types = [{ type: vmType, startPort: vncStartPort }];
    return await this.operations.create({ configuration, types }, options);
  }

  /** Plans and creates several types in one operation; otherwise as {@link createVmType}. */
  create(request: CreationRequest<FlatConfiguration>, options: RunOptions = {}): Promise<RunResult> {
    return this.operations.create({ ...request, configuration: fromFlat(request.configuration) }, options);
  }

  /** Destroys exactly what a plan names; a VM that is not what was shown any more is left alone and named. */
  destroyPlanned(plan: DestructionPlan, options: RunOptions = {}): Promise<RunResult> {
    return this.operations.destroy(() => Promise.resolve({ plan }), options);
  }

  /**
   * Destroys the VMs that are called one of the prefixes and a number, with their zvols, and proves that they are
   * gone. Other VMs (`workerold`, say), VMs whose marks do not say that this program made them (unless `unmarked`
   * names them, or is `all`) and zvols that another VM uses are left alone.
   *
   * @throws {ConfigurationError} when `names`, `ids` or `unmarked` has a VM that is not there; nothing was done.
   * @throws {TrueNASError} when the VMs cannot be listed; nothing was done.
   */
  async destroyManagedVms(
    vmPrefixes: readonly string[] = DEFAULT_PREFIXES,
    options: RunOptions & Omit<DestructionRequest, "prefixes"> = {},
  ): Promise<RunResult> {
    const makePlan = async () => {
      const made = await this.#planner.destruction({ ...options, prefixes: vmPrefixes });
      const mistaken = made.plan.missing.filter(({ by }) => by !== "prefix");
      if (mistaken.length === 0) return made;
      const problems = mistaken.map((selection) => ({ field: "", message: describeMissing(selection) }));
      throw new ConfigurationError("destroyManagedVms", problems);
    };
    return await this.operations.destroy(makePlan, options);
  }
}

/** The configuration and the port as {@link VMManager.createVmType} takes them. */
function checkedConfiguration(config: unknown, vmType: string, startPort: number): Configuration {
  const checked = checkConfiguration(config, [vmType]);
  if (!checked.ok) throw new ConfigurationError("configuration", checked.problems);
  if (!isWithinRange(startPort, DISPLAY_PORTS)) {
    const message = wholeNumberExpected("The first display port", DISPLAY_PORTS, startPort);
    throw new ConfigurationError("vncStartPort", [{ field: "", message }]);
  }
  return checked.configuration;
}
