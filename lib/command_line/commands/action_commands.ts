/** The command vm: starts, shuts down or restarts VMs that are named. */
import { ConfigurationError } from "../../errors/errors.ts";
import { show } from "../../inputs.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { VM_ACTIONS, type VmAction } from "../../inventory/vm_actions.ts";
import { toResult } from "../../operations/summary.ts";
import { formatCount } from "../../units.ts";
import type { VMManager } from "../../vm_manager.ts";
import type { Options } from "../arguments.ts";
import { UsageError } from "../process.ts";
import { BY, confirm, progressTo, report, type Success, type Terminal } from "../terminal/terminal.ts";

/** What can be done to VMs by name; suspending, and what ejects an image, is left to the page. */
export const ACTION_WORDS = ["start", "stop", "restart", "poweroff"] as const;

/** A checked call of `vm`. */
export interface ActionCommand {
  readonly action: (typeof ACTION_WORDS)[number];
  readonly names: readonly string[];
  /** Whether --yes was given. */
  readonly yes: boolean;
}

/**
 * Checks the words after `vm`.
 *
 * @throws {UsageError} explaining what is wrong with them.
 */
export function actionCommand([word, ...names]: readonly string[], { yes }: Options): ActionCommand {
  const action = ACTION_WORDS.find((known) => known === word);
  const actions = `Actions: ${ACTION_WORDS.join(", ")}`;
  if (word === undefined) throw new UsageError(`vm needs an action\n${actions}`, "vm");
  if (action === undefined) throw new UsageError(`Unknown action ${show(word)}\n${actions}`, "vm");
  if (names.length === 0) throw new UsageError(`vm ${action} needs the name of a VM, found none`, "vm");
  return { action, names: [...new Set(names)], yes };
}

/** Whether it has to be confirmed, because guests can lose data. */
export function asksBeforeActing({ action, yes }: ActionCommand): boolean {
  return VM_ACTIONS[action].abrupt && !yes;
}

/**
 * Acts on the VMs. Those that are in the wanted state already are left alone.
 *
 * @throws {ConfigurationError} when a name matches no VM, or when there is nobody to confirm; nothing was sent.
 */
export async function actOnVms(
  manager: VMManager,
  command: ActionCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  const { action, names } = command;
  const { verb, from }: VmAction = VM_ACTIONS[action];
  const vms = found(names, await manager.list());
  const open = vms.filter((vm) => !isThere(command, vm));
  for (const { name, state } of vms.filter((vm) => !open.includes(vm))) {
    terminal.notify(`${name} is ${state.toLowerCase()} already`);
  }
  const wrong = open.filter(({ state }) => !from.includes(state));
  if (wrong.length > 0) {
    const problems = wrong.map(({ name, state }) => ({
      field: "",
      message: `${name} is ${state.toLowerCase()}; ${verb.toLowerCase()} is possible when it is ${
        from.join(" or ").toLowerCase()
      }. Nothing was sent`,
    }));
    throw new ConfigurationError(`vm ${action}`, problems);
  }
  if (open.length === 0) {
    terminal.print(terminal.json ? JSON.stringify({ status: "done", vms: [] }, null, 2) : "Nothing to do");
    return true;
  }
  if (asksBeforeActing(command)) {
    const phrase = `${verb.toLowerCase()} ${formatCount(open.length, "vm")}`;
    terminal.notify(`${open.map(({ name }) => name).join(", ")} ${VM_ACTIONS[action].effect}`);
    if (!await confirm({ phrase, command: "vm" }, terminal)) {
      terminal.notify("The phrase did not match. Nothing was sent; run the command again to retry");
      return false;
    }
  }
  const requests = open.map(({ id, name, state }) => ({ action, id, name, state, overcommit: false }));
  const options = { observer: progressTo(terminal), by: BY, signal };
  return report(toResult(await manager.changes.act(action, requests, options).finished), terminal);
}

/** A restart always has something to do. */
function isThere({ action }: ActionCommand, { state }: Vm): boolean {
  return action !== "restart" && state === VM_ACTIONS[action].to;
}

function found(names: readonly string[], vms: readonly Vm[]): readonly Vm[] {
  const missing = names.filter((name) => vms.every((vm) => vm.name !== name));
  if (missing.length === 0) return vms.filter(({ name }) => names.includes(name));
  const problems = missing.map((name) => ({
    field: "",
    message: `There is no VM ${show(name)}. Nothing was sent; run list to see the VMs`,
  }));
  throw new ConfigurationError("vm", problems);
}
