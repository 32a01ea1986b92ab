/**
 * The command line's work: list, plan, create and destroy, on the same plans and operations as the dashboard. Answers
 * go to `print`, one JSON value with `--json`; progress and questions go to `tell`.
 */
import { type Configuration, vmTypes } from "../configuration/configuration.ts";
import type { Places } from "../configuration/configuration_text.ts";
import type { OnFailure } from "../configuration/on_failure.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { operationJson, vmJson } from "../inventory/json.ts";
import type { Actor, OperationEvent } from "../operations/types.ts";
import { describeReasons, describeTotals } from "../plan/description.ts";
import type { CreationPlan, DestructionPlan, PlannedAction, PlannedVm, PlannedZvol } from "../plan/types.ts";
import { formatBytes, formatCount, formatMib } from "../units.ts";
import { describeMissing } from "../plan/destruction.ts";
import { defaultTypes } from "../plan/wanted.ts";
import type { RunResult } from "../operations/run_result.ts";
import type { VMManager } from "../vm_manager.ts";
import type { CreationRequest } from "../plan/creation_input.ts";

/** Where a command says what, and how it asks. */
export interface Terminal {
  /** The answer. */
  readonly print: (text: string) => void;
  /** An answer that is a file, with its own line ends. */
  readonly printFile: (text: string) => void;
  /** Progress, plans and questions. */
  readonly notify: (text: string) => void;
  /** Asks and waits for a line; null when nobody is there to answer. */
  readonly ask: ((question: string) => Promise<string | null>) | null;
  /** One JSON value instead of lines. */
  readonly json: boolean;
}

/** What `create` and `plan` work on. */
export interface CreateCommand {
  readonly configuration: Configuration;
  readonly places: Places;
  /** VM types; none means all of the configuration. */
  readonly types: readonly string[];
  /** VMs of each type at a time; as the configuration says when absent. */
  readonly parallel?: number;
  /** What is done when one fails; as the configuration says when absent. */
  readonly onFailure?: OnFailure;
}

const BY: Actor = { who: "command line" };

/** Whether everything was done. */
export type Success = boolean;

/** Lists the VMs. */
export async function listVms(manager: VMManager, terminal: Terminal): Promise<Success> {
  const vms = await manager.list();
  if (terminal.json) {
    terminal.print(JSON.stringify({ vms: vms.map(vmJson) }, null, 2));
    return true;
  }
  const rows = vms.map((vm) => [
    vm.name,
    vm.state,
    formatCount(vm.vcpus, "vCPU"),
    formatMib(vm.memoryMib),
    vm.disks.map(({ zvol, path }) => zvol ?? path).join(" "),
    vm.nics.map(({ attach, mac }) => `${attach ?? "default"}=${mac ?? "random"}`).join(" "),
  ]);
  terminal.print(
    vms.length === 0
      ? "There are no VMs on the NAS"
      : table(["NAME", "STATE", "CPU", "MEMORY", "DISKS", "NETWORKS"], rows),
  );
  return true;
}

/** What a plan comes to, as exit codes tell it. */
export type PlanOutcome = "as-planned" | "changes" | "differs" | "blocked";

/** Shows what would be created; nothing is changed. */
export async function showPlan(
  manager: VMManager,
  request: CreateCommand,
  terminal: Terminal,
): Promise<PlanOutcome> {
  const plan = await planOf(manager, request);
  terminal.print(terminal.json ? JSON.stringify(plan, null, 2) : describePlan(plan));
  return outcomeOf(plan);
}

/** Creates what the plan says, but for what stands against it. */
export async function create(
  manager: VMManager,
  command: CreateCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  const plan = await planOf(manager, command);
  terminal.notify(describePlan(plan));
  const result = await manager.create(requestOf(command), { observer: progressTo(terminal), by: BY, signal });
  return report(result, terminal);
}

/** Which VMs `destroy` takes. */
export interface DestroySelection {
  /** Names before their number. */
  readonly prefixes: readonly string[];
  /** Whole names; these go whoever created them. */
  readonly names: readonly string[];
  /** Whether a person named them; the configuration's types may have no VM. */
  readonly isExplicit: boolean;
}

