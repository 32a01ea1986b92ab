/** Reads the NAS and plans what to create, destroy, clean up or roll back. Changes nothing. */
import { type Configuration, vmTypeOf } from "../configuration/configuration.ts";
import { cdromOf } from "../configuration/sections.ts";
import type { Acquirer } from "../images/acquiring/acquirer.ts";
import type { HeaderChecks } from "../images/acquiring/header_checks.ts";
import { isUnreachable } from "../first_boot/planning/seed_way.ts";
import { readSeeds, type SeedHost } from "../first_boot/planning/seeds_read.ts";
import type { SeedFiles } from "../first_boot/rendering/seed.ts";
import { imageDataset } from "../images/planned_image.ts";
import type { KnownAddresses } from "../first_boot/addresses/known_addresses.ts";
import { NeighbourReader } from "../first_boot/addresses/neighbours.ts";
import { readImages } from "../images/read_images.ts";
import { readImageRows } from "../images/listing/read_image_list.ts";
import {
  type ImageRemovalPlan,
  type ImageRemovalRequest,
  partsOf,
  planImageRemoval,
} from "../images/removing/plan.ts";
import type { Inventory, NasInterface, Vm } from "../inventory/inventory.ts";
import { type NasInventory, PAGE_READING_MS } from "../inventory/nas_inventory.ts";
import { compareWithType, planCreation } from "../plan/creation.ts";
import type { CreationInput, CreationRequest, OngoingReplacement } from "../plan/creation_input.ts";
import { type DestructionRequest, planDestruction, zvolsToRemove } from "../plan/destruction.ts";
import { findOrphans, type OrphanPlan, orphanZvolNames } from "../plan/orphans.ts";
import type { RemovalFacts } from "../plan/removal.ts";
import type { KeptByReplacement } from "../plan/replacing/kept.ts";
import { zvolsToReplace } from "../plan/replacing/replacement.ts";
import { planRollBack, type RollBackPlan } from "../plan/roll_back.ts";
import { factsOf } from "../plan/template_facts.ts";
import type { CreationPlan, DestructionPlan, PlannedVm } from "../plan/types.ts";
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
import { readInterfaces } from "../truenas/read_interfaces.ts";
import { readRelations } from "../truenas/read_relations.ts";
import { hasRole } from "../truenas/roles.ts";
import {
  evidenceOf,
  neverStarted,
  plannedMacsOf,
  runningFacts,
  singleVms,
  type UnfinishedReplacement,
  unfinishedReplacements,
  unfinishedVms,
} from "./record/history.ts";
import { addressesInUse } from "./record/given_addresses.ts";
import { recoveryOf } from "./recovery.ts";
import { claimedBy, type Claims } from "./turns/claims.ts";
import { journalledZvols } from "./steps/created_resources.ts";
import type { OperationStore } from "./record/store.ts";
import type { OperationView } from "./types.ts";

/** A reading that took longer than this, in milliseconds, no longer counts as the present state of the NAS. */
const FRESH_MS = 1_000;

/** What planning needs. */
export interface PlannerOptions {
  readonly session: Session;
  readonly inventory: NasInventory;
  /** Earlier operations. */
  readonly store: OperationStore;
  /** The templates of a VM type, with its overrides. */
  readonly templates: (configuration: Configuration, type: string) => TemplateManager;
  /** Grows with each template that is replaced. */
  readonly templatesRevision: () => number;
  /** Display ports that the NAS refused. */
  readonly refusedPorts: Iterable<number>;
  /** What running operations have for themselves. */
  readonly claims: Claims;
  /** Length of the displays' password; null when there is none. */
  readonly passwordChars: number | null;
  /** Reads the headers of image files. */
  readonly headers: HeaderChecks;
  /** Knows the ways by which images come to the NAS. */
  readonly acquirer: Acquirer;
  /** How guests can fetch their seeds. */
  readonly seedHost: SeedHost;
  /** What seeds are made from. */
  readonly seedFiles: SeedFiles;
  readonly guard: WriteGuard;
  readonly patience: Patience;
  /** In milliseconds; never set back. */
  readonly clock: () => number;
}

/** What an operation began that is to go on. */
export interface Begun {
  /** Replacements, by the VM's name. */
  readonly ongoing?: ReadonlyMap<string, OngoingReplacement>;
  /** The uuids of VMs that only have to be waited for. */
  readonly awaited?: ReadonlySet<string>;
}

