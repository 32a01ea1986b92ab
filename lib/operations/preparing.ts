/** Prepares operations that create VMs, and those that go on with an operation or take it back. */
import type { Configuration } from "../configuration/configuration.ts";
import { resumedCheckpoint, undoingCheckpoint } from "../checkpoints/specs.ts";
import { ConfigurationError } from "../errors/errors.ts";
import type { Acquirer } from "../images/acquiring/acquirer.ts";
import type { HeaderChecks } from "../images/acquiring/header_checks.ts";
import { acquisition, discarding, wantedAgain } from "../images/acquiring/image_operation.ts";
import type { SeedFiles } from "../first_boot/rendering/seed.ts";
import type { SeedKeeper } from "../first_boot/serving/seed_keeper.ts";
import { seedSource } from "../first_boot/steps/seed_source.ts";
import { imageDataset } from "../images/planned_image.ts";
import type { CreationRequest, OngoingReplacement } from "../plan/creation_input.ts";
import type { RollBackPlan } from "../plan/roll_back.ts";
import type { CreationPlan, PlannedVm } from "../plan/types.ts";
import { defaultTypes } from "../plan/wanted.ts";
import type { TemplateManager } from "../template_manager.ts";
import type { VersionRules } from "../truenas/versions.ts";
import type { Planner } from "./planner.ts";
import type { OperationStore } from "./record/store.ts";
import { recoveryOf } from "./recovery.ts";
import { awaitedVms, macsOf, replacementsOf, resumedReconciling, withDefaults } from "./resuming.ts";
import type { OperationRunner, OperationSpec } from "./runner.ts";
import { creation, destruction, undoing } from "./specs.ts";
import type { Guests } from "./steps/ready_step.ts";
import type { RefusedPorts } from "./steps/refused_ports.ts";
import type { OperationView } from "./types.ts";

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
  /** Brings images to the NAS. */
  readonly acquirer: Acquirer;
  /** Reads the headers of image files. */
  readonly headers: HeaderChecks;
  /** Serves guests their seeds; null when they cannot fetch from this program. */
  readonly seedKeeper: SeedKeeper | null;
  /** Serves the seeds that an earlier program served, where it did not yet. */
  readonly serveSeedsAgain: () => Promise<void>;
  /** What seeds are made from. */
  readonly seedFiles: SeedFiles;
  /** How guests are waited for. */
  readonly guests: () => Guests;
  /** The displays' password; required to create VMs. */
  readonly displayPassword: string | null;
}

/** What is done with an operation of any kind that was prepared. */
export type Start<R> = <T>(spec: OperationSpec<T>) => R;

/** Prepares operations; see the file's comment. */
export class Preparing {
  readonly #options: OperationsOptions;

  /** Starts nothing. */
  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /**
   * Creates the VMs of a plan, and goes on with replacements by the VM's name.
   *
   * @throws {ConfigurationError} when there is no display password.
   */
  creation(
    plan: CreationPlan,
    request: CreationRequest,
    ongoing: ReadonlyMap<string, OngoingReplacement> = new Map(),
  ): OperationSpec<PlannedVm> {
    const { configuration, types = defaultTypes(configuration), reconcile, sources, waitReady } = request;
    const { refusedPorts, templates, deviceUpdate, acquirer, headers, guests } = this.#options;
    const { seedKeeper, seedFiles } = this.#options;
    const replaced = plan.vms.filter(({ name, action }) =>
      ongoing.has(name) || (action === "replace" && reconcile?.replace.includes(name) === true)
    ).map((vm) => ongoing.get(vm.name)?.confirmed ?? vm);
    return creation(plan, {
      request: {
        kind: "create",
        configuration,
        types,
        macs: macsOf(plan),
        ...(reconcile === undefined ? {} : { reconcile }),
        ...(replaced.length === 0 ? {} : { replaced }),
        ...(sources === undefined ? {} : { sources }),
        ...(waitReady === undefined ? {} : { waitReady }),
      },
      resumed: ongoing.size > 0,
      deviceUpdate,
      templates: (type) => templates(configuration, type),
      displayPassword: this.expectPassword(),
      refusedPorts,
      acquirer,
      headers,
      seeds: {
        keeper: seedKeeper,
        source: seedSource(configuration, seedFiles),
        disks: { acquirer, dataset: imageDataset(configuration.storage) },
      },
      guests,
    });
  }

  /** Goes on with an operation: what is missing is planned again. */
  async resume<R>(view: OperationView, start: Start<R>): Promise<R> {
    const { acquirer, store, planner } = this.#options;
    const { request } = view;
    const names = recoveryOf(view).resumable.map(({ name }) => name);
    const isResumable = ({ name }: { readonly name: string }) => names.includes(name);
    if (request === null) throw new TypeError("An operation without a request cannot be resumed");
    if (request.kind === "image") return start(acquisition(wantedAgain(request), acquirer));
    if (request.kind === "destroy") {
      const vms = request.vms.filter(isResumable).map(withDefaults);
      return start(destruction({ ...request, vms }, { resumed: true }));
    }
    if (request.kind !== "create") return resumedCheckpoint({ request, view, names }, start);
    await this.#options.serveSeedsAgain();
    const ongoing = replacementsOf(view, store.list());
    const plan = await planner.creation(request, { ongoing, awaited: awaitedVms(view) });
    const again = { ...request, ...resumedReconciling(view, request) };
    return start(this.creation({ ...plan, vms: plan.vms.filter(isResumable) }, again, ongoing));
  }

  /** Takes an operation back, with the snapshots that a plan has shown. */
  undo<R>(view: OperationView, shown: RollBackPlan | null, start: Start<R>): R {
    const { displayPassword, deviceUpdate } = this.#options;
    if (view.kind === "image") return start(discarding(view));
    if (view.request?.kind === "checkpoint") return start(undoingCheckpoint(view, view.request));
    const restoring = { displayPassword: displayPassword ?? "", deviceUpdate };
    return start(undoing(view, shown?.vms ?? [], restoring));
  }

  /**
   * The displays' password.
   *
   * @throws {ConfigurationError} when there is none.
   */
  expectPassword(): string {
    const { displayPassword } = this.#options;
    if (displayPassword !== null && displayPassword.trim() !== "") return displayPassword;
    throw new ConfigurationError("VNC_PASSWORD", [{
      field: "vncPassword",
      message: "Creating VMs requires a display password, because TrueNAS refuses displays without one",
    }]);
  }
}
