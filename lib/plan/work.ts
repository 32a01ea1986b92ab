/** What a plan does to how many VMs, with what a person selected of it. Pure. */
import { formatCount } from "../units.ts";
import type { Reconciling } from "./changes.ts";
import type { CreationPlan } from "./types.ts";

/** Numbers of VMs. */
export interface Work {
  /** Created, or completed where devices are missing. */
  readonly create: number;
  readonly change: number;
  readonly replace: number;
}

/** What is done with a plan when this is selected. */
export function workOf(
  { vms }: Pick<CreationPlan, "vms">,
  selected: Pick<Reconciling, "change" | "replace">,
): Work {
  const chosen = (action: "change" | "replace") =>
    vms.filter((vm) => vm.action === action && selected[action].includes(vm.name));
  const [change, replace] = [chosen("change"), chosen("replace")];
  const create = vms.filter((vm) => vm.steps.length > 0 && !change.includes(vm) && !replace.includes(vm));
  return { create: create.length, change: change.length, replace: replace.length };
}

/** `Create 4 VMs`; of several kinds every number: `Create 1, change 2`. Empty when there is nothing to do. */
export function describeWork(work: Work): string {
  const parts = partsOf(work);
  const [only] = parts;
  if (only !== undefined && parts.length === 1) {
    return `${capital(only.verb)} ${formatCount(only.count, "VM")}`;
  }
  return capital(parts.map(({ verb, count }) => `${verb} ${count}`).join(", "));
}

/** What to type to replace so many VMs, whose differing disks are deleted: `destroy 2 vms`. */
export function replacingPhrase(count: number): string {
  return `destroy ${formatCount(count, "vm")}`;
}

function partsOf({ create, change, replace }: Work) {
  return Object.entries({ create, change, replace }).map(([verb, count]) => ({ verb, count }))
    .filter(({ count }) => count > 0);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
