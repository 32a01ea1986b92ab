/** What rolling an operation back would remove beside what it made, and what stands against it. Pure. */
import type { Vm } from "../inventory/inventory.ts";
import { fingerprint } from "./fingerprint.ts";
import { describeUnread, planRemovals, type RemovalFacts, withRelations } from "./removal.ts";
import type { PlannedZvol } from "./types.ts";

/** A VM whose making is to be undone. */
export interface RollBackVm {
  /** The VM's name. */
  readonly name: string;
  /** The zvols that were made for it, with the snapshots that go first. */
  readonly zvols: readonly PlannedZvol[];
  /** Why it stays, each with what to do; empty when it goes. */
  readonly blocked: readonly string[];
}

/** What a person is shown before they roll an operation back. */
export interface RollBackPlan {
  /** Those of which something goes, or would. */
  readonly vms: readonly RollBackVm[];
  /** What could not be read, and what that means. */
  readonly notices: readonly string[];
  /** Changes whenever what depends on the zvols does. */
  readonly fingerprint: string;
}

/** Plans it for VMs and the zvols that were made for them. */
export function planRollBack(
  made: readonly { readonly name: string; readonly zvols: readonly string[] }[],
  vms: readonly Vm[],
  facts: RemovalFacts,
): RollBackPlan {
  const items = made.map(({ name, zvols }) => ({
    key: name,
    zvols: zvols.map((zvol) => withRelations({ name: zvol, sizeBytes: null }, facts, vms)),
  }));
  const fates = planRemovals(items, facts);
  const planned = items.map(({ key, zvols }) => ({
    name: key,
    zvols,
    blocked: fates.get(key)?.blocked ?? [],
  }));
  const notices = planned.some(({ zvols }) => zvols.length > 0) ? describeUnread(facts) : [];
  return { vms: planned, notices, fingerprint: fingerprint([planned]) };
}
