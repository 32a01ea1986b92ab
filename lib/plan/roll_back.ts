/** Plans the rollback of an operation: what it removes besides what the operation created, and what prevents it. Pure. */
import type { Vm } from "../inventory/inventory.ts";
import { fingerprint } from "./fingerprint.ts";
import { describeUnread, planRemovals, type RemovalFacts, withRelations } from "./removal.ts";
import type { PlannedZvol } from "./types.ts";

/** A VM whose creation is to be undone. */
export interface RollBackVm {
  /** The VM's name. */
  readonly name: string;
  /** The zvols created for it, with the snapshots to remove first. */
  readonly zvols: readonly PlannedZvol[];
  /** Why it is kept, each with what to do; empty when it will be removed. */
  readonly blocked: readonly string[];
}

/** What the user sees before rolling an operation back. */
export interface RollBackPlan {
  /** The VMs for which something was created. */
  readonly vms: readonly RollBackVm[];
  /** Readings that failed, and their consequences. */
  readonly notices: readonly string[];
  /** Changes whenever the zvols' dependents change. */
  readonly fingerprint: string;
}

/** Plans the rollback for VMs and the zvols created for them. */
export function planRollBack(
  created: readonly { readonly name: string; readonly zvols: readonly string[] }[],
  vms: readonly Vm[],
  facts: RemovalFacts,
): RollBackPlan {
  const items = created.map(({ name, zvols }) => ({
    key: name,
    zvols: zvols.map((zvol) => withRelations({ name: zvol, sizeBytes: null }, facts, vms)),
  }));
  const decided = planRemovals((blocked) => items.filter(({ key }) => !blocked.has(key)), facts);
  const planned = items.map(({ key, zvols }) => ({
    name: key,
    zvols,
    blocked: decided.find((item) => item.key === key)?.blocked ?? [],
  }));
  const notices = planned.some(({ zvols }) => zvols.length > 0) ? describeUnread(facts) : [];
  return { vms: planned, notices, fingerprint: fingerprint([planned]) };
}
