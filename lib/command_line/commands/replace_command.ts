/**
 * The command replace: makes the VMs of a type anew, one after another or a few at a time, each once those before it answer. It
 * stops at the first that does not.
 */
import { vmTypeOf } from "../../configuration/configuration.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { show } from "../../inputs.ts";
import { operationJson } from "../../inventory/json.ts";
import type { RunResult } from "../../operations/summary.ts";
import { NOTHING_CHANGED } from "../../plan/changes.ts";
import type { CreationRequest } from "../../plan/creation_input.ts";
import type { CreationPlan, PlannedVm } from "../../plan/types.ts";
import { formatCount } from "../../units.ts";
import type { VMManager } from "../../vm_manager.ts";
import type { Options } from "../arguments.ts";
import { type DrainHook, drainHook, SHELL } from "./drain_hook.ts";
import { runShell, UsageError } from "../process.ts";
import { prepareSeeds, untilFetched } from "./seed_wait.ts";
import { BY, confirm, progressTo, report, type Success, type Terminal } from "../terminal/terminal.ts";
import { describePlan } from "./plan_text.ts";

/** A checked call of `replace`. */
export interface ReplaceCommand {
  readonly type: string;
  readonly atATime: number;
  readonly hook: DrainHook | null;
  /** Only these VMs; null for all of the type. */
  readonly names: readonly string[] | null;
  readonly force: boolean;
  /** Whether --yes was given. */
  readonly yes: boolean;
}

/**
 * Checks the words and options of `replace`.
 *
 * @throws {UsageError} explaining what is wrong with them.
 */
export function replaceCommand({ types, parallel, drain, vmNames, force, yes }: Options): ReplaceCommand {
  const [type, ...others] = types;
  if (type === undefined) throw new UsageError("replace needs a VM type, found none", "replace");
  if (others.length > 0) {
    throw new UsageError(`replace takes one VM type at a time, found ${show(types.join(" "))}`, "replace");
  }
  const hook = drain === undefined ? null : drainHook(drain);
  return { type, atATime: parallel ?? 1, hook, names: vmNames ?? null, force, yes };
}

/**
 * Replaces the VMs. Once one does not come up, the others stay as they are.
 *
 * @throws {ConfigurationError} when one of them cannot be replaced, or too few would stay; nothing was sent.
 */
export async function replaceVms(
  manager: VMManager,
  { command, request }: { readonly command: ReplaceCommand; readonly request: CreationRequest },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  const { type, yes } = command;
  const { count } = vmTypeOf(request.configuration, type);
  const base = { ...request, waitReady: true };
  const present = await manager.operations.planCreation(base);
  const names = selected(present, command);
  const plan = await manager.operations.planCreation({ ...base, anew: names });
  terminal.notify(describePlan(plan));
  expectReplaceable(plan, names);
  expectMajority(plan, command, { count, quorum: isQuorum(request, type), names });
  if (
    plan.vms.some(({ name, replacement }) => names.includes(name) && !replacement?.steps.includes("ready"))
  ) {
    terminal.notify(
      "Nobody waits for VMs without ready: the next one is replaced as soon as they have started",
    );
  }
  const phrase = `destroy ${formatCount(names.length, "vm")}`;
  if (!yes && !await confirm({ phrase, command: "replace" }, terminal)) {
    terminal.notify("The phrase did not match. Nothing was sent; run the command again to retry");
    return false;
  }
  const results: RunResult[] = [];
  const rolling = { manager, command, request: base, terminal, signal, results };
  const success = await replaceAll(rolling, names);
  if (terminal.json) {
    terminal.print(
      JSON.stringify({ operations: results.map(({ operation }) => operationJson(operation)) }, null, 2),
    );
  }
  return success;
}

/** One batch after the other, until one does not come up. */
async function replaceAll(rolling: Rolling, names: readonly string[]): Promise<Success> {
  const { command: { type, atATime }, terminal } = rolling;
  for (let at = 0; at < names.length; at += atATime) {
    const batch = names.slice(at, at + atATime);
    const isUp = await replaceBatch(rolling, batch).catch((error) => {
      // What happened meanwhile, such as a VM that somebody stopped, ends it like a VM that does not come up.
      if (!(error instanceof ConfigurationError)) throw error;
      terminal.notify(error.message);
      return false;
    });
    const left = names.slice(at + atATime);
    if (isUp) continue;
    const again = [...batch, ...left].map((name) => ` --vm ${name}`).join("");
    terminal.notify(
      `Stopped at ${batch.join(", ")}${left.length === 0 ? "" : `; not replaced: ${left.join(", ")}`}. ` +
        `Look at it first; then go on with: replace ${type}${again}`,
    );
    return false;
  }
  return true;
}

function isQuorum({ configuration }: CreationRequest, type: string): boolean {
  return vmTypeOf(configuration, type).quorum ?? false;
}

function fail(message: string): ConfigurationError {
  return new ConfigurationError("replace", [{ field: "", message: `${message}. Nothing was sent` }]);
}