/** What `destroy` is told. */
export interface DestroyCommand extends DestroySelection {
  readonly keepDisks: boolean;
  readonly shutdown: boolean;
  /** Confirmed beforehand. */
  readonly confirmed: boolean;
}

/**
 * Destroys after the typed phrase, or when it was confirmed beforehand.
 *
 * @throws {ConfigurationError} when something was named that is not there, or when there is nobody to confirm.
 */
export async function destroy(
  manager: VMManager,
  { prefixes, names, isExplicit, keepDisks, shutdown, confirmed }: DestroyCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  const plan = await manager.planDestruction({ prefixes, names, unmarked: names, keepDisks, shutdown });
  if (isExplicit) expectFound(plan);
  terminal.notify(describeDestruction(plan));
  if (plan.totals.vms > 0 && !confirmed && !await confirm(plan, terminal)) {
    terminal.notify("The phrase was another one: nothing was destroyed");
    return false;
  }
  const result = await manager.destroyPlanned(plan, { observer: progressTo(terminal), by: BY, signal });
  return report(result, terminal);
}

function expectFound({ missing }: DestructionPlan): void {
  if (missing.length === 0) return;
  const problems = missing.map((selection) => ({
    field: selection.by === "prefix" ? "--prefix" : "--vm",
    message: `${describeMissing(selection)}; nothing was destroyed. The command list shows the VMs`,
  }));
  throw new ConfigurationError("destroy", problems);
}

async function confirm(plan: DestructionPlan, { ask }: Terminal): Promise<boolean> {
  if (ask === null) {
    const message =
      "There is no terminal to confirm on; add --yes to destroy what is listed. Nothing was destroyed";
    throw new ConfigurationError("destroy", [{ field: "--yes", message }]);
  }
  const typed = await ask(`This cannot be undone. Type "${plan.phrase}" to confirm:`);
  return typed?.trim().toLowerCase() === plan.phrase;
}

function planOf(manager: VMManager, command: CreateCommand): Promise<CreationPlan> {
  return manager.planCreation(requestOf(command));
}

/** The configuration with what the command says instead. */
export function requestOf(command: CreateCommand): CreationRequest {
  const { configuration, places, parallel, onFailure } = command;
  const said = {
    ...(parallel === undefined ? {} : { parallel }),
    ...(onFailure === undefined ? {} : { on_failure: onFailure }),
  };
  const sections = vmTypes(configuration).map((type) => [type, { ...configuration[type], ...said }] as const);
  return {
    configuration: { ...configuration, ...Object.fromEntries(sections) } as Configuration,
    places,
    types: typesOf(command),
  };
}

function typesOf({ configuration, types }: CreateCommand) {
  const all = defaultTypes(configuration);
  return types.length === 0 ? all : all.filter(({ type }) => types.includes(type));
}

/**
 * Holds the words of a command against the configuration.
 *
 * @throws {ConfigurationError} naming every type that is not there.
 */
export function expectTypes(configuration: Configuration, types: readonly string[]): void {
  const known = vmTypes(configuration);
  const unknown = types.filter((type) => !known.includes(type));
  if (unknown.length === 0) return;
  const problems = unknown.map((type) => ({
    field: "",
    message: `There is no VM type ${JSON.stringify(type)}; there are ${known.join(", ")}`,
  }));
  throw new ConfigurationError("configuration", problems);
}

function outcomeOf({ vms, findings }: CreationPlan): PlanOutcome {
  const has = (...actions: PlannedAction[]) => vms.some(({ action }) => actions.includes(action));
  if (has("blocked") || findings.some(({ severity }) => severity === "error")) return "blocked";
  if (has("differs")) return "differs";
  return has("create", "complete") ? "changes" : "as-planned";
}

function describePlan(plan: CreationPlan): string {
  const findings = plan.findings.map(({ severity, vms, field, message, line }) =>
    `${severity}: ${placeOf({ vms, field })}${message}${line === undefined ? "" : ` (line ${line})`}`
  );
  const rows = plan.vms.map((
    vm,
  ) => [
    vm.name,
    vm.action,
    formatCount(vm.vcpus, "vCPU"),
    formatMib(vm.memoryMib),
    describeDevices(vm, plan),
  ]);
  const sum = `The plan: ${describeTotals(plan)}`;
  return [table(["VM", "ACTION", "CPU", "MEMORY", "DEVICES"], rows), ...findings, sum].join("\n");
}

