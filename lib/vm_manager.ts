/** The library's entry point: one NAS, its VMs, and the operations on them. */
import { checkConfiguration, type Configuration, vmTypeOf } from "./configuration/configuration.ts";
import { type FlatConfiguration, fromFlat } from "./configuration/flat_configuration.ts";
import { Checkpoints } from "./checkpoints/checkpoints.ts";
import { Consoles } from "./consoles/consoles.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigurationError } from "./errors/errors.ts";
import { passesByItself } from "./errors/outage.ts";
import type { NasIdentity, Vm } from "./inventory/inventory.ts";
import { Acquirer } from "./images/acquiring/acquirer.ts";
import { SeedRemover } from "./first_boot/iso/seed_remover.ts";
import { maySimulateGuests } from "./first_boot/planning/seed_way.ts";
import type { SeedServer } from "./first_boot/serving/served_seed.ts";
import { NO_SEED_FILES } from "./first_boot/planning/seeds_read.ts";
import { HeaderChecks } from "./images/acquiring/header_checks.ts";
import { LOCAL_DISK } from "./images/acquiring/local_disk.ts";
import { openUrl } from "./images/source/open_url.ts";
import { Images } from "./images/acquiring/images.ts";
import { HostLoad } from "./inventory/host_load.ts";
import { LiveInventory } from "./inventory/live_inventory.ts";
import { NasInventory } from "./inventory/nas_inventory.ts";
import { AuditLog } from "./observability/audit.ts";
import { silentLogger } from "./observability/logging.ts";
import { runDetached } from "./errors/unhandled_errors.ts";
import { logOperations, measureManager } from "./observability/telemetry.ts";
import { probePort } from "./first_boot/readiness/probe_port.ts";
import { guestsOf } from "./operations/nodes/guests.ts";
import { NodeReadiness } from "./operations/nodes/node_readiness.ts";
import { type KeptSeeds, keptSeeds, type KeptSeedsOptions } from "./first_boot/serving/kept_seeds.ts";
import { Operations } from "./operations/operations.ts";
import { Planner } from "./operations/planner.ts";
import type { RunResult } from "./operations/summary.ts";
import { OperationRunner, type RunOptions } from "./operations/runner.ts";
import { OperationStore } from "./operations/record/store.ts";
import { RefusedPorts } from "./operations/steps/refused_ports.ts";
import { VmChanges } from "./operations/vm_changes.ts";
import { DISPLAY_PORTS } from "./plan/allocation.ts";
import type { CreationRequest } from "./plan/creation_input.ts";
import { DEFAULT_PREFIXES, describeMissing, type DestructionRequest } from "./plan/destruction.ts";
import type { OrphanPlan } from "./plan/orphans.ts";
import type { CreationPlan, DestructionPlan } from "./plan/types.ts";
import type { RollBackPlan } from "./plan/roll_back.ts";
import { isActive, type OperationView } from "./operations/types.ts";
import { isWithinRange, wholeNumberExpected } from "./inputs.ts";
import { TemplateManager } from "./template_manager.ts";
import type { NasConnection } from "./truenas/connection/nas_connection.ts";
import { CONNECTION_WAIT_MS, Session } from "./truenas/connection/session.ts";
import type { VersionRules } from "./truenas/versions.ts";
import { sessionOptionsOf, type VMManagerOptions } from "./vm_manager_options.ts";

/** A request to create VMs; its configuration is as `loadConfiguration()` returns it. */
export type FlatCreationRequest = CreationRequest<FlatConfiguration>;