/** The VMs to replace, in their order. One that is missing would be created as well, which was not asked for. */
function selected({ vms }: CreationPlan, { type, names }: ReplaceCommand): readonly string[] {
  const missing = vms.filter(({ vmId }) => vmId === null).map(({ name }) => name);
  const verb = missing.length === 1 ? "does" : "do";
  if (missing.length > 0) throw fail(`${missing.join(", ")} ${verb} not exist; run create ${type} first`);
  if (vms.length === 0) throw fail(`${type} has no VMs`);
  const unknown = (names ?? []).filter((name) => !vms.some((vm) => vm.name === name));
  if (unknown.length > 0) throw fail(`${type} has no VM ${unknown.join(", ")}`);
  return vms.map(({ name }) => name).filter((name) => names === null || names.includes(name));
}

function expectReplaceable({ vms }: CreationPlan, names: readonly string[]): void {
  const blocked = vms.filter(({ name, action }) => names.includes(name) && action !== "replace");
  if (blocked.length === 0) return;
  throw new ConfigurationError(
    "replace",
    blocked.map(({ name, reasons }) => ({
      field: name,
      message: `${reasons.join("; ")}. Nothing was sent`,
    })),
  );
}

interface Majority {
  readonly count: number;
  readonly quorum: boolean;
  readonly names: readonly string[];
}

/** More than half of the VMs run at any time; etcd stops with fewer. */
function expectMajority(
  { vms }: CreationPlan,
  { type, atATime, force }: ReplaceCommand,
  { count, quorum, names }: Majority,
): void {
  if (!quorum || force) return;
  if (count < 3) {
    throw fail(
      `${type} has quorum: true and ${
        formatCount(count, "VM")
      }, so no majority stays while one is replaced; ` +
        "to do it nevertheless, add --force",
    );
  }
  const needed = majorityOf(count);
  const down = (batch: readonly string[]) =>
    vms.filter(({ name, state }) => state !== "RUNNING" || batch.includes(name)).length;
  for (let at = 0; at < names.length; at += atATime) {
    const running = vms.length - down(names.slice(at, at + atATime));
    if (running >= needed) continue;
    throw fail(
      `${type} has quorum: true, so ${needed} of its ${count} VMs have to run at any time, and only ${running} would; ` +
        "replace fewer at a time, start those that are off, or add --force",
    );
  }
}

function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

interface Rolling {
  readonly manager: VMManager;
  readonly command: ReplaceCommand;
  readonly request: CreationRequest;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Of the batches so far. */
  readonly results: RunResult[];
}

/** Replaces a few VMs; whether all of them came up. */
async function replaceBatch(rolling: Rolling, names: readonly string[]): Promise<Success> {
  const { manager, command, terminal, signal } = rolling;
  const request = { ...rolling.request, anew: names, reconcile: { ...NOTHING_CHANGED, replace: names } };
  // What has happened since the confirmation can have stopped others.
  const plan = await manager.operations.planCreation(request);
  expectReplaceable(plan, names);
  const { count, quorum = false } = vmTypeOf(request.configuration, command.type);
  expectMajority(plan, { ...command, atATime: names.length }, { count, quorum, names });
  const vms = plan.vms.filter(({ name }) => names.includes(name));
  for (const vm of vms) if (!await callHook(rolling, vm, "before")) return false;
  await prepareSeeds(manager, plan);
  const result = await manager.operations.create(request, { observer: progressTo(terminal), by: BY, signal });
  const isFetched = await untilFetched(manager, terminal, signal);
  rolling.results.push(result);
  if (!terminal.json) report(result, terminal);
  if (result.status !== "done" || !isFetched) return false;
  for (const vm of vms) if (!await callHook(rolling, vm, "after")) return false;
  return true;
}

type Phase = "before" | "after";

/** A service that is called has so long to answer. */
const HOOK_TIMEOUT_MS = 600_000;

/** Secrets of this program that are nothing to a hook. */
const SECRETS = [
  "API_PASSWORD",
  "TRUENAS_API_KEY",
  "VNC_PASSWORD",
  "DASHBOARD_PASSWORD",
  "DASHBOARD_VIEWER_PASSWORD",
];

/** Calls the hook for a VM; whether it succeeded. */
async function callHook(
  { manager, command: { hook }, terminal: { notify }, signal }: Rolling,
  { name, type }: PlannedVm,
  phase: Phase,
): Promise<Success> {
  if (hook === null) return true;
  if (signal.aborted) return false;
  const vm = (await manager.list()).find((vm) => vm.name === name);
  const address = (vm === undefined ? null : manager.readiness.of(vm)?.address) ?? "";
  const line = (text: string) => notify(`${name} hook: ${text}`);
  try {
    if (hook.kind === "command") {
      const hidden = Object.fromEntries(SECRETS.map((secret) => [secret, ""]));
      const env = { ...hidden, VM: name, TYPE: type, PHASE: phase, ADDRESS: address };
      const code = await runShell({ shell: SHELL, command: hook.command, env, line, signal });
      if (code !== 0) line(`ended with exit code ${code}`);
      return code === 0;
    }
    const answer = await fetch(hook.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ vm: name, type, phase, address }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(HOOK_TIMEOUT_MS)]),
    });
    for (const text of (await answer.text()).split("\n").filter((text) => text !== "")) line(text);
    if (!answer.ok) line(`answered with status ${answer.status}`);
    return answer.ok;
  } catch (error) {
    line(reasonOf(error));
    return false;
  }
}
