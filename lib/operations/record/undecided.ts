/** What waits for a person's decision: operations that left something, and the VMs that they left unfinished. Pure. */
import { needsDecision, recoveryOf } from "../recovery.ts";
import type { OperationView, OperationVmView } from "../types.ts";

/** Whether an operation left something about which nobody has decided. */
export function isUndecided(view: OperationView): boolean {
  return lookAt(view).waits;
}

/** The operation that left each unfinished VM, by the VM's uuid. */
export function unfinishedVms(views: readonly OperationView[]): ReadonlyMap<string, string> {
  return new Map(views.flatMap((view) => lookAt(view).uuids.map((uuid) => [uuid, view.id] as const)));
}

interface Undecided {
  readonly waits: boolean;
  /** Of VMs that it left unfinished. */
  readonly uuids: readonly string[];
}

/** A view never changes, so each is looked at once, however many pages are shown. */
const known = new WeakMap<OperationView, Undecided>();

function lookAt(view: OperationView): Undecided {
  const before = known.get(view);
  if (before !== undefined) return before;
  const { removable } = recoveryOf(view);
  const isLeft = ({ outcome }: OperationVmView) => outcome === "left-behind" || outcome === "cancelled-kept";
  const unfinished = removable.filter(({ outcome }) => outcome !== "created" && outcome !== "not-ready");
  const found = {
    waits: needsDecision(view) || removable.some(isLeft),
    uuids: unfinished.flatMap(({ steps }) => steps.flatMap(({ evidence }) => evidence?.uuid ?? [])),
  };
  known.set(view, found);
  return found;
}
