/** The library's main entry: one NAS, its VMs, and the operations on them. */
import { checkConfiguration, type Configuration, type Places, vmTypes } from "./config.ts";
import { ConfigurationError } from "./errors.ts";
import type { Inventory, Reading, Vm } from "./inventory.ts";
import { LiveInventory } from "./live_inventory.ts";
import { type Logger, silentLogger } from "./logging.ts";
import { firstDisplayPort, vmName, zvolName } from "./names.ts";
import { parseNasAddress } from "./nas_address.ts";
import { createVm } from "./operations/create_vm.ts";
import { destroyVm, DESTRUCTION_STEPS } from "./operations/destroy_vm.ts";
import type { OperationJournal } from "./operations/journal.ts";
import type { OperationLog } from "./operations/log.ts";
import { eachLimited } from "./operations/pool.ts";
import { DEFAULT_SETTLE, describeError, type SettleTimes } from "./operations/steps.ts";
import { OperationStore } from "./operations/store.ts";
import {
  describeDoomed,
  describeVm,
  overallStatus,
  reportUntouched,
  unfinishedVms,
} from "./operations/summary.ts";
import type { OperationEvent, OperationView, OperationVmView, VmOutcome } from "./operations/types.ts";
import { undoVm } from "./operations/undo_vm.ts";
import { planCreation, type TemplateFacts, type WantedType } from "./plan/creation.ts";
import { DEFAULT_PREFIXES, planDestruction, type Unmarked } from "./plan/destruction.ts";
import type { CreationPlan, DestructionPlan } from "./plan/types.ts";
import { TemplateManager } from "./template_manager.ts";
import { readChoices, readInventory, readVms } from "./truenas/read_inventory.ts";
import { MAX_RUNNING_CALLS } from "./truenas/protocol.ts";
import { PATIENCE_MS, Session, type SessionState } from "./truenas/session.ts";
import { formatCount } from "./units.ts";

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
  /** Refuses every write. */
  readonly readOnly?: boolean;
  /** Refuses every deletion. */
  readonly noDestroy?: boolean;
  /** VMs worked on at once; default 10, as many calls as TrueNAS runs at once on one connection. */
  readonly parallel?: number;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** The simulated NAS of the demo. */
  readonly simulated?: boolean;
  /** How long a call of unknown outcome is watched for its effect. */
  readonly settle?: SettleTimes;
  /** How long a reading waits for a connection that is being made again, in milliseconds; default 30 s. */
  readonly patienceMs?: number;
  /** Where every step is written down before it is done; default nowhere. */
  readonly journal?: OperationJournal;
  /** Waits between attempts to connect again, in milliseconds. */
  readonly backoffMs?: readonly number[];
}

/** Told of every fact of an operation as it happens: each step as it starts and as it ends. */
export type Observer = (event: OperationEvent) => void;

/** What a form can offer beside free text. */
export interface Choices {
  /** Bridges and interfaces that a NIC may be attached to. */
  readonly nicChoices: Reading<readonly string[]>;
  /** Install images in the folder of the configured one. */
  readonly isos: Reading<readonly string[]>;
}

/** Options of a run. */
export interface RunOptions {
  /** Told of every fact as it happens. */
  readonly observer?: Observer;
  /** Cancels: calls in flight end, nothing new starts, and VMs that are half made are rolled back. */
  readonly signal?: AbortSignal;
}

/** What became of one VM. */
export interface VmResult {
  /** The VM's name. */
  readonly name: string;
  /** What became of it. */
  readonly outcome: VmOutcome;
  /** The NAS's id, where it has one. */
  readonly vmId: number | null;
  /** What happened, in a sentence; null when there is nothing to say. */
  readonly message: string | null;
}

/** What became of a run: every VM by name. */
export interface RunResult {
  /** `done` when every VM is as wanted, `partly-done` when some are, `failed` when none is. */
  readonly status: OperationView["status"];
  /** Every VM, in the order of the plan. */
  readonly vms: readonly VmResult[];
  /** Every step of it. */
  readonly operation: OperationView;
}

/** An operation under way. */
export interface RunningOperation {
  /** Its log so far, to follow. */
  readonly log: OperationLog;
  /** Resolves when it has finished; it never rejects. */
  readonly finished: Promise<OperationView>;
}

/** Either an operation was begun, or the plan is not the one that was shown any more. */
export type Begun<Plan> =
  | { readonly begun: true; readonly operation: RunningOperation }
  | { readonly begun: false; readonly plan: Plan };

/** What is to be created: a whole configuration, or some of its types. */
export interface CreationRequest {
  /** Checked already. */
  readonly configuration: Configuration;
  /** Default: every type of the configuration, each from its usual port. */
  readonly types?: readonly WantedType[];
  /** Where in the file each value stands. */
  readonly places?: Places;
}