/** Makes plans; see the file's comment. */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #neighbours: NeighbourReader;
  #compared: {
    readonly configuration: Configuration;
    readonly revision: number;
    readonly templates: ReturnType<typeof factsOf>;
  } | null = null;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#neighbours = new NeighbourReader(options.session, options.clock);
  }

  /** Plans to create VMs, and to go on with what an earlier operation began. */
  async creation(
    request: CreationRequest,
    { ongoing = new Map(), awaited = new Set() }: Begun = {},
  ): Promise<CreationPlan> {
    const { configuration, places, macs, sources, types = defaultTypes(configuration) } = request;
    const { session, patience, templates, passwordChars, refusedPorts, claims, headers, acquirer } =
      this.#options;
    // Before the NAS is read: what belongs to an operation that ends meanwhile may be missing there.
    const claimed = claimedBy(claims.held());
    const { nas, rules } = await session.live(patience.connectionWaitMs);
    const { pool_path } = configuration.storage;
    const wanted = wantedVms(configuration, types);
    const sections = types.map(({ type }) => vmTypeOf(configuration, type));
    const cdroms = sections.flatMap((section) => cdromOf(section, configuration.storage) ?? []);
    const imageDatasets = sections.some(({ image }) => image !== undefined)
      ? [imageDataset(configuration.storage)]
      : [];
    const imaged = types.filter(({ type }) => vmTypeOf(configuration, type).image !== undefined);
    const earlier = this.#options.store.list();
    const { seedHost, seedFiles } = this.#options;
    const hasSeeds = sections.some(({ seed }) => seed !== undefined);
    const asksReach = hasSeeds && seedHost.host !== null && !isUnreachable(seedHost.host);
    const [inventory, images, seeds, seedDiskWays, interfaces] = await Promise.all([
      readInventory(session, {
        nas,
        datasets: [pool_path, ...imageDatasets, ...wanted.flatMap(({ zvols }) => zvols), ...zvolsOf(ongoing)],
        files: [...new Set(cdroms)],
        vms: wanted.map(({ name }) => name),
        neverStarted: neverStarted(earlier),
        showsRun: rules.showsRun,
        pool: pool_path.split("/")[0] ?? pool_path,
      }, { ...patience, expected: this.#options.inventory.likelyZvols }),
      readImages(session, {
        configuration,
        images: [...new Set(sections.flatMap(({ image }) => image ?? []))],
        zvols: wantedVms(configuration, imaged).flatMap(({ zvols }) => zvols.slice(0, 1)),
        rules,
        headers,
        ways: (dataset) => acquirer.ways(dataset),
      }, patience),
      readSeeds({ ...seedHost, configuration, types: types.map(({ type }) => type), files: seedFiles }),
      hasSeeds ? acquirer.ways(imageDataset(configuration.storage)) : null,
      asksReach
        ? readInterfaces(session, { ...patience, roles: nas.roles })
        : new Map<string, NasInterface>(),
    ]);
    const input: CreationInput = {
      configuration,
      images,
      seeds,
      interfaces,
      types,
      templates: factsOf((type) => templates(configuration, type)),
      passwordChars,
      inventory,
      rules,
      refusedPorts,
      claimed,
      evidence: evidenceOf(earlier),
      single: singleVms(earlier),
      plannedMacs: (vm, existing) => macs?.[vm] ?? (existing ? plannedMacsOf(earlier, vm) : null),
      ongoing,
      awaited,
      waitReady: request.waitReady ?? true,
      ...(request.anew === undefined ? {} : { anew: new Set(request.anew) }),
      unfinished: new Map(unfinishedReplacements(earlier).flatMap(keptZvols)),
      ...(seedDiskWays === null ? {} : { seedDiskWays }),
      ...(places === undefined ? {} : { places }),
      ...(sources === undefined ? {} : { sources }),
    };
    const draft = planCreation(input);
    const addresses = await this.#knownAddresses(draft, inventory, request.asksNetwork ?? true);
    const known: CreationInput = addresses === null ? input : { ...input, addresses };
    const plan = addresses === null ? draft : planCreation(known);
    const zvols = zvolsToReplace(plan.vms);
    if (zvols === null) return plan;
    return planCreation({ ...known, removal: await this.#removalFacts(zvols) });
  }

  /** What is known of the addresses that new NICs are to get; null when they get none. */
  async #knownAddresses(
    { vms }: CreationPlan,
    { nas, vms: present }: Inventory,
    asks: boolean,
  ): Promise<KnownAddresses | null> {
    const { inventory: { live }, store, patience } = this.#options;
    const wanted = newAddresses(vms);
    if (wanted.length === 0) return null;
    const reported = (live.snapshot.vms ?? []).flatMap(({ name, nics }) =>
      nics.flatMap(({ ip, attach }) =>
        ip === null ? [] : [{ address: ip.address, vm: name, attach, by: "agent" } as const]
      )
    );
    const given = addressesInUse(store.list(), new Set(present.map(({ name }) => name)));
    const vmsKnown = { vms: [...reported, ...given] };
    return asks
      ? { ...vmsKnown, neighbours: await this.#neighbours.read(wanted, nas.roles, patience) }
      : vmsKnown;
  }

  /**
   * What a creation would do with a VM of a type, from what is known: nothing is read. Null without a connection.
   *
   * @throws {ConfigurationError} when the configuration does not have the type, or a template is wrong.
   */
  comparison(configuration: Configuration, type: string, vm: Vm): PlannedVm | null {
    const { session: { state } } = this.#options;
    if (state.kind !== "live") return null;
    const unread = { known: false, because: "they decide nothing here" } as const;
    return compareWithType(
      {
        configuration,
        templates: this.#templateFacts(configuration),
        inventory: {
          nas: state.nas,
          // The ports and zvols of other VMs matter only to what is created.
          vms: [],
          datasets: unread,
          zvolBlockSize: unread,
        },
        vmUpdateRefuses: state.rules.vmUpdateRefuses,
      },
      type,
      vm,
    );
  }

  /** The same for all VMs that are compared with one configuration. */
  #templateFacts(configuration: Configuration): ReturnType<typeof factsOf> {
    const { templates, templatesRevision } = this.#options;
    const revision = templatesRevision();
    if (this.#compared?.configuration !== configuration || this.#compared.revision !== revision) {
      const facts = factsOf((type) => templates(configuration, type));
      this.#compared = { configuration, revision, templates: facts };
    }
    return this.#compared.templates;
  }

  /** Plans to destroy VMs; `read` has the VMs that the plan was made from, if they show the present state. */
  async destruction(
    request: DestructionRequest,
  ): Promise<{ readonly plan: DestructionPlan; readonly read: readonly Vm[] }> {
    const { inventory, store, clock } = this.#options;
    const startedAt = clock();
    const evidence = evidenceOf(store.list());
    const zvolsOf = (vms: readonly Vm[]) => zvolsToRemove(planDestruction(vms, request, evidence));
    // The live list most likely has the same VMs, so what depends on their zvols is read at the same time.
    const expected = zvolsOf(inventory.live.snapshot.vms ?? []);
    const [vms, early] = await Promise.all([inventory.list(), this.#removalFacts(expected)]);
    const read = clock() - startedAt < FRESH_MS ? vms : [];
    const zvols = zvolsOf(vms);
    const facts = zvols.every((zvol) => expected.includes(zvol)) ? early : await this.#removalFacts(zvols);
    return { plan: planDestruction(vms, request, evidence, facts), read };
  }

  /** Finds VMs and zvols with this program's marks that belong to nothing, except for names to keep. */
  async cleaning(left: readonly string[] = []): Promise<OrphanPlan> {
    const { inventory, session, patience, store } = this.#options;
    const [vms, zvols] = await Promise.all([inventory.list(), readMarkedZvols(session, patience)]);
    const views = store.list();
    const facts = {
      vms,
      zvols,
      unfinished: unfinishedVms(views),
      running: runningFacts(views),
      journal: evidenceOf(views),
      left,
      kept: new Map(unfinishedReplacements(views).flatMap(keptZvols)),
    };
    const removal = await this.#removalFacts(orphanZvolNames(findOrphans(facts)));
    return findOrphans({ ...facts, removal });
  }

  /** Plans a rollback; null when it would remove no zvols, or when there is no connection. */
  async rollBack(view: OperationView): Promise<RollBackPlan | null> {
    const { session, patience } = this.#options;
    const { removable } = recoveryOf(view);
    const created = removable.map((vm) => ({ name: vm.name, zvols: journalledZvols(vm) }));
    const zvols = created.flatMap((vm) => vm.zvols);
    if (zvols.length === 0 || session.state.kind !== "live") return null;
    const options = { ...patience, timeoutMs: PAGE_READING_MS };
    const [vms, facts] = await Promise.all([
      readVms(session, options),
      this.#removalFacts(zvols, options),
    ]);
    return planRollBack(created, vms, facts);
  }

  /** Plans to remove an image; the configuration says which types use it. */
  async imageRemoval(
    request: ImageRemovalRequest,
    configuration: Configuration | null,
  ): Promise<ImageRemovalPlan> {
    const { inventory, session, patience } = this.#options;
    const [{ nas, rules }, vms, rows] = await Promise.all([
      session.live(patience.connectionWaitMs),
      inventory.list(),
      readImageRows(session, patience),
    ]);
    const dataset = configuration === null ? null : imageDataset(configuration.storage);
    const parts = partsOf(request, { rows, dataset }).map(({ name }) => name);
    const types = Object.entries(configuration?.types ?? {}).filter(([, { image }]) =>
      image === request.image
    );
    return planImageRemoval(request, {
      rows,
      dataset,
      vms,
      removal: await this.#removalFacts(parts),
      roles: nas.roles,
      promoteRoles: rules.promoteRoles,
      types: types.map(([type]) => type),
      declaredPath: configuration?.images?.[request.image]?.path ?? null,
    });
  }

  /** Reads what depends on zvols to be removed, and whether the account may remove it. */
  async #removalFacts(
    zvols: readonly string[],
    options: ReadOptions = this.#options.patience,
  ): Promise<RemovalFacts> {
    const { session, guard } = this.#options;
    const relations = zvols.length === 0
      ? { snapshots: { known: true, value: [] }, clones: { known: true, value: [] } } as const
      : await readRelations(session, zvols, options);
    const { state } = session;
    const roles = state.kind === "live" ? state.nas.roles : null;
    return {
      relations,
      mayDeleteSnapshots: hasRole(roles, "SNAPSHOT_DELETE"),
      mayDeleteZvols: hasRole(roles, "DATASET_DELETE"),
      refusal: refusalOf(guard),
    };
  }
}

/** The static addresses of NICs that the plan creates. */
function newAddresses(vms: readonly PlannedVm[]): readonly string[] {
  return vms.flatMap(({ devices, steps }) =>
    devices.flatMap((device) =>
      device.dtype === "NIC" && device.ip !== undefined && steps.includes(device.step)
        ? device.ip.address
        : []
    )
  );
}

/** The zvols of replacements that are to go on, whatever their names. */
function zvolsOf(ongoing: ReadonlyMap<string, OngoingReplacement>): readonly string[] {
  return [...ongoing.values()].flatMap(({ confirmed: { replacement } }) => [
    ...(replacement?.zvols ?? []).map(({ name }) => name),
    ...(replacement?.devices ?? []).flatMap((device) => device.dtype === "DISK" ? device.zvol : []),
  ]);
}

/** The zvols that an unfinished replacement keeps; none while the old VM still has them. */
function keptZvols(
  { confirmed, successors, operation, isOpen, isRemoved }: UnfinishedReplacement,
): readonly (readonly [string, KeptByReplacement])[] {
  if (!isRemoved) return [];
  const uuids = [...successors, confirmed.vmUuid ?? ""];
  const remedy = isOpen
    ? `resume the operation ${operation}`
    : "attach it to a VM, or delete or rename it, in TrueNAS";
  return (confirmed.replacement?.keeps ?? []).map(({ zvol }) => [zvol, { uuids, remedy }]);
}

/** Part of the plan, because a destruction would otherwise power VMs off before its first deletion is refused. */
function refusalOf({ readOnly, noDestroy }: WriteGuard): string | null {
  const setting = readOnly ? "READ_ONLY" : noDestroy ? "NO_DESTROY" : null;
  return setting === null
    ? null
    : `${setting} is set, so nothing can be deleted on the NAS. Restart the program without it to destroy`;
}
