/** Checkpoints of one NAS: reading, planning, taking, rolling back and removing them. */
import type { Reading, Vm } from "../inventory/inventory.ts";
import type { NasInventory } from "../inventory/nas_inventory.ts";
import type { Operations, StartedOrReplanned } from "../operations/operations.ts";
import type { RunOptions } from "../operations/runner.ts";
import type { WriteGuard } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import { type Patience, reading } from "../truenas/read_inventory.ts";
import type { VersionRules } from "../truenas/versions.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Keeping, PlanFacts, Rights } from "./plan/facts.ts";
import type { CheckpointPlan, CheckpointRemovalPlan, RollbackPlan } from "./plan/plans.ts";
import { planCheckpointRemoval } from "./plan/removing.ts";
import { planRollback, type RollbackRequest } from "./plan/rolling_back.ts";
import { planCheckpoint } from "./plan/taking.ts";
import { readCheckpoints } from "./read_checkpoints.ts";
import { selectVms, type VmSelection } from "./selection.ts";
import { forgetting, rollingBack, taking } from "./specs.ts";

/** A checkpoint to take. */
export interface CheckpointWish {
  /** Its name. */
  readonly name: string;
  /** Free text. */
  readonly note?: string;
  /** Whether running VMs are shut down first and started afterwards; default false. */
  readonly shutdown?: boolean;
  /** The VMs. */
  readonly select: VmSelection;
  /** How long checkpoints of these VMs are kept; default for ever. */
  readonly keeping?: Keeping;
}

/** What checkpoints need. */
export interface CheckpointsOptions {
  readonly session: Session;
  readonly inventory: NasInventory;
  readonly operations: Operations;
  readonly guard: WriteGuard;
  readonly patience: Patience;
}

/** The checkpoints; see the file's comment. */
export class Checkpoints {
  readonly #options: CheckpointsOptions;

  /** Sends nothing yet. */
  constructor(options: CheckpointsOptions) {
    this.#options = options;
  }

  /**
   * Reads them, the newest first.
   *
   * @throws {TrueNASError} when the VMs cannot be read.
   */
  async list(): Promise<Reading<readonly Checkpoint[]>> {
    const { read } = await this.#facts();
    return read.known ? { known: true, value: read.value.checkpoints } : read;
  }

  /** Plans a checkpoint; nothing is changed. */
  async planCheckpoint(wish: CheckpointWish): Promise<CheckpointPlan> {
    const { name, note = "", shutdown = false, select, keeping = {} } = wish;
    const zvolsOf = (vms: readonly Vm[]) =>
      selectVms(vms, select).vms.flatMap(({ disks }) => disks.flatMap(({ zvol }) => zvol ?? []));
    const facts = await this.#facts(zvolsOf, keeping);
    const { vms, missing } = selectVms(facts.vms, select);
    const plan = planCheckpoint({ name, note, shutdown, vms }, facts);
    const problems = missing.map((what) => ({ field: "", message: `No VM matches ${what}` }));
    // What was asked for and is not there says already why nothing is selected.
    const others = vms.length === 0 && problems.length > 0
      ? plan.problems.filter(({ field }) => field !== "")
      : plan.problems;
    return { ...plan, problems: [...problems, ...others] };
  }

  /** Plans again and takes the checkpoint, if the list of VMs is still the one with the fingerprint `shown`. */
  startCheckpoint(
    wish: CheckpointWish,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<CheckpointPlan>> {
    return this.#options.operations.startPlanned(shown, async () => {
      const plan = await this.planCheckpoint(wish);
      const { name, note, vms } = plan;
      const spec = taking({ kind: "checkpoint", plan: { name, note, vms } });
      return { plan, spec, isReady: plan.problems.length === 0 };
    }, options);
  }

  /** Plans a rollback; nothing is changed. */
  async planRollback(request: RollbackRequest): Promise<RollbackPlan> {
    return planRollback(request, await this.#facts());
  }

  /** Plans again and rolls back, if the plan is still the one with the fingerprint `shown`. */
  startRollback(
    request: RollbackRequest,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<RollbackPlan>> {
    return this.#options.operations.startPlanned(shown, async () => {
      const plan = await this.planRollback(request);
      const { checkpoint, vms } = plan;
      const spec = rollingBack({ kind: "rollback", plan: { checkpoint, vms } });
      return { plan, spec, isReady: plan.problems.length === 0 };
    }, options);
  }

  /** Plans the removal of a checkpoint; nothing is changed. */
  async planRemoval(name: string): Promise<CheckpointRemovalPlan> {
    return planCheckpointRemoval(name, await this.#facts());
  }

  /** Plans again and removes the checkpoint, if the plan is still the one with the fingerprint `shown`. */
  startRemoval(
    name: string,
    shown: string,
    options: RunOptions = {},
  ): Promise<StartedOrReplanned<CheckpointRemovalPlan>> {
    return this.#options.operations.startPlanned(shown, async () => {
      const plan = await this.planRemoval(name);
      const { checkpoint, vms } = plan;
      const spec = forgetting({ kind: "remove-checkpoint", plan: { checkpoint, vms } });
      return { plan, spec, isReady: plan.problems.length === 0 };
    }, options);
  }

  async #facts(
    zvolsOf: (vms: readonly Vm[]) => readonly string[] = () => [],
    keeping: Keeping = {},
  ): Promise<PlanFacts> {
    const { session, inventory, operations, patience } = this.#options;
    const { nas, rules } = await session.live(patience.connectionWaitMs);
    const vms = await inventory.list();
    const read = await reading(() => readCheckpoints(session, { vms, also: zvolsOf(vms) }, patience));
    return { vms, read, rights: this.#rights(nas.roles, rules), keeping, now: operations.store.now() };
  }

  #rights(roles: Rights["roles"], { rollbackRoles }: Pick<VersionRules, "rollbackRoles">): Rights {
    const { guard } = this.#options;
    return {
      roles,
      rollbackRoles,
      refusesWrites: guard.readOnly ? "READ_ONLY" : null,
      refusesDeletions: guard.noDestroy ? "NO_DESTROY" : null,
    };
  }
}
