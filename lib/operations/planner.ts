/** Reads the NAS and plans: what is to be created, destroyed, cleaned up or rolled back. Nothing is changed. */
import type { Configuration } from "../configuration/configuration.ts";
import type { Inventory, Vm } from "../inventory/inventory.ts";
import { type NasInventory, PAGE_READING_MS } from "../inventory/nas_inventory.ts";
import { planCreation } from "../plan/creation.ts";
import type { CreationRequest } from "../plan/creation_input.ts";
import { type DestructionRequest, planDestruction, zvolsToGo } from "../plan/destruction.ts";
import { findOrphans, type OrphanPlan, orphanZvolNames } from "../plan/orphans.ts";
import type { RemovalFacts } from "../plan/removal.ts";
import { planRollBack, type RollBackPlan } from "../plan/roll_back.ts";
import { factsOf } from "../plan/template_facts.ts";
import type { CreationPlan, DestructionPlan } from "../plan/types.ts";
import { defaultTypes, wantedVms } from "../plan/wanted.ts";
import type { TemplateManager } from "../template_manager.ts";
import type { WriteGuard } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import {
  type Patience,
  readInventory,
  readMarkedZvols,
  type ReadOptions,
  readVms,
} from "../truenas/read_inventory.ts";
import { readRelations } from "../truenas/read_relations.ts";
import { hasRole } from "../truenas/roles.ts";
import { evidenceOf, neverStarted, plannedMacsOf, runningFacts, unfinishedVms } from "./history.ts";
import { recoveryOf } from "./recovery.ts";
import { journalledZvols } from "./steps/created_resources.ts";
import type { OperationStore } from "./store.ts";
import type { OperationView } from "./types.ts";

/** A reading that took no longer, in milliseconds, is a look at how the NAS is now. */
const FRESH_MS = 1_000;

/** What plans are made with. */
export interface PlannerOptions {
  readonly session: Session;
  readonly inventory: NasInventory;
  /** What earlier operations tell. */
  readonly store: OperationStore;
  /** The templates of a VM type, with what it overrides. */
  readonly templates: (configuration: Configuration, type: string) => TemplateManager;
  /** Display ports that the NAS refused. */
  readonly refusedPorts: Iterable<number>;
  /** Characters of the displays' password; null when there is none. */
  readonly passwordChars: number | null;
  /** Refuses calls that change or delete something. */
  readonly guard: WriteGuard;
  readonly patience: Patience;
}

/** Makes plans; see the file's comment. */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #session: Session;
  readonly #inventory: NasInventory;
  readonly #patience: Patience;

  /** Reads nothing yet. */
  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#inventory = options.inventory;
    this.#patience = options.patience;
  }

  /** Plans to create. */
  async creation(request: CreationRequest): Promise<CreationPlan> {
    const { rules } = await this.#session.live(this.#patience.connectionWaitMs);
    const types = request.types ?? defaultTypes(request.configuration);
    const inventory = await this.#inventoryFor(request);
    const input = {
      configuration: request.configuration,
      types,
      templates: factsOf((type) => this.#options.templates(request.configuration, type)),
      passwordChars: this.#options.passwordChars,
      inventory,
      rules,
      refusedPorts: this.#options.refusedPorts,
      plannedMacs: (vm: string, existing: boolean) =>
        request.macs?.[vm] ?? (existing ? plannedMacsOf(this.#options.store.list(), vm) : null),
    };
    return planCreation(request.places === undefined ? input : { ...input, places: request.places });
  }

  /** Everything that a plan for this configuration is made from and checked against. */
  async #inventoryFor({ configuration, types }: CreationRequest): Promise<Inventory> {
    const { nas, rules } = await this.#session.live(this.#patience.connectionWaitMs);
    const { storage } = configuration;
    const wanted = wantedVms(configuration, types ?? defaultTypes(configuration));
    return await readInventory(this.#session, {
      nas,
      datasets: [storage.pool_path, ...wanted.flatMap(({ zvols }) => zvols)],
      files: [storage.cdrom_path],
      vms: wanted.map(({ name }) => name),
      neverStarted: neverStarted(this.#options.store.list()),
      showsRun: rules.showsRun,
      pool: storage.pool_path.split("/")[0] ?? storage.pool_path,
    }, { ...this.#patience, expected: this.#inventory.likelyZvols });
  }

  /** Plans to destroy; `read` is what the plan was made from, when that is how the NAS is now. */
  async destruction(
    request: DestructionRequest,
  ): Promise<{ readonly plan: DestructionPlan; readonly read: readonly Vm[] }> {
    const began = performance.now();
    const evidence = evidenceOf(this.#options.store.list());
    const zvolsOf = (vms: readonly Vm[]) => zvolsToGo(planDestruction(vms, request, evidence));
    // What the list shows is likely what goes: what depends on it is read at the same time.
    const expected = zvolsOf(this.#inventory.live.snapshot.vms ?? []);
    const [vms, early] = await Promise.all([this.#inventory.list(), this.#removalFacts(expected)]);
    const readMs = performance.now() - began;
    // What took long, over a slow NAS or a lost connection, is no look at how it is now.
    const read = readMs < FRESH_MS ? vms : [];
    const zvols = zvolsOf(vms);
    const facts = zvols.every((zvol) => expected.includes(zvol)) ? early : await this.#removalFacts(zvols);
    return { plan: planDestruction(vms, request, evidence, facts), read };
  }

  /** Looks for what carries this program's marks and belongs to nothing, but for the names left out. */
  async cleaning(left: readonly string[] = []): Promise<OrphanPlan> {
    const [vms, zvols] = await Promise.all([
      this.#inventory.list(),
      readMarkedZvols(this.#session, this.#patience),
    ]);
    const views = this.#options.store.list();
    const facts = {
      vms,
      zvols,
      unfinished: unfinishedVms(views),
      running: runningFacts(views),
      journal: evidenceOf(views),
      left,
    };
    const removal = await this.#removalFacts(orphanZvolNames(findOrphans(facts)));
    return findOrphans({ ...facts, removal });
  }

  /** Reads what depends on the zvols that rolling an operation back would remove; null when there are none, or no connection. */
  async rollBack(view: OperationView): Promise<RollBackPlan | null> {
    const { removable } = recoveryOf(view);
    const made = removable.map((vm) => ({ name: vm.name, zvols: journalledZvols(vm) }));
    const zvols = made.flatMap((vm) => vm.zvols);
    if (zvols.length === 0 || this.#session.state.kind !== "live") return null;
    const options = { ...this.#patience, timeoutMs: PAGE_READING_MS };
    const [vms, facts] = await Promise.all([
      readVms(this.#session, options),
      this.#removalFacts(zvols, options),
    ]);
    return planRollBack(made, vms, facts);
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
      refusal: refusalOf(this.#options.guard),
    };
  }
}

/** Told in the plan: a destruction that began all the same would power VMs off before its first deletion is refused. */
function refusalOf({ readOnly, noDestroy }: WriteGuard): string | null {
  const setting = readOnly ? "READ_ONLY" : noDestroy ? "NO_DESTROY" : null;
  return setting === null
    ? null
    : `${setting} is set, so nothing is deleted on the NAS: start the program without it to destroy`;
}
