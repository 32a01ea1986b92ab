/** The library's main entry: one NAS, its VMs, and the operations on them. */
import { isLoopback } from "./configuration/ip_addresses.ts";
import { AuditLog } from "./observability/audit.ts";
import { checkConfiguration, type Configuration } from "./configuration/configuration.ts";
import type { Places } from "./configuration/configuration_text.ts";
import { ConfigurationError, TrueNASError } from "./errors/errors.ts";
import type { Inventory, Reading, Vm } from "./inventory/inventory.ts";
import { LiveInventory } from "./inventory/live_inventory.ts";
import type { SerialConsole } from "./truenas/connection/shell.ts";
import type { Metrics } from "./observability/metrics.ts";
import { type Logger, redactor, silentLogger } from "./observability/logging.ts";
import {
  type NasAddress,
  normalizeFingerprint,
  pageOnNas,
  parseNasAddress,
} from "./configuration/nas_address.ts";
import { hostOfAddress, hostOfNas, parsePublicHost, type PublicHost } from "./configuration/public_host.ts";
import type { ActionRequest } from "./operations/steps/act_on_vm.ts";
import type { CancelMode } from "./operations/steps/create_vm.ts";
import type { OperationJournal } from "./operations/journal.ts";
import type { OperationLog } from "./operations/log.ts";
import type { Pace } from "./operations/pace.ts";
import { recoveryOf } from "./operations/recovery.ts";
import type { ChangedVm, VmChange } from "./operations/steps/change_vm.ts";
import {
  type Destruction,
  type DrainTimes,
  OperationRunner,
  type RunningChange,
  type RunningOperation,
  type RunOptions,
  type StartedOrReplanned,
} from "./operations/runner.ts";
import type { SettleTimeouts } from "./operations/steps/run_step.ts";
import { OperationStore } from "./operations/store.ts";
import type { OperationEvent, OperationRequest, OperationView } from "./operations/types.ts";
import { DISPLAY_PORTS } from "./plan/allocation.ts";
import { planCreation } from "./plan/creation.ts";
import { callMeter, logOperations, measureManager } from "./observability/telemetry.ts";
import { factsOf } from "./plan/template_facts.ts";
import {
  DEFAULT_PREFIXES,
  describeMissing,
  type DestructionRequest,
  planDestruction,
  zvolsToGo,
} from "./plan/destruction.ts";
import { findOrphans, type OrphanPlan, orphanZvolNames } from "./plan/orphans.ts";
import type { RemovalFacts } from "./plan/removal.ts";
import { planRollBack, type RollBackPlan } from "./plan/roll_back.ts";
import { zvolsMadeFor } from "./operations/steps/undo_vm.ts";
import type { CreationPlan, DestructionPlan, DestructionVm } from "./plan/types.ts";
import { defaultTypes, sectionOf, wantedVms } from "./plan/wanted.ts";
import { TimedCache } from "./inventory/cache.ts";
import { type RunResult, toResult } from "./operations/run_result.ts";
import { TemplateManager } from "./template_manager.ts";
import {
  type Capacity,
  readCapacity,
  readChoices,
  readDatasets,
  readInventory,
  readMarkedZvols,
  readMissingFiles,
  type ReadOptions,
  readVms,
  type VmsOptions,
} from "./truenas/read_inventory.ts";
import type { CallOptions } from "./truenas/client.ts";
import type { VmActionName } from "./inventory/vm_actions.ts";
import { readRelations } from "./truenas/read_relations.ts";
import { hasRole, missingRoles, type NeededRole } from "./truenas/roles.ts";
import { CONNECTION_WAIT_MS, Session, type SessionState } from "./truenas/connection/session.ts";
import type { PlannedMacs, WantedType } from "./plan/creation_input.ts";

/** A reading that took no longer, in milliseconds, is a look at how the NAS is now. */
const FRESH_MS = 1_000;