/** What is to be destroyed. */
export interface DestructionRequest {
  /** Names before their number. */
  readonly prefixes: readonly string[];
  /** Which go although they do not carry this program's mark. */
  readonly unmarked: Unmarked;
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
  readonly #options: VMManagerOptions;
  readonly #templates: TemplateManager;
  readonly #session: Session;
  readonly #live: LiveInventory;
  /** One operation writes at a time: the next waits for this. */
  #last: Promise<unknown> = Promise.resolve();
  #writing: OperationLog | null = null;
  readonly #cancels = new Map<string, AbortController>();

  /**
   * Sends nothing yet.
   *
   * @throws {ConfigurationError} when the host cannot be read or credentials are missing.
   */
  constructor(options: VMManagerOptions) {
    const address = parseNasAddress(options.host);
    if (!address.ok) throw new ConfigurationError("host", [address.problem]);
    this.#options = options;
    this.operations = new OperationStore(undefined, options.journal ?? null);
    this.#templates = options.templateManager ?? new TemplateManager();
    this.#session = new Session({
      address: address.address,
      username: options.username ?? null,
      password: options.password ?? null,
      apiKey: options.apiKey ?? null,
      caCerts: options.caCerts ?? [],
      guard: { readOnly: options.readOnly ?? false, noDestroy: options.noDestroy ?? false },
      simulated: options.simulated ?? false,
      logger: options.logger ?? silentLogger,
      ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
    });
    this.#live = new LiveInventory(this.#session, options.logger ?? silentLogger);
  }

  /** Where the connection stands. */
  get connection(): SessionState {
    return this.#session.state;
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
    return this.#writing;
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

  /** Connects in the background and goes on trying; what is wrong shows in {@link connection}. */
  keepConnected(): Promise<void> {
    return this.#session.keepConnected();
  }

  /** Signs out and closes the connection. Waits for an operation that is still writing. */
  async disconnect(): Promise<void> {
    await this.#last;
    this.#live.close();
    await this.#session.close();
  }

  /** `await using` disconnects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** The VMs on the NAS, read now. */
  list(): Promise<readonly Vm[]> {
    return readVms(this.#session, this.#patience);
  }

  /** Everything that a plan for this configuration is made from and checked against. */
  async inventory({ configuration, types }: CreationRequest): Promise<Inventory> {
    const { nas } = await this.#session.live(this.#patience.patienceMs);
    const { storage } = configuration;
    return await readInventory(this.#session, {
      nas,
      datasets: [storage.pool_path, ...wantedZvols(configuration, types ?? defaultTypes(configuration))],
      files: [storage.cdrom_path],
    }, this.#patience);
  }

  /** What a form can offer for this configuration: bridges and install images. */
  async choices({ storage }: Configuration): Promise<Choices> {
    return await readChoices(this.#session, isoFolder(storage.cdrom_path), this.#patience);
  }

  /** Plans to create; nothing is changed. */
  async planCreation(request: CreationRequest): Promise<CreationPlan> {
    const { rules } = await this.#session.live(this.#patience.patienceMs);
    const types = request.types ?? defaultTypes(request.configuration);
    const inventory = await this.inventory(request);
    const input = {
      configuration: request.configuration,
      types,
      templates: this.#templateFacts(),
      inventory,
      rules,
    };
    return planCreation(request.places === undefined ? input : { ...input, places: request.places });
  }

  /** Plans to destroy; nothing is changed. */
  async planDestruction(
    prefixes: readonly string[] = DEFAULT_PREFIXES,
    unmarked: Unmarked = "all",
  ): Promise<DestructionPlan> {
    return planDestruction(await this.list(), prefixes, unmarked);
  }

  /**
   * Plans again and creates, if the plan is still the one that was shown.
   *
   * @throws {TrueNASError} when the plan cannot be made.
   */
  beginCreation(request: CreationRequest, shown: string): Promise<Begun<CreationPlan>> {
    return this.#begin(
      () => this.planCreation(request),
      shown,
      (plan, signal) => this.#create(plan, { signal }),
    );
  }

  /** Plans again and destroys, if the plan is still the one that was shown. */
  beginDestruction(
    { prefixes, unmarked }: DestructionRequest,
    shown: string,
  ): Promise<Begun<DestructionPlan>> {
    const makePlan = () => this.planDestruction(prefixes, unmarked);
    return this.#begin(makePlan, shown, (plan, signal) => this.#destroy(plan, { signal }));
  }

  /**
   * Removes what an interrupted creation left: VMs that were not finished, found by the uuid that they were given, and
   * zvols that were made for them. VMs that were finished stay, and so does one that somebody has started since.
   *
   * @returns null when there is nothing of that operation to undo.
   */
  async beginUndo(operationId: string): Promise<RunningOperation | null> {
    const view = this.operations.get(operationId)?.view;
    const vms = view?.status === "interrupted" && view.kind === "create" ? unfinishedVms(view.vms) : [];
    if (view === undefined || vms.length === 0) return null;
    const { promise, resolve, reject } = Promise.withResolvers<RunningOperation>();
    this.#exclusive(async () => {
      const operation = this.#undo(view.title, vms);
      resolve(operation);
      await operation.finished;
    }).catch(reject);
    return await promise;
  }

  /**
   * Cancels an operation that was begun here: calls in flight end, nothing new starts, and VMs that are half made are
   * rolled back. False when there is no such operation, or it is over.
   */
  cancel(operationId: string): boolean {
    const cancel = this.#cancels.get(operationId);
    cancel?.abort();
    return cancel !== undefined;
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
    return await this.#exclusive(async () => {
      const plan = await this.planCreation({
        configuration,
        types: [{ type: vmType, startPort: vncStartPort }],
      });
      return toResult(await this.#create(plan, options).finished);
    });
  }

  /** Plans and creates several types in one operation; otherwise as {@link createVmType}. */
  async create(request: CreationRequest, options: RunOptions = {}): Promise<RunResult> {
    this.#displayPassword();
    return await this.#exclusive(async () => {
      const plan = await this.planCreation(request);
      return toResult(await this.#create(plan, options).finished);
    });
  }

  /** Destroys exactly what a plan names; a VM that is not what was shown any more is left alone and named. */
  async destroyPlanned(plan: DestructionPlan, options: RunOptions = {}): Promise<RunResult> {
    return await this.#exclusive(async () => toResult(await this.#destroy(plan, options).finished));
  }

  /**
   * Destroys the VMs that are called one of the prefixes and a number, with their zvols, and proves that they are
   * gone. Other VMs (`workerold`, say) and zvols that another VM uses are left alone.
   *
   * @throws {TrueNASError} when the VMs cannot be listed; nothing was done.
   */
  async destroyManagedVms(
    vmPrefixes: readonly string[] = DEFAULT_PREFIXES,
    options: RunOptions = {},
  ): Promise<RunResult> {
    return await this.#exclusive(async () => {
      const plan = await this.planDestruction(vmPrefixes);
      return toResult(await this.#destroy(plan, options).finished);
    });
  }

  #check(config: unknown, vmType: string, startPort: number): Configuration {
    const checked = checkConfiguration(config, { require: [vmType] });
    if (!checked.ok) throw new ConfigurationError("configuration", checked.problems);
    if (!Number.isInteger(startPort) || startPort < 1 || startPort > 65_535) {
      const message = `The first display port must be a whole number from 5900 to 65535, found ${startPort}`;
      throw new ConfigurationError("vncStartPort", [{ field: "", message }]);
    }
    return checked.configuration;
  }

  get #patience(): { readonly patienceMs: number } {
    return { patienceMs: this.#options.patienceMs ?? PATIENCE_MS };
  }

  #displayPassword(): string {
    const { vncPassword } = this.#options;
    if (vncPassword !== undefined && vncPassword.trim() !== "") return vncPassword;
    throw new ConfigurationError("VNC_PASSWORD", [{
      field: "vncPassword",
      message: "A display password is needed to create VMs; TrueNAS refuses displays without one",
    }]);
  }

  #templateFacts(): TemplateFacts {
    const display = this.#templates.createDisplayDevice(0, 5900, "");
    const orders = {
      DISPLAY: display.order ?? 1002,
      CDROM: this.#templates.createCdromDevice(0, "/").order ?? 1000,
      NIC: this.#templates.createNicDevice(0, "br0").order ?? 1002,
      DISK: this.#templates.createDiskDevice(0, "", 0).order ?? 1001,
    };
    const { vcpus } = this.#templates.createVmSpec("name", 1, 1, 20);
    return { bind: String(display.attributes.bind ?? "0.0.0.0"), sockets: vcpus ?? 1, orders };
  }

  /** Runs one after another whatever writes; reading for the plan is part of it, so that no plan is stale. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  async #begin<Plan extends { readonly fingerprint: string }>(
    makePlan: () => Promise<Plan>,
    shown: string,
    run: (plan: Plan, signal: AbortSignal) => RunningOperation,
  ): Promise<Begun<Plan>> {
    const { promise, resolve, reject } = Promise.withResolvers<Begun<Plan>>();
    this.#exclusive(async () => {
      const plan = await makePlan();
      if (plan.fingerprint !== shown) return resolve({ begun: false, plan });
      const cancel = new AbortController();
      const operation = run(plan, cancel.signal);
      this.#cancels.set(operation.log.id, cancel);
      resolve({ begun: true, operation });
      await operation.finished;
      this.#cancels.delete(operation.log.id);
    }).catch(reject);
    return await promise;
  }

  #create(plan: CreationPlan, options: RunOptions): RunningOperation {
    const displayPassword = this.#displayPassword();
    const log = this.#openLog(options);
    const active = plan.vms.filter(({ steps }) => steps.length > 0);
    log.append({
      type: "started",
      kind: "create",
      title: `Create ${formatCount(active.length, "VM")}`,
      vms: plan.vms.map((vm) => ({ name: vm.name, steps: vm.steps, summary: describeVm(vm) })),
    });
    for (const vm of plan.vms.filter(({ steps }) => steps.length === 0)) reportUntouched(log, vm);
    const context = {
      caller: this.#session,
      templates: this.#templates,
      displayPassword,
      log,
      settle: this.#options.settle ?? DEFAULT_SETTLE,
      signal: options.signal ?? new AbortController().signal,
    };
    return this.#run(log, active, (vm) => createVm(context, vm));
  }

  #destroy(plan: DestructionPlan, options: RunOptions): RunningOperation {
    const log = this.#openLog(options);
    log.append({
      type: "started",
      kind: "destroy",
      title: `Destroy ${formatCount(plan.vms.length, "VM")} and ${formatCount(plan.totals.zvols, "zvol")}`,
      vms: plan.vms.map((vm) => ({ name: vm.name, steps: DESTRUCTION_STEPS, summary: describeDoomed(vm) })),
    });
    const context = {
      caller: this.#session,
      log,
      settle: this.#options.settle ?? DEFAULT_SETTLE,
      signal: options.signal ?? new AbortController().signal,
    };
    return this.#run(log, plan.vms, (vm) => destroyVm(context, vm));
  }

  #undo(title: string, vms: readonly OperationVmView[]): RunningOperation {
    const log = this.#openLog({});
    log.append({
      type: "started",
      kind: "undo",
      title: `Remove what is unfinished of: ${title}`,
      vms: vms.map(({ name, summary }) => ({ name, steps: ["look"], summary })),
    });
    const context = { caller: this.#session, log, settle: this.#options.settle ?? DEFAULT_SETTLE };
    return this.#run(log, vms, (vm) => undoVm(context, vm));
  }

  #openLog({ observer }: RunOptions): OperationLog {
    const log = this.operations.create();
    if (observer !== undefined) log.observe((event) => this.#tell(observer, event));
    return log;
  }

  /** An observer's own error must not stop an operation half-way. */
  #tell(observer: Observer, event: OperationEvent): void {
    try {
      observer(event);
    } catch (error) {
      this.#options.logger?.error("An observer of an operation failed", { error: String(error) });
    }
  }

  #run<T>(log: OperationLog, items: readonly T[], work: (item: T) => Promise<void>): RunningOperation {
    const finish = async () => {
      this.#writing = log;
      try {
        await eachLimited(items, this.#options.parallel ?? MAX_RUNNING_CALLS, work);
        log.append({ type: "finished", status: overallStatus(log.view) });
      } catch (error) {
        log.append({ type: "finished", status: "failed", message: describeError(error).message });
        this.#options.logger?.error("An operation ended in an error of this program", {
          error: String(error),
        });
      } finally {
        this.#writing = null;
      }
      return log.view;
    };
    return { log, finished: finish() };
  }
}

function isoFolder(isoPath: string): string | null {
  return isoPath.replace(/\/[^/]*$/, "") || null;
}

/** Every type of a configuration from its usual port. */
export function defaultTypes(configuration: Configuration): WantedType[] {
  const types = vmTypes(configuration);
  return types.map((type) => ({ type, startPort: firstDisplayPort(type, types) }));
}

function wantedZvols(configuration: Configuration, types: readonly WantedType[]): string[] {
  return types.flatMap(({ type }) => {
    const section = configuration[type];
    if (section === undefined || !("count" in section)) return [];
    const disks = Object.keys(section.disk);
    return Array.from({ length: section.count }, (_, index) => vmName(type, index + 1))
      .flatMap((name) => disks.map((_, n) => zvolName(configuration.storage.pool_path, name, n)));
  });
}

function toResult(view: OperationView): RunResult {
  const vms = view.vms.map(({ name, outcome, vmId, message }) => ({
    name,
    outcome: outcome ?? "failed",
    vmId,
    message,
  }));
  return { status: view.status, vms, operation: view };
}
