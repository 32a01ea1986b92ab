/** The command checkpoint: what there is, taking one, rolling back to it, and removing it. */
import type { Checkpoint } from "../../checkpoints/checkpoint.ts";
import type { Keeping } from "../../checkpoints/plan/facts.ts";
import type {
  CheckpointPlan,
  CheckpointRemovalPlan,
  RollbackPlan,
  VmToCheckpoint,
} from "../../checkpoints/plan/plans.ts";
import type { Configuration } from "../../configuration/configuration.ts";
import { ConfigurationError, type Problem } from "../../errors/errors.ts";
import { show } from "../../inputs.ts";
import { matchesPrefix } from "../../inventory/names.ts";
import type { StartedOrReplanned } from "../../operations/operations.ts";
import { toResult } from "../../operations/summary.ts";
import { formatBytes, formatCount } from "../../units.ts";
import type { VMManager } from "../../vm_manager.ts";
import type { Options } from "../arguments.ts";
import { UsageError } from "../process.ts";
import {
  BY,
  confirm,
  explain,
  progressTo,
  report,
  type Success,
  table,
  type Terminal,
} from "../terminal/terminal.ts";

/** What the command does. */
export type CheckpointCommand =
  | { readonly action: "list" }
  | {
    readonly action: "create";
    readonly name: string;
    readonly types: readonly string[];
    readonly vmNames: readonly string[];
    readonly note: string;
    readonly shutdown: boolean;
  }
  | {
    readonly action: "rollback";
    readonly name: string;
    readonly types: readonly string[];
    readonly vmNames: readonly string[];
    readonly discardNewer: boolean;
    readonly yes: boolean;
  }
  | { readonly action: "remove"; readonly name: string; readonly yes: boolean };

const ACTIONS = ["create", "list", "rollback", "remove"] as const;

/**
 * Reads the words after `checkpoint`.
 *
 * @throws {UsageError} when they are none of its actions, or a name is missing or too many.
 */
export function checkpointCommand(
  words: readonly string[],
  { vmNames = [], note, shutdown, discardNewer, yes }: Pick<
    Options,
    "vmNames" | "note" | "shutdown" | "discardNewer" | "yes"
  >,
): CheckpointCommand {
  const [action = "list", name, ...types] = words;
  const known = ACTIONS.find((it) => it === action);
  if (known === undefined) {
    throw new UsageError(`Unknown action ${show(action)}\nActions: ${ACTIONS.join(", ")}`);
  }
  if (known === "list") {
    if (name === undefined) return { action: known };
    throw new UsageError(`checkpoint list takes no further arguments, found ${show(name)}`);
  }
  if (name === undefined) throw new UsageError(`checkpoint ${known} needs the name of a checkpoint`);
  if (known === "create") return { action: known, name, types, vmNames, note, shutdown };
  if (known === "rollback") return { action: known, name, types, vmNames, discardNewer, yes };
  if (types.length > 0) throw new UsageError(`checkpoint remove takes one name, found ${words.length - 1}`);
  return { action: known, name, yes };
}

/** Whether it changes something on the NAS. */
export function changesCheckpoints({ action }: CheckpointCommand): boolean {
  return action !== "list";
}

/** Whether it has to be confirmed. */
export function asksFirst(command: CheckpointCommand): boolean {
  return (command.action === "rollback" || command.action === "remove") && !command.yes;
}

/**
 * Does what the command says.
 *
 * @throws {ConfigurationError} when it cannot be done as it was asked for, or when there is nobody to confirm.
 */
export async function runCheckpoint(
  manager: VMManager,
  command: CheckpointCommand,
  { configuration, terminal, signal }: {
    /** Null when there is none, or it has errors. */
    readonly configuration: Configuration | null;
    readonly terminal: Terminal;
    readonly signal: AbortSignal;
  },
): Promise<Success> {
  const { checkpoints } = manager;
  const options = { observer: progressTo(terminal), by: BY, signal };
  switch (command.action) {
    case "list":
      return await listCheckpoints(manager, terminal);
    case "create": {
      const wish = wishOf(command, configuration);
      const plan = await checkpoints.planCheckpoint(wish);
      explain(describeTaking(plan), terminal);
      expectNone(plan.problems);
      return await finish(await checkpoints.startCheckpoint(wish, plan.fingerprint, options), terminal);
    }
    case "rollback": {
      const { name, discardNewer, yes } = command;
      const names = await namesOf(manager, command);
      const request = { checkpoint: name, names, discardNewer };
      const plan = await checkpoints.planRollback(request);
      explain(describeRollback(plan), terminal);
      expectNone(plan.problems);
      if (!yes && !await confirm({ phrase: plan.phrase, command: "checkpoint" }, terminal)) {
        return refuse("Nothing was rolled back", terminal);
      }
      return await finish(await checkpoints.startRollback(request, plan.fingerprint, options), terminal);
    }
    case "remove": {
      const { name, yes } = command;
      const plan = await checkpoints.planRemoval(name);
      explain(describeRemoval(plan), terminal);
      expectNone(plan.problems);
      if (!yes && !await confirm({ phrase: plan.phrase, command: "checkpoint" }, terminal)) {
        return refuse("Nothing was removed", terminal);
      }
      return await finish(await checkpoints.startRemoval(name, plan.fingerprint, options), terminal);
    }
  }
}

