/** The actions on a VM and the states that allow them, for pages, command line and runner. Pure. */
import type { Vm } from "./inventory.ts";

/** One action on a VM. */
export interface VmAction {
  /** Label: `Start` */
  readonly verb: string;
  /** Label while the action runs: `Starting`. */
  readonly doing: string;
  /** Participle for `only a stopped VM can be …`. */
  readonly done: string;
  /** The API method. */
  readonly method:
    | "vm.start"
    | "vm.stop"
    | "vm.restart"
    | "vm.poweroff"
    | "vm.suspend"
    | "vm.resume"
    | "vm.reset"
    | "vm.device.delete";
  /** Whether the call returns the id of a job to wait for. */
  readonly job: boolean;
  /** States in which TrueNAS allows it, according to its vm plugin. */
  readonly from: readonly string[];
  /** The resulting state. */
  readonly to: string;
  /** Effect on the VM, continuing a sentence that starts with its name. */
  readonly effect: string;
  /** Whether the guest can lose data. */
  readonly abrupt: boolean;
}

/** The actions, in display order. */
export const VM_ACTIONS = {
  start: {
    verb: "Start",
    doing: "Starting",
    done: "started",
    method: "vm.start",
    job: false,
    from: ["STOPPED"],
    to: "RUNNING",
    effect: "will be started",
    abrupt: false,
  },
  stop: {
    verb: "Shut down",
    doing: "Shutting down",
    done: "shut down",
    method: "vm.stop",
    job: true,
    from: ["RUNNING"],
    to: "STOPPED",
    effect: "will be shut down, and powered off without an answer in time",
    abrupt: false,
  },
  restart: {
    verb: "Restart",
    doing: "Restarting",
    done: "restarted",
    method: "vm.restart",
    job: true,
    from: ["RUNNING"],
    to: "RUNNING",
    effect: "will shut down and start again",
    abrupt: false,
  },
  suspend: {
    verb: "Suspend",
    doing: "Suspending",
    done: "suspended",
    method: "vm.suspend",
    job: false,
    from: ["RUNNING"],
    to: "SUSPENDED",
    effect: "will pause until resumed",
    abrupt: false,
  },
  resume: {
    verb: "Resume",
    doing: "Resuming",
    done: "resumed",
    method: "vm.resume",
    job: false,
    from: ["SUSPENDED"],
    to: "RUNNING",
    effect: "will continue running",
    abrupt: false,
  },
  reset: {
    verb: "Reset",
    doing: "Resetting",
    done: "reset",
    method: "vm.reset",
    job: false,
    from: ["RUNNING"],
    to: "RUNNING",
    effect: "will be reset immediately; data not yet written to disk is lost",
    abrupt: true,
  },
  poweroff: {
    verb: "Power off",
    doing: "Powering off",
    done: "powered off",
    method: "vm.poweroff",
    job: false,
    from: ["RUNNING", "SUSPENDED"],
    to: "STOPPED",
    effect: "will be powered off immediately; data not yet written to disk is lost",
    abrupt: true,
  },
  detach: {
    verb: "Remove install image",
    doing: "Removing install image",
    done: "changed",
    method: "vm.device.delete",
    job: false,
    from: ["STOPPED"],
    to: "STOPPED",
    effect: "will no longer have an install image; the image file stays on the NAS",
    abrupt: false,
  },
} as const satisfies Record<string, VmAction>;

/** The name of an action. */
export type VmActionName = keyof typeof VM_ACTIONS;

/** The names, in display order. */
export const VM_ACTION_NAMES: readonly VmActionName[] = Object.keys(VM_ACTIONS) as VmActionName[];

/** Whether a word is the name of an action. */
export function isVmAction(word: string): word is VmActionName {
  return Object.hasOwn(VM_ACTIONS, word);
}

/** What the check needs besides the VM. */
export interface ActionFacts {
  /** What an operation is doing with the VM now, `Creating`, or null. */
  readonly busy: string | null;
  /** Whether this release can reset a VM (27.0 and later); true when unknown. */
  readonly canReset: boolean;
}

/** Why the action is not possible now, or null when it is. */
export function reasonAgainst(
  name: VmActionName,
  vm: Pick<Vm, "state" | "cdroms">,
  facts: ActionFacts,
): string | null {
  const { from, done } = VM_ACTIONS[name];
  if (facts.busy !== null) return `${facts.busy} is in progress; wait until it finishes`;
  if (name === "detach" && vm.cdroms.length === 0) return "this VM has no install image";
  if (name === "reset" && !facts.canReset) return "this TrueNAS release cannot reset a VM";
  const states: readonly string[] = from;
  if (states.includes(vm.state)) return null;
  if (name === "detach") {
    return "the install image can be removed only while the VM is stopped; shut it down first";
  }
  return `only a ${states.join(" or ").toLowerCase()} VM can be ${done}`;
}

/** {@link reasonAgainst} in two or three words, for a menu. */
export function brieflyAgainst(
  name: VmActionName,
  vm: Pick<Vm, "state" | "cdroms">,
  facts: ActionFacts,
): string | null {
  if (reasonAgainst(name, vm, facts) === null) return null;
  if (facts.busy !== null) return facts.busy;
  if (name === "reset" && !facts.canReset) return "Needs TrueNAS 27";
  if (name === "detach") return vm.cdroms.length === 0 ? "No install image" : "Shut down first";
  if (name === "start") return vm.state === "RUNNING" ? "Running" : "Only when stopped";
  if (name === "resume") return "Only when suspended";
  return vm.state === "SUSPENDED" ? "Resume first" : "Start it first";
}