/** Creates and destroys groups of VMs on one NAS; see the example of this module. */
export class VMManager implements AsyncDisposable {
  /** The connection to the NAS. */
  readonly connection: NasConnection;
  /** The VMs on the NAS, and what can be chosen for new ones. */
  readonly inventory: NasInventory;
  /** Starting, cancelling and resuming operations, and earlier operations. */
  readonly operations: Operations;
  /** Image files on the NAS, and bringing more there. */
  readonly images: Images;
  /** Actions on existing VMs, and changes to them. */
  readonly changes: VmChanges;
  /** Checkpoints of VMs: taking them, rolling back to them, removing them. */
  readonly checkpoints: Checkpoints;
  /** Serial consoles and displays. */
  readonly consoles: Consoles;
  /** Who did what, including the operations. */
  readonly audit: AuditLog;
  /** The templates of VMs and devices, without the overrides of VM types. */
  readonly templates: TemplateManager;
  readonly #seeds: KeptSeeds | null;
  readonly #seedRemover: SeedRemover;
  /** Which VMs answer. */
  readonly readiness: NodeReadiness;
  readonly #session: Session;
  readonly #planner: Planner;

  /**
   * Sends nothing yet.
   *
   * @throws {ConfigurationError} when the host cannot be parsed, or when the journal is damaged.
   */
  constructor(options: VMManagerOptions) {
    const { logger = silentLogger, journal = null, metrics, parallel, settle, silenceMs } = options;
    const { connectionWaitMs = CONNECTION_WAIT_MS, clock = () => performance.now() } = options;
    const patience = { connectionWaitMs, ...(silenceMs === undefined ? {} : { silenceMs }) };
    const displayPassword = options.vncPassword ?? null;
    const sessionOptions = sessionOptionsOf(options);
    const session = new Session(sessionOptions);
    const store = new OperationStore(options.now, journal, logger);
    const live = new LiveInventory(session, logger);
    const refusedPorts = new RefusedPorts();
    const templates = (configuration: Configuration, type: string) =>
      this.templates.withOverrides(vmTypeOf(configuration, type).template);
    // Keeps the last known values while there is no connection.
    let serialDeletes = false;
    let deviceUpdate: VersionRules["deviceUpdate"] = "whole";
    let nas: NasIdentity | null = null;
    session.onState((state) => {
      if (state.kind === "live") ({ nas, rules: { serialDeletes, deviceUpdate } } = state);
    });
    const runner = new OperationRunner({
      caller: session,
      store,
      serialDeletes: () => serialDeletes,
      nas: () => nas,
      logger,
      ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
      ...(parallel === undefined ? {} : { parallel }),
      ...(settle === undefined ? {} : { settle }),
    });
    store.onEvent(logOperations(logger));
    this.#session = session;
    this.connection = session;
    this.templates = options.templateManager ?? new TemplateManager();
    this.audit = new AuditLog(store, journal, logger);
    this.inventory = new NasInventory(session, { live, load: new HostLoad(session, logger) }, patience);
    this.inventory.follow(store);
    const { disk = LOCAL_DISK, paths } = options;
    const { seedFiles = NO_SEED_FILES } = options;
    const simulated = options.simulated === true || maySimulateGuests(sessionOptions.address);
    const compare: KeptSeedsOptions["compare"] = (...of) => this.#planner.comparison(...of);
    this.#seeds = paths === undefined || options.readOnly === true
      ? null
      : keptSeeds({ paths, session, store, files: seedFiles, simulated, compare, logger });
    const seedKeeper = this.#seeds?.keeper ?? null;
    const headers = new HeaderChecks(session, disk);
    const acquirer = new Acquirer({
      session,
      disk,
      openUrl: options.openUrl ?? openUrl,
      offering: options.offering ?? null,
      notOffered: "SEED_HOST is not set, so the NAS cannot fetch from this program",
      hasEnded: (operation) => {
        const view = store.get(operation)?.view;
        return view !== undefined && !isActive(view);
      },
      ...(options.partBytes === undefined ? {} : { partBytes: options.partBytes }),
    });
    this.#planner = new Planner({
      session,
      inventory: this.inventory,
      store,
      templates,
      templatesRevision: () => this.templates.revision,
      refusedPorts,
      claims: runner.claims,
      headers,
      acquirer,
      seedHost: { host: paths?.host ?? null, simulated },
      seedFiles,
      passwordChars: displayPassword?.trim().length ?? null,
      guard: sessionOptions.guard,
      patience,
      clock,
    });
    const planner = this.#planner;
    const probe = options.probePort ?? probePort;
    const guests = guestsOf({
      session,
      store,
      consoles: () => this.consoles,
      probe,
      served: (uuid) => seedKeeper?.signsOf(uuid) ?? null,
      clock,
    });
    this.readiness = new NodeReadiness({
      store,
      live,
      probe,
      askAgent: () => {
        const { askAgent } = guests();
        return askAgent === null ? null : (vm) => askAgent(session, vm);
      },
      logger,
      ...(options.checkMs === undefined ? {} : { checkMs: options.checkMs }),
    });
    this.operations = new Operations({
      store,
      planner,
      runner,
      templates,
      refusedPorts,
      displayPassword,
      acquirer,
      headers,
      seedKeeper,
      serveSeedsAgain: () => this.serveSeedsAgain(),
      seedFiles,
      deviceUpdate: () => deviceUpdate,
      guests,
    });
    if (options.resume !== undefined) {
      const goOn = async () => {
        await this.serveSeedsAgain();
        if (options.resume === true) await this.operations.resumeInterrupted();
      };
      const stop = session.onState(({ kind }) => {
        if (kind !== "live") return;
        stop();
        runDetached(goOn(), "resuming operations", logger);
      });
    }
    this.changes = new VmChanges(runner);
    this.images = new Images({ session, operations: this.operations, acquirer });
    const { inventory, operations } = this;
    const { guard } = sessionOptions;
    const { claims } = runner;
    const views = () => store.list();
    this.#seedRemover = new SeedRemover({
      caller: session,
      live,
      guard,
      claims,
      views,
      logger,
      now: store.now,
    });
    this.checkpoints = new Checkpoints({ session, inventory, operations, guard, patience });
    this.consoles = new Consoles({
      session,
      address: sessionOptions.address,
      publicHost: options.publicHost ?? null,
      readOnly: options.readOnly ?? false,
      simulated: options.simulated ?? false,
      patience,
      logger,
    });
    if (metrics === undefined) return;
    const concurrency = () => runner.limiter.concurrency.limit;
    const readiness = () => this.readiness.count();
    measureManager(metrics, { operations: store, session, live, concurrency, readiness });
  }

  /**
   * Connects and signs in. A connection that is lost later is restored automatically.
   *
   * @throws {TrueNASConnectionError} whose message says what is wrong and what to do.
   * @throws {ConfigurationError} when a template has a key that this TrueNAS release refuses.
   */
  async connect(): Promise<void> {
    const { rules } = await this.#session.connect();
    this.templates.checkVersion(rules.id);
  }

  /**
   * Connects like {@link connect}, and tries again while the NAS is away.
   *
   * @param waitMs For how long, in milliseconds.
   * @throws {TrueNASConnectionError} the last failure, when the time is over or when waiting does not mend it.
   */
  async connectWithin(waitMs: number): Promise<void> {
    const until = performance.now() + waitMs;
    for (let pauseMs = 500;; pauseMs = Math.min(2 * pauseMs, 15_000)) {
      try {
        return await this.connect();
      } catch (error) {
        if (!passesByItself(error) || performance.now() + pauseMs > until) throw error;
        await sleep(pauseMs);
      }
    }
  }

  /**
   * Serves seeds that an earlier program served and whose time is not over, as a dashboard does when it starts.
   *
   * @throws {TrueNASError} when the VMs cannot be read.
   */
  async serveSeedsAgain(): Promise<void> {
    await this.#seeds?.serveAgain();
  }

  /** Serves guests their seeds; null when seeds come by disk only. */
  get seeds(): SeedServer | null {
    return this.#seeds?.keeper.server ?? null;
  }

  /** Signs out and closes the connection, after operations that create or remove VMs have finished. */
  async disconnect(): Promise<void> {
    await this.operations.idle();
    this.readiness.close();
    this.inventory.live.close();
    this.inventory.load.close();
    await this.#seedRemover.close();
    await this.#seeds?.keeper.close();
    await this.#session.close();
  }

  /** Disconnects, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /**
   * Reads the VMs on the NAS.
   *
   * @throws {TrueNASError} when they cannot be read.
   */
  list(): Promise<readonly Vm[]> {
    return this.inventory.list();
  }

  /**
   * Plans to create VMs; nothing is changed.
   *
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  planCreation(request: FlatCreationRequest): Promise<CreationPlan> {
    return this.operations.planCreation({ ...request, configuration: fromFlat(request.configuration) });
  }

  /**
   * Plans to destroy VMs, by default those of the types `controlplane` and `worker`; nothing is changed.
   *
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  async planDestruction(
    request: DestructionRequest = { prefixes: DEFAULT_PREFIXES },
  ): Promise<DestructionPlan> {
    return (await this.#planner.destruction(request)).plan;
  }

  /**
   * Finds VMs and zvols with this program's marks that belong to nothing; nothing is changed.
   *
   * @param left Names to keep.
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  planCleaning(left: readonly string[] = []): Promise<OrphanPlan> {
    return this.#planner.cleaning(left);
  }

  /**
   * Plans to roll an operation back; nothing is changed.
   *
   * @returns null when the rollback would remove no zvols, or when there is no connection.
   * @throws {TrueNASError} when the NAS cannot be read.
   */
  planRollBack(view: OperationView): Promise<RollBackPlan | null> {
    return this.#planner.rollBack(view);
  }

  /**
   * Creates the VMs of one type. VMs that already exist as configured are kept, and a VM that cannot be created is rolled
   * back. The failure of one VM does not stop the others, unless its type has `on_failure: stop`.
   *
   * @param config As returned by {@link loadConfiguration}.
   * @param vmType A section of it, such as `worker`.
   * @param vncStartPort The first display's port, such as 5920; ports in use are skipped.
   * @throws {ConfigurationError} for an unknown type, a port out of range or a missing display password; nothing was sent.
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

  /** Creates the VMs of several types in one operation; otherwise like {@link createVmType}. */
  create(request: FlatCreationRequest, options: RunOptions = {}): Promise<RunResult> {
    return this.operations.create({ ...request, configuration: fromFlat(request.configuration) }, options);
  }

  /** Destroys the VMs of a plan; a VM that has changed since is kept, and its result says so. */
  destroyPlanned(plan: DestructionPlan, options: RunOptions = {}): Promise<RunResult> {
    return this.operations.destroy(() => Promise.resolve({ plan }), options);
  }

  /**
   * Destroys the VMs named with a prefix and a number (`worker01`), with their zvols, and verifies that they no longer
   * exist. Kept are other VMs (`workerold`), VMs without this program's marks (unless `unmarked` names them or is
   * `all`), and zvols that another VM uses.
   *
   * @throws {ConfigurationError} when a VM in `names`, `ids` or `unmarked` does not exist; nothing was changed.
   * @throws {TrueNASError} when the VMs cannot be read; nothing was changed.
   */
  async destroyManagedVms(
    vmPrefixes: readonly string[] = DEFAULT_PREFIXES,
    options: RunOptions & Omit<DestructionRequest, "prefixes"> = {},
  ): Promise<RunResult> {
    const request = { ...options, prefixes: vmPrefixes };
    const makePlan = async () => {
      const planned = await this.#planner.destruction(request);
      const mistaken = planned.plan.missing.filter(({ by }) => by !== "prefix");
      if (mistaken.length === 0) return planned;
      const problems = mistaken.map((selection) => ({ field: "", message: describeMissing(selection) }));
      throw new ConfigurationError("destroyManagedVms", problems);
    };
    return await this.operations.destroy(makePlan, options, request);
  }
}

/** Checks the arguments of {@link VMManager.createVmType}. */
function checkedConfiguration(config: unknown, vmType: string, startPort: number): Configuration {
  const checked = checkConfiguration(config, [vmType]);
  if (!checked.ok) throw new ConfigurationError("configuration", checked.problems);
  if (!isWithinRange(startPort, DISPLAY_PORTS)) {
    const message = wholeNumberExpected("The first display port", DISPLAY_PORTS, startPort);
    throw new ConfigurationError("vncStartPort", [{ field: "", message }]);
  }
  return checked.configuration;
}