/** How to reach a NAS, and how to work there. */
export interface VMManagerOptions {
  /** Host, host:port, a ws:// or wss:// URL, or unix:/path/to/socket; a bare host means wss://. */
  readonly host: string;
  /** The account. Not needed over a unix socket. */
  readonly username?: string;
  /** For a password login. */
  readonly password?: string;
  /** Instead of a password. Never sent over an unencrypted connection, because TrueNAS revokes it then. */
  readonly apiKey?: string;
  /** The password of the displays of VMs made here; needed to create, not to list or destroy. */
  readonly vncPassword?: string;
  /** Default: the embedded templates. */
  readonly templateManager?: TemplateManager;
  /** Extra trusted certificates, PEM. */
  readonly caCerts?: readonly string[];
  /** The one certificate that is trusted, by its SHA-256 fingerprint (64 hexadecimal digits, colons or not). */
  readonly certFingerprint?: string;
  /** Where sockets of pinned connections may be made, one each; default anywhere below the system's temporary folder. */
  readonly tunnelSockets?: readonly string[];
  /** Asks for a one-time password when the NAS wants one; default: {@link VMManager.submitOtp} hands it over. */
  readonly askOtp?: () => Promise<string>;
  /** Logins at most within a time in milliseconds; default 6 in a minute. */
  readonly logins?: { readonly most: number; readonly withinMs: number };
  /** How browsers and viewers reach the NAS: host, host:port, or an http:// or https:// URL; default `host`, or what the NAS tells. */
  readonly publicHost?: string;
  /** Refuses every write. */
  readonly readOnly?: boolean;
  /** Refuses every deletion. */
  readonly noDestroy?: boolean;
  /** VMs worked on at once; default 20, twice as many as TrueNAS runs calls at once on one connection; 30 to destroy. */
  readonly parallel?: number;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** The simulated NAS of the demo. */
  readonly simulated?: boolean;
  /** How long a call of unknown outcome is watched for its effect. */
  readonly settle?: SettleTimeouts;
  /** How long a reading waits for a connection that is being made again, in milliseconds; default 30 s. */
  readonly connectionWaitMs?: number;
  /**
   * A reading for a page or a plan ends once the NAS has sent nothing for this long and does not answer a ping either,
   * in milliseconds; default: it waits as long as a slow NAS may take.
   */
  readonly silenceMs?: number;
  /** Where every step is written down before it is done; default nowhere. */
  readonly journal?: OperationJournal;
  /** Numbers for a monitoring system are kept here; default nowhere. */
  readonly metrics?: Metrics;
  /** Waits between attempts to connect again, in milliseconds. */
  readonly backoffMs?: readonly number[];
}

/** What a form can offer beside free text. */
export interface Choices {
  /** Bridges and interfaces that a NIC may be attached to. */
  readonly nicChoices: Reading<readonly string[]>;
  /** Datasets in which zvols can be made. */
  readonly datasets: Reading<readonly string[]>;
  /** Install images in the folder of the configured one. */
  readonly isos: Reading<readonly string[]>;
}