function placeOf({ vms, field }: { readonly vms: readonly string[]; readonly field: string }): string {
  const place = vms.length === 1 ? vms[0] : field;
  return place ? `${place}: ` : "";
}

function describeDevices(vm: PlannedVm, plan: CreationPlan): string {
  const why = describeReasons(vm, plan);
  if (why.length > 0) return why.join("; ");
  return vm.devices.map((device) => {
    switch (device.dtype) {
      case "DISPLAY":
        return `display ${device.port}`;
      case "CDROM":
        return device.path;
      case "NIC":
        return `${device.attach}=${device.mac}`;
      case "DISK":
        return `${device.zvol} ${formatBytes(device.sizeBytes)}`;
    }
  }).join(", ");
}

function describeDestruction({ vms, prefixes, notices, spared, totals }: DestructionPlan): string {
  const left = spared.map(({ name, because }) => `${name} is left alone: ${because} (--vm ${name} adds it)`);
  if (vms.length === 0) {
    const nothing = prefixes.length === 0
      ? "There is nothing to destroy"
      : `There is nothing to destroy: no VM created here is called ${
        prefixes.join(" or ")
      } followed by digits`;
    return [...left, nothing].join("\n");
  }
  const rows = vms.filter(({ blocked }) => blocked.length === 0).map(({ id, name, state, zvols, keeps }) => [
    name,
    String(id),
    state,
    zvols.map(({ name, sizeBytes }) => `${name}${sizeBytes === null ? "" : ` ${formatBytes(sizeBytes)}`}`)
      .join(", "),
    keeps.map(({ path, because }) => `${path} stays: ${because}`).join(", "),
  ]);
  const snapshots = vms.filter(({ blocked }) => blocked.length === 0).flatMap(({ zvols }) => zvols)
    .flatMap(describeSnapshots);
  const stuck = vms.flatMap(({ name, blocked }) => blocked.map((why) => `${name} stays: ${why}`));
  const sum = [
    formatCount(totals.vms, "VM"),
    formatCount(totals.zvols, "zvol"),
    ...(totals.snapshots === 0 ? [] : [formatCount(totals.snapshots, "snapshot")]),
  ];
  return [
    ...(rows.length === 0 ? [] : [table(["VM", "ID", "STATE", "ZVOLS THAT GO", "WHAT STAYS"], rows)]),
    ...snapshots,
    ...notices,
    ...stuck,
    ...left,
    `${sum.slice(0, -1).join(", ")} and ${sum.at(-1)} will be gone for good`,
  ].join("\n");
}

function describeSnapshots({ name, snapshots }: PlannedZvol): string[] {
  if (snapshots === null || snapshots.length === 0) return [];
  const names = snapshots.map((snapshot) => snapshot.name.slice(name.length)).join(", ");
  return [
    `${formatCount(snapshots.length, "snapshot")} of ${name} ${
      snapshots.length === 1 ? "goes" : "go"
    } first: ${names}`,
  ];
}

function progressTo({ notify }: Terminal): (event: OperationEvent) => void {
  return (event) => {
    if (event.type === "step" && event.status !== "running" && event.status !== "skipped") {
      const what = event.error?.message ?? event.detail;
      notify(`${event.vm} ${event.step}: ${event.status}${what === undefined ? "" : `, ${what}`}`);
    }
    if (event.type === "vm") {
      notify(`${event.vm}: ${event.outcome}${event.message === undefined ? "" : `. ${event.message}`}`);
    }
  };
}

function report(result: RunResult, terminal: Terminal): Success {
  const rows = result.vms.map(({ name, outcome, message }) => [name, outcome, message ?? ""]);
  if (terminal.json) terminal.print(JSON.stringify(operationJson(result.operation), null, 2));
  else terminal.print(rows.length === 0 ? "There was nothing to do" : table(["VM", "OUTCOME", ""], rows));
  return result.status === "done";
}

/** Columns as wide as their widest cell. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .join("\n");
}
