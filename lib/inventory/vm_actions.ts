/** What can be done with a VM in which state: one table for pages, command line and runner. Pure. */
import type { Vm } from "./inventory.ts";

/** One thing that is done with a VM. */
export interface VmAction {
  /** `Start` */
  readonly verb: string;
  /** What a VM is while it is done to it: `Starting`. */
  readonly doing: string;
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
  /** The call answers with a job's id, and the job takes its time. */
  readonly job: boolean;
  /** States in which the NAS does it. Source: the checks of TrueNAS's own vm plugin. */
  readonly from: readonly string[];
  /** The state that follows. */
  readonly to: string;
  /** What the guest notices, in a sentence with its count: `{vms} are asked to shut down`. */
  readonly effect: string;
  /** The guest may lose data. */
  readonly abrupt: boolean;
}

/** The actions, in the order in which they are offered. */
export const VM_ACTIONS = {
  start: {
    verb: "Start",
    doing: "Starting",
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
    method: "vm.stop",
    job: true,
    from: ["RUNNING"],
    to: "STOPPED",
    effect: "will be asked to shut down, and powered off if the time for it runs out",
    abrupt: false,
  },
  restart: {
    verb: "Restart",
    doing: "Restarting",
    method: "vm.restart",
    job: true,
    from: ["RUNNING"],
    to: "RUNNING",
    effect: "will be shut down and started again",
    abrupt: false,
  },
  suspend: {
    verb: "Suspend",
    doing: "Suspending",
    method: "vm.suspend",
    job: false,
    from: ["RUNNING"],
    to: "SUSPENDED",
    effect: "will stand still until resumed",
    abrupt: false,
  },
  resume: {
    verb: "Resume",
    doing: "Resuming",
    method: "vm.resume",
    job: false,
    from: ["SUSPENDED"],
    to: "RUNNING",
    effect: "will go on",
    abrupt: false,
  },
  reset: {
    verb: "Reset",
    doing: "Resetting",
    method: "vm.reset",
    job: false,
    from: ["RUNNING"],
    to: "RUNNING",
    effect: "will be reset at once, as by the button: what is not written to disk is lost",
    abrupt: true,
  },
  poweroff: {
    verb: "Power off",
    doing: "Powering off",
    method: "vm.poweroff",
    job: false,
    from: ["RUNNING", "SUSPENDED"],
    to: "STOPPED",
    effect: "will be powered off at once: what is not written to disk is lost",
    abrupt: true,
  },
  detach: {
    verb: "Detach the ISO",
    doing: "Detaching",
    method: "vm.device.delete",
    job: false,
    from: ["STOPPED"],
    to: "STOPPED",
    effect: "will have no install image any more; the image itself stays",
    abrupt: false,
  },
} as const satisfies Record<string, VmAction>;

/** The name of an action. */
export type VmActionName = keyof typeof VM_ACTIONS;

/** The names, in order. */
export const VM_ACTION_NAMES: readonly VmActionName[] = Object.keys(VM_ACTIONS) as VmActionName[];

/** Whether a word is an action's name. */
export function isVmAction(word: string): word is VmActionName {
  return Object.hasOwn(VM_ACTIONS, word);
}

/** What the decision needs beside the VM. */
export interface ActionFacts {
  /** What an operation is doing with it now, `Creating`, or null. */
  readonly busy: string | null;
  /** Whether this release can reset a VM (27.0 and later); true when it is not known. */
  readonly canReset: boolean;
}

/** Why an action is not possible with a VM now, or null when it is. */
export function reasonAgainst(
  name: VmActionName,
  vm: Pick<Vm, "state" | "cdroms">,
  facts: ActionFacts,
): string | null {
  const { from } = VM_ACTIONS[name];
  if (facts.busy !== null) return `${facts.busy} is under way`;
  if (name === "detach" && vm.cdroms.length === 0) return "no image is attached to it";
  if (name === "reset" && !facts.canReset) return "this TrueNAS release cannot reset a VM";
  const states: readonly string[] = from;
  if (states.includes(vm.state)) return null;
  return `it is ${vm.state.toLowerCase()}, and that needs it ${states.join(" or ").toLowerCase()}`;
}