/** What is to be created: a whole configuration, or some of its types. */
export interface CreationRequest {
  /** Checked already. */
  readonly configuration: Configuration;
  /** Default: every type of the configuration, each from its usual port. */
  readonly types?: readonly WantedType[];
  /** Where in the file each value stands. */
  readonly places?: Places;
  /** MACs that VMs were planned with before, by VM and network: they keep them. */
  readonly macs?: Readonly<Record<string, PlannedMacs>>;
}

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
  /** The operations since this manager was made, and with a journal those before. */
  readonly operations: OperationStore;
  /** Who did what, what the operations are a part of. */
  readonly audit: AuditLog;
  readonly #options: VMManagerOptions;
  readonly #address: string;
  readonly #parsed: { readonly address: NasAddress };
  readonly #templates: TemplateManager;
  readonly #session: Session;
  readonly #live: LiveInventory;
  /** As it was last known, also while the connection is not there. */
  #serialDeletes = false;
  readonly #runner: OperationRunner;
  readonly #capacity = new TimedCache(
    (dataset) => readCapacity(this.#session, dataset, this.#patience),
    PAGE_AGES,
  );
  readonly #choices = new TimedCache(
    (folder) => readChoices(this.#session, folder, this.#patience),
    PAGE_AGES,
  );

  /**
   * Sends nothing yet.
   *
   * @throws {ConfigurationError} when the host cannot be read or credentials are missing.
   */
  constructor(options: VMManagerOptions) {
    const address = parseNasAddress(options.host);
    if (!address.ok) throw new ConfigurationError("host", [address.problem]);
    const { certFingerprint } = options;
    const fingerprint = certFingerprint === undefined ? null : normalizeFingerprint(certFingerprint);
    if (certFingerprint !== undefined && fingerprint === null) {
      const message = "A SHA-256 fingerprint has 64 hexadecimal digits, in pairs with colons or without";
      throw new ConfigurationError("certFingerprint", [{ field: "", message }]);
    }
    this.#options = options;
    this.#address = address.address.url;
    this.#parsed = address;
    this.operations = new OperationStore(undefined, options.journal ?? null, options.logger);
    this.operations.onEvent(logOperations(options.logger ?? silentLogger));
    this.audit = new AuditLog(this.operations, options.journal ?? null, options.logger);
    this.#templates = options.templateManager ?? new TemplateManager();
    this.#session = new Session({
      address: address.address,
      username: options.username ?? null,
      password: options.password ?? null,
      apiKey: options.apiKey ?? null,
      caCerts: options.caCerts ?? [],
      fingerprint,
      ...(options.tunnelSockets === undefined ? {} : { tunnelSockets: options.tunnelSockets }),
      ...(options.askOtp === undefined ? {} : { askOtp: options.askOtp }),
      ...(options.metrics === undefined ? {} : { onCall: callMeter(options.metrics) }),
      ...(options.logins === undefined ? {} : { logins: options.logins }),
      guard: { readOnly: options.readOnly ?? false, noDestroy: options.noDestroy ?? false },
      redact: redactor(
        [options.password, options.apiKey, options.vncPassword].filter((secret) => secret !== undefined),
      ),
      simulated: options.simulated ?? false,
      logger: options.logger ?? silentLogger,
      ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
    });
    this.#session.onState((state) => {
      if (state.kind === "live") this.#serialDeletes = state.rules.serialDeletes;
    });
    this.#runner = new OperationRunner({
      caller: this.#session,
      store: this.operations,
      serialDeletes: () => this.#serialDeletes,
      logger: options.logger ?? silentLogger,
      templates: (request, type) =>
        request?.kind === "create" ? this.#templatesOf(request.configuration, type) : this.#templates,
      ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
      ...(options.settle === undefined ? {} : { settle: options.settle }),
    });
    this.#live = new LiveInventory(this.#session, this.#runner.readings, options.logger ?? silentLogger);
    this.operations.onEvent((view, event) => this.#readChanged(view, event));
    if (options.metrics === undefined) return;
    const { operations } = this;
    const width = () => this.pace.width;
    measureManager(options.metrics, { operations, session: this.#session, live: this.#live, width });
  }

  /** Where the connection stands. */
  get connection(): SessionState {
    return this.#session.state;
  }

  /** Where the NAS is, without credentials: `wss://nas.lan`. */
  get address(): string {
    return this.#address;
  }

  /** The roles that the account lacks, each with what fails without it; none while that is not known. */
  get missingRoles(): readonly NeededRole[] {
    const { state } = this.#session;
    return state.kind === "live" ? missingRoles(state.nas.roles) : [];
  }

  /** The inventory that events keep true, for pages. */
  get live(): LiveInventory {
    return this.#live;
  }

  /** What the templates say where a configuration says nothing. */
  get templateDefaults(): { readonly autostart: boolean } {
    return { autostart: this.#templates.createVmSpec("name", 1, 1, 20).autostart !== false };
  }

  /** The operation that writes now, or null. */
  get writing(): OperationLog | null {
    return this.#runner.writing;
  }

  /** How many calls that change the NAS go to it at once. */
  get pace(): Pace {
    return this.#runner.pace;
  }

  /** Tells of each change of the pace's width until the returned function is called. */
  onPace(listener: () => void): () => void {
    return this.#runner.onPace(listener);
  }

  /** Tells of each change of the connection until the returned function is called. */
  onConnection(listener: (state: SessionState) => void): () => void {
    return this.#session.onState(listener);
  }

  /**
   * Connects and signs in. A connection that is lost later is made again by itself.
   *
   * @throws {TrueNASConnectionError} saying what is wrong and what to do.
   * @throws {ConfigurationError} when a template has a key that this TrueNAS version would refuse.
   */
  async connect(): Promise<void> {
    const { rules } = await this.#session.connect();
    this.#templates.checkVersion(rules.id);
  }

  /** Hands over the one-time password that the NAS waits for; false when it waits for none. */
  submitOtp(code: string): boolean {
    return this.#session.submitOtp(code);
  }

  /** Connects in the background and goes on trying; what is wrong shows in {@link connection}. */
  keepConnected(): Promise<void> {
    return this.#session.keepConnected();
  }

  /**
   * Begins nothing more, and ends what is under way, for a program that has to stop: see {@link DrainTimes}.
   *
   * @returns the operations that were let go; the journal tells the next program of them.
   */
  drain(times: DrainTimes): Promise<readonly OperationView[]> {
    return this.#runner.drain(times);
  }

  /** Signs out and closes the connection. Waits for an operation that is still writing. */
  async disconnect(): Promise<void> {
    await this.#runner.idle();
    this.#live.close();
    await this.#session.close();
  }

  /** `await using` disconnects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** The VMs on the NAS, read now. */
  list(): Promise<readonly Vm[]> {
    return readVms(this.#session, this.#reading);
  }

  /** Everything that a plan for this configuration is made from and checked against. */
  async inventory({ configuration, types }: CreationRequest): Promise<Inventory> {
    const { nas, rules } = await this.#session.live(this.#patience.connectionWaitMs);
    const { storage } = configuration;
    const wanted = wantedVms(configuration, types ?? defaultTypes(configuration));
    return await readInventory(this.#session, {
      nas,
      datasets: [storage.pool_path, ...wanted.flatMap(({ zvols }) => zvols)],
      files: [storage.cdrom_path],
      vms: wanted.map(({ name }) => name),
      neverStarted: this.operations.neverStarted(),
      showsRun: rules.showsRun,
      pool: storage.pool_path.split("/")[0] ?? storage.pool_path,
    }, this.#reading);
  }

  /** Those of these files that are not on the NAS; none where it does not tell, or not soon enough for a page. */
  async missingFiles(paths: readonly string[]): Promise<readonly string[]> {
    if (paths.length === 0 || this.#session.state.kind !== "live") return [];
    try {
      return await readMissingFiles(this.#session, paths, { ...this.#patience, timeoutMs: PAGE_READING_MS });
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      return [];
    }
  }

  /** Those of these zvols and datasets that exist, read now. */
  async existingDatasets(names: readonly string[]): Promise<Reading<readonly string[]>> {
    const found = await readDatasets(this.#session, names, this.#patience);
    return found.known ? { known: true, value: found.value.map(({ name }) => name) } : found;
  }

  /** What a form can offer for this configuration: bridges and install images, at most half a minute old. */
  async choices({ storage }: Configuration): Promise<Choices> {
    return await this.#choices.get(isoFolder(storage.cdrom_path) ?? "");
  }

  /**
   * What the NAS has left for further VMs; null where the account may not read it.
   *
   * @param dataset Where the zvols are.
   * @param options `anew` reads it now; default: what is known, if it is at most half a minute old.
   */
  async capacity(
    dataset: string,
    { anew = false }: { readonly anew?: boolean } = {},
  ): Promise<Capacity> {
    return await (anew ? this.#capacity.renew(dataset) : this.#capacity.get(dataset));
  }

  /** Plans to create; nothing is changed. */
  async planCreation(request: CreationRequest): Promise<CreationPlan> {
    const { rules } = await this.#session.live(this.#patience.connectionWaitMs);
    const types = request.types ?? defaultTypes(request.configuration);
    const inventory = await this.inventory(request);
    const input = {
      configuration: request.configuration,
      types,
      templates: factsOf((type) => this.#templatesOf(request.configuration, type)),
      passwordChars: this.#options.vncPassword?.trim().length ?? null,
      inventory,
      rules,
      refusedPorts: this.#runner.refusedPorts,
      plannedMacs: (vm: string, existing: boolean) =>
        request.macs?.[vm] ?? (existing ? this.operations.plannedMacs(vm) : null),
    };
    return planCreation(request.places === undefined ? input : { ...input, places: request.places });
  }

  /** Plans to destroy; nothing is changed. */
  async planDestruction(
    request: DestructionRequest = { prefixes: DEFAULT_PREFIXES },
  ): Promise<DestructionPlan> {
    return (await this.#planDestruction(request)).plan;
  }

  async #planDestruction(
    request: DestructionRequest,
  ): Promise<{ readonly plan: DestructionPlan } & Required<Pick<Destruction, "read">>> {
    const began = performance.now();
    const evidence = this.operations.evidence();
    const zvolsOf = (vms: readonly Vm[]) => zvolsToGo(planDestruction(vms, request, evidence));
    // What the list shows is likely what goes: what depends on it is read at the same time.
    const expected = zvolsOf(this.#live.snapshot.vms ?? []);
    const [vms, early] = await Promise.all([this.list(), this.#removalFacts(expected)]);
    const readMs = performance.now() - began;
    // What took long, over a slow NAS or a lost connection, is no look at how it is now.
    const read = readMs < FRESH_MS ? vms : [];
    const zvols = zvolsOf(vms);
    const facts = zvols.every((zvol) => expected.includes(zvol)) ? early : await this.#removalFacts(zvols);
    return { plan: planDestruction(vms, request, evidence, facts), read };
  }

  /** What depends on zvols that are to go, and whether the account may remove it. */
  async #removalFacts(
    zvols: readonly string[],
    options: ReadOptions = this.#patience,
  ): Promise<RemovalFacts> {
    const relations = zvols.length === 0
      ? { snapshots: { known: true, value: [] }, clones: { known: true, value: [] } } as const
      : await readRelations(this.#session, zvols, options);
    const { state } = this.#session;
    const roles = state.kind === "live" ? state.nas.roles : null;
    return {
      relations,
      mayDeleteSnapshots: hasRole(roles, "SNAPSHOT_DELETE"),
      mayDeleteZvols: hasRole(roles, "DATASET_DELETE"),
    };
  }

  /** Looks for what carries this program's marks and belongs to nothing, but for the names left out. */
  async planCleaning(left: readonly string[] = []): Promise<OrphanPlan> {
    const [vms, zvols] = await Promise.all([
      this.list(),
      readMarkedZvols(this.#session, this.#patience),
    ]);
    const { operations } = this;
    const facts = {
      vms,
      zvols,
      unfinished: operations.unfinished(),
      running: operations.running(),
      journal: operations.evidence(),
      left,
    };
    const removal = await this.#removalFacts(orphanZvolNames(findOrphans(facts)));
    return findOrphans({ ...facts, removal });
  }

  /**
   * Plans again and creates, if the plan is still the one that was shown.
   *
   * @throws {TrueNASError} when the plan cannot be made.
   */
  beginCreation(
    request: CreationRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<CreationPlan>> {
    const makePlan = () => this.planCreation(request);
    return this.#runner.startIfUnchanged(makePlan, shown, (plan) => this.#create(plan, request, options));
  }

  /** Plans again and destroys, if the plan is still the one that was shown. */
  beginDestruction(
    request: DestructionRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<DestructionPlan>> {
    let known: Destruction = {};
    const makePlan = async () => {
      const { plan, ...made } = await this.#planDestruction(request);
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
  beginCleaning(
    left: readonly string[],
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<OrphanPlan>> {
    const makePlan = () => this.planCleaning(left);
    return this.#runner.startIfUnchanged(makePlan, shown, (plan) => this.#runner.clean(plan, options));
  }

  /**
   * Does one thing with some VMs: each is looked at again before, and seen to be as wanted afterwards. It runs beside
   * an operation that makes or removes VMs.
   */
  act(action: VmActionName, requests: readonly ActionRequest[], options: RunOptions = {}): RunningOperation {
    return this.#runner.act(action, requests, options);
  }

  /** Opens a VM's serial console; whoever opens it closes it. READ_ONLY refuses it, for typing changes the guest. */
  async openSerial(id: number): Promise<SerialConsole> {
    if (this.#options.readOnly) {
      throw new TrueNASError("The serial console was refused here: READ_ONLY is set");
    }
    return await this.#session.openSerial(id);
  }

  /** Tells a console the size of its terminal; a console that has ended is not told. */
  async resizeSerial(session: string, cols: number, rows: number): Promise<void> {
    try {
      await this.#session.call("core.resize_shell", [session, cols, rows]);
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      this.#options.logger?.debug("A console's size could not be set", { error: error.message });
    }
  }

  /** Changes one VM: its settings, devices or disks; or clones it. It runs beside other operations. */
  change(vm: ChangedVm, change: VmChange, options: RunOptions = {}): RunningChange {
    return this.#runner.change(vm, change, options);
  }

  /**
   * The passwords of a VM's displays, in order, read from the NAS now; null where it does not tell this account.
   * They are kept nowhere.
   */
  async displayPasswords(id: number): Promise<readonly (string | null)[]> {
    const devices = await this.#session.call("vm.device.query", [[["vm", "=", id]]], this.#patience);
    const displays = devices.filter(({ attributes }) => attributes.dtype === "DISPLAY");
    return displays.map(({ attributes: { password } }) =>
      typeof password === "string" && password !== "" && !/^\*+$/.test(password) ? password : null
    );
  }

  /**
   * Where the NAS's own page shows a VM's display: an http or https URL on the NAS.
   *
   * @throws {TrueNASError} when it has none, or gives one that leads elsewhere.
   */
  async displayUri(id: number): Promise<string> {
    const { host, scheme } = await this.publicHost() ?? this.#throwNoPublicHost();
    const isSecure = scheme === null ? this.#address.startsWith("wss:") : scheme === "https";
    const protocol = isSecure ? "HTTPS" : "HTTP";
    const { uri, error } = await this.#session.call(
      "vm.get_display_web_uri",
      [id, host, { protocol }],
      this.#patience,
    );
    if (uri === null) {
      throw new TrueNASError(`The NAS has no web console for this VM: ${error ?? "it does not say why"}`);
    }
    const page = pageOnNas(uri, host);
    if (page !== null) return page;
    throw new TrueNASError("The NAS gave an address for this VM's web console that does not lead to the NAS");
  }

  /** How browsers and viewers reach the NAS; null when neither the settings nor the NAS say it. */
  async publicHost(): Promise<PublicHost | null> {
    const { publicHost: set, simulated } = this.#options;
    if (set !== undefined) return parsePublicHost(set);
    const { address } = this.#parsed;
    if (simulated && address.kind !== "unix") {
      const { host, hostname } = new URL(address.url);
      return { host, hostname, scheme: null, source: "TRUENAS_HOST" };
    }
    const own = hostOfAddress(address);
    return own ?? (this.#session.state.kind === "live" ? await this.#addressOfNas() : null);
  }

  async #addressOfNas(): Promise<PublicHost | null> {
    try {
      const addresses = await this.#session.call("interface.ip_in_use", [], this.#patience);
      return hostOfNas(addresses.map(({ address }) => address));
    } catch (error) {
      // Without NETWORK_INTERFACE_READ it is not known; whoever asks says what to set.
      if (!(error instanceof TrueNASError)) throw error;
      this.#options.logger?.debug("The NAS does not tell its addresses", { error: error.message });
      return null;
    }
  }

  #throwNoPublicHost(): never {
    throw new TrueNASError(
      `The console cannot be opened: this dashboard reaches the NAS at ${this.#address}, which only its own ` +
        "machine can, and the NAS does not tell its address. Set NAS_PUBLIC_HOST to the name or address by " +
        "which browsers reach the NAS",
    );
  }

  /** Where a viewer finds a display of this address on the NAS. */
  async viewerHost(bind: string): Promise<string> {
    if (isLoopback(bind)) {
      throw new TrueNASError(
        `The display listens on ${bind} of the NAS alone, where no viewer on another machine reaches it. Use the ` +
          "web console, or give the display another address on the NAS",
      );
    }
    if (!["0.0.0.0", "::", ""].includes(bind)) return bind;
    return (await this.publicHost() ?? this.#throwNoPublicHost()).hostname;
  }

  /** Whether this release can do an action at all; true while it is not known. */
  get canReset(): boolean {
    const { state } = this.#session;
    return state.kind !== "live" || state.rules.canReset;
  }

  /**
   * Takes up again an operation that was interrupted, cancelled or failed in part: the NAS is read again, and only
   * what lacks is done. A destruction goes on with the set that was confirmed, each VM looked at again.
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

  /** Reads what depends on the zvols that rolling an operation back would remove; null when there are none, or no connection. */
  async planRollBack(view: OperationView): Promise<RollBackPlan | null> {
    const { removable } = recoveryOf(view);
    const made = removable.map((vm) => ({ name: vm.name, zvols: zvolsMadeFor(vm) }));
    const zvols = made.flatMap((vm) => vm.zvols);
    if (zvols.length === 0 || this.#session.state.kind !== "live") return null;
    const options = { ...this.#patience, timeoutMs: PAGE_READING_MS };
    const [vms, facts] = await Promise.all([
      readVms(this.#session, options),
      this.#removalFacts(zvols, options),
    ]);
    return planRollBack(made, vms, facts);
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
    const configuration = this.#check(config, vmType, vncStartPort);
    return await this.create({ configuration, types: [{ type: vmType, startPort: vncStartPort }] }, options);
  }

  /** Plans and creates several types in one operation; otherwise as {@link createVmType}. */
  async create(request: CreationRequest, options: RunOptions = {}): Promise<RunResult> {
    this.#displayPassword();
    return await this.#runner.exclusive(async () => {
      const plan = await this.planCreation(request);
      return toResult(await this.#create(plan, request, options).finished);
    });
  }

  /** Destroys exactly what a plan names; a VM that is not what was shown any more is left alone and named. */
  async destroyPlanned(plan: DestructionPlan, options: RunOptions = {}): Promise<RunResult> {
    const run = async () => toResult(await this.#runner.destroy(plan, options).finished);
    return await this.#runner.exclusive(run);
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
    return await this.#runner.exclusive(async () => {
      const { plan, ...known } = await this.#planDestruction({ ...options, prefixes: vmPrefixes });
      const mistaken = plan.missing.filter(({ by }) => by !== "prefix");
      if (mistaken.length > 0) {
        const problems = mistaken.map((selection) => ({ field: "", message: describeMissing(selection) }));
        throw new ConfigurationError("destroyManagedVms", problems);
      }
      return toResult(await this.#runner.destroy(plan, options, known).finished);
    });
  }

  /**
   * Whatever events say, or do not: the VMs of an operation are read as they end. What comes and goes may have no id
   * here, so the end of an operation that makes or removes VMs reads everything.
   */
  #readChanged({ kind, vms }: OperationView, event: OperationEvent): void {
    const isClone = vms.some(({ steps }) => steps.some(({ step }) => step === "clone"));
    if (event.type === "finished" && (isClone || (kind !== "act" && kind !== "change"))) this.#live.check();
    if (event.type !== "vm") return;
    const id = event.vmId ?? vms.find(({ name }) => name === event.vm)?.vmId ?? null;
    if (id !== null) this.#live.refresh(id);
  }

  #check(config: unknown, vmType: string, startPort: number): Configuration {
    const checked = checkConfiguration(config, { require: [vmType] });
    if (!checked.ok) throw new ConfigurationError("configuration", checked.problems);
    const { lowest, highest } = DISPLAY_PORTS;
    if (!Number.isInteger(startPort) || startPort < lowest || startPort > highest) {
      const message =
        `The first display port must be a whole number from ${lowest} to ${highest}, found ${startPort}`;
      throw new ConfigurationError("vncStartPort", [{ field: "", message }]);
    }
    return checked.configuration;
  }

  get #patience(): Pick<CallOptions, "silenceMs"> & { readonly connectionWaitMs: number } {
    const { connectionWaitMs = CONNECTION_WAIT_MS, silenceMs } = this.#options;
    return { connectionWaitMs, ...(silenceMs === undefined ? {} : { silenceMs }) };
  }

  /** What the list shows is what a reading will find, but for the latest changes. */
  get #reading(): VmsOptions {
    const { vms } = this.#live.snapshot;
    const expected = (vms ?? []).flatMap(({ disks }) => disks.flatMap(({ zvol }) => zvol ?? []));
    return { ...this.#patience, expected: [...new Set(expected)] };
  }

  #displayPassword(): string {
    const { vncPassword } = this.#options;
    if (vncPassword !== undefined && vncPassword.trim() !== "") return vncPassword;
    throw new ConfigurationError("VNC_PASSWORD", [{
      field: "vncPassword",
      message: "A display password is needed to create VMs; TrueNAS refuses displays without one",
    }]);
  }

  #templatesOf(configuration: Configuration, type: string): TemplateManager {
    return this.#templates.withOverrides(sectionOf(configuration, type)?.template);
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
    const plan = await this.planCreation(request);
    return this.#create(
      { ...plan, vms: plan.vms.filter(({ name }) => names.includes(name)) },
      request,
      options,
    );
  }
}

/** What a page can do without is not waited for any longer, in milliseconds. */
const PAGE_READING_MS = 1_500;

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

/** Pages show readings of so many milliseconds ago at once, and have them read again. */
const PAGE_AGES = { freshMs: 5_000, staleMs: 30_000 } as const;

function isoFolder(isoPath: string): string | null {
  return isoPath.replace(/\/[^/]*$/, "") || null;
}

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