function refuse(nothing: string, terminal: Terminal): Success {
  terminal.notify(`The phrase did not match. ${nothing}; run the command again to retry`);
  return false;
}

async function finish<Plan>(started: StartedOrReplanned<Plan>, terminal: Terminal): Promise<Success> {
  if (started.started) return report(toResult(await started.operation.finished), terminal);
  const message = "The NAS changed after the list was shown. Nothing was done; run the command again";
  throw new ConfigurationError("checkpoint", [{ field: "", message }]);
}

function expectNone(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigurationError("checkpoint", problems);
}

type Create = Extract<CheckpointCommand, { action: "create" }>;

function wishOf({ name, types, vmNames, note, shutdown }: Create, configuration: Configuration | null) {
  const keeping: Keeping = configuration?.storage.checkpoints ?? {};
  const all = Object.keys(configuration?.types ?? {});
  const select = { names: vmNames, types: types.length + vmNames.length === 0 ? all : types };
  return { name, note, shutdown, select, keeping };
}

/** The VMs of a rollback: those that are named, and those of the checkpoint that are named after a type. */
async function namesOf(
  manager: VMManager,
  { name, types, vmNames }: Extract<CheckpointCommand, { action: "rollback" }>,
): Promise<readonly string[] | null> {
  if (types.length + vmNames.length === 0) return null;
  const read = await manager.checkpoints.list();
  const found = read.known ? read.value.find((it) => it.name === name) : undefined;
  const ofTypes = (found?.vms ?? []).map((vm) => vm.name).filter((vm) =>
    types.some((type) => matchesPrefix(vm, type))
  );
  const missing = types.filter((type) => !ofTypes.some((vm) => matchesPrefix(vm, type)));
  expectNone(
    found === undefined
      ? []
      : missing.map((type) => ({ field: "", message: `${name} has no VM of the type ${type}` })),
  );
  return [...new Set([...vmNames, ...ofTypes])];
}

async function listCheckpoints(manager: VMManager, terminal: Terminal): Promise<Success> {
  const read = await manager.checkpoints.list();
  if (!read.known) {
    const message = `Checkpoints cannot be listed because ${read.because}`;
    throw new ConfigurationError("checkpoint", [{ field: "", message }]);
  }
  if (terminal.json) terminal.print(JSON.stringify({ checkpoints: read.value }, null, 2));
  else if (read.value.length === 0) terminal.print("There are no checkpoints");
  else terminal.print(table(["NAME", "TAKEN", "VMS", "TAKES", "NOTE"], read.value.map(rowOf)));
  return true;
}

function rowOf({ name, takenAt, vms, usedBytes, note, isWhole }: Checkpoint): readonly string[] {
  const changed = vms.filter(({ changes }) => changes.length > 0).length;
  return [
    name,
    takenAt === null ? "-" : new Date(takenAt).toISOString().slice(0, "2026-11-27T04:36".length),
    `${vms.map((vm) => vm.name).join(" ")}${isWhole ? "" : " (not complete)"}${
      changed === 0 ? "" : ` (${changed} changed since)`
    }`,
    usedBytes === null ? "-" : formatBytes(usedBytes),
    note,
  ];
}

function describeTaking({ vms, notices }: CheckpointPlan): string {
  const rows = vms.map((vm) => [vm.name, vm.state, vm.zvols.join(" "), taken(vm)]);
  return [...(rows.length === 0 ? [] : [table(["VM", "STATE", "DISKS", ""], rows)]), ...notices].join("\n");
}

function taken({ blocked, stops, expired }: VmToCheckpoint): string {
  if (blocked.length > 0) return `left out: ${blocked.join("; ")}`;
  const expires = expired.length === 0 ? "" : `; ${formatCount(expired.length, "older snapshot")} expire`;
  return `${stops ? "shut down, snapshots, started again" : "snapshots"}${expires}`;
}

function describeRollback({ vms, notices }: RollbackPlan): string {
  const rows = vms.map(({ name, state, zvols, blocked, changes }) => [
    name,
    state,
    zvols.map(({ zvol }) => zvol).join(" "),
    [
      ...blocked,
      ...(blocked.length > 0 ? [] : zvols.flatMap(({ newer }) => newer.map((it) => `removes ${it.name}`))),
      ...changes,
    ].join("; "),
  ]);
  return [
    ...(rows.length === 0 ? [] : [table(["VM", "STATE", "DISKS", ""], rows)]),
    ...notices,
  ].join("\n");
}

function describeRemoval({ vms }: CheckpointRemovalPlan): string {
  const rows = vms.map(({ name, snapshots, blocked }) => [
    name,
    snapshots.map((snapshot) => snapshot.name).join(" "),
    blocked.join("; "),
  ]);
  return rows.length === 0 ? "" : table(["VM", "SNAPSHOTS", ""], rows);
}
