/**
 * The commands list, plan, create and destroy, on the same plans and operations as the dashboard. Results go to `print`,
 * as one JSON value with `--json`; progress and questions go to `notify`.
 */
import { type Configuration, type ParsedConfiguration, unknownType } from "../configuration/configuration.ts";
import type { Options } from "./arguments.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { describeOtherwise, describeWhen } from "../first_boot/readiness/planned_ready.ts";
import { describeSign } from "../first_boot/readiness/describe_sign.ts";
import type { PlannedImage } from "../images/planned_image.ts";
import type { Vm } from "../inventory/inventory.ts";
import { seenBy } from "../operations/record/readiness_of.ts";
import { operationJson, planJson, readyJson, vmJson } from "../inventory/json.ts";
import { READING_MS } from "../inventory/live_inventory.ts";
import { typeOf } from "../inventory/names.ts";
import type { ListColumn } from "./commands.ts";
import type { Actor, OperationEvent } from "../operations/types.ts";
import {
  describeAddress,
  describeImages,
  describeReasons,
  describeSurplus,
  describeTotals,
} from "../plan/description.ts";
import type { CreationPlan, DestructionPlan, PlannedAction, PlannedVm, PlannedZvol } from "../plan/types.ts";
import { formatBytes, formatCount, formatDuration, formatMib, MIB } from "../units.ts";
import { describeMissing } from "../plan/destruction.ts";
import { defaultTypes } from "../plan/wanted.ts";
import type { RunResult } from "../operations/summary.ts";
import { describeSeeds, prepareSeeds, untilFetched } from "./seed_wait.ts";
import type { VMManager } from "../vm_manager.ts";
import type { CreationRequest } from "../plan/creation_input.ts";
import { describeUnselected, type Selecting, selectionOf } from "./selection.ts";

/** Input and output of a command. */
export interface Terminal {
  /** Prints results. */
  readonly print: (text: string) => void;
  /** Prints a result that is a file, with its own line ends. */
  readonly printFile: (text: string) => void;
  /** Prints progress, plans and notices. */
  readonly notify: (text: string) => void;
  /** Asks and waits for a line; null when there is nobody to answer. */
  readonly ask: ((question: string) => Promise<string | null>) | null;
  /** Print one JSON value instead of lines. */
  readonly json: boolean;
}

/** Who requests what is done on the command line. */
export const BY: Actor = { who: "command line" };

/** Whether everything succeeded. */
export type Success = boolean;

/** How long the zvols are read, in milliseconds. */
const LINEAGE_MS = 30_000;

/** What a column of the list says of a VM. */
const CELLS = {
  name: ({ name }) => name,
  state: ({ state }) => state,
  cpu: ({ vcpus }) => formatCount(vcpus, "vCPU"),
  memory: ({ memoryMib }) => formatMib(memoryMib),
  disks: ({ disks }) => disks.map(({ zvol, path }) => zvol ?? path).join(" "),
  networks: ({ nics }) =>
    nics.map(({ attach, mac }) => `${attach ?? "default"}=${mac ?? "random"}`).join(" "),
  ip: ({ nics }) => nics.flatMap(({ ip }) => ip?.address ?? []).join(" "),
  type: ({ name }) => typeOf(name) ?? "",
  id: ({ id }) => String(id),
} as const satisfies Record<ListColumn, (vm: Vm) => string>;

/** Lists the VMs, of these types if any are named. */
export async function listVms(
  manager: VMManager,
  configuration: Configuration | null,
  { list: { state, columns, types } }: Pick<Options, "list">,
  terminal: Terminal,
): Promise<Success> {
  const all = columns.includes("ip") ? await addressedVms(manager) : await manager.list();
  const vms = all.filter((vm) =>
    (types.length === 0 || types.includes(typeOf(vm.name) ?? "")) && (state ?? vm.state) === vm.state
  );
  if (terminal.json) {
    const lineage = await manager.inventory.lineage(configuration, LINEAGE_MS);
    terminal.print(JSON.stringify({ vms: vms.map((vm) => vmJson(vm, lineage(vm))) }, null, 2));
    return true;
  }
  const rows = vms.map((vm) => columns.map((column) => CELLS[column](vm)));
  const head = columns.map((column) => column.toUpperCase());
  const none = all.length === 0 ? "The NAS has no VMs" : "No VM matches";
  terminal.print(vms.length === 0 ? none : table(head, rows));
  return true;
}

/** The VMs with the addresses that their guests report. */
async function addressedVms({ inventory: { live } }: VMManager): Promise<readonly Vm[]> {
  await live.readAddresses();
  return await live.readyVms(READING_MS);
}

/** The result of `plan`, from which its exit code follows. */
export type PlanOutcome = "as-planned" | "changes" | "blocked";

/** Shows what `create` would do; changes nothing. */
export async function showPlan(
  manager: VMManager,
  request: CreationRequest,
  terminal: Terminal,
): Promise<PlanOutcome> {
  const plan = await manager.operations.planCreation(request);
  terminal.print(terminal.json ? JSON.stringify(planJson(plan), null, 2) : describePlan(plan));
  return outcomeOf(plan);
}

/** The input of `create`. */
export interface CreateCommand extends Selecting {
  readonly request: CreationRequest;
}

/**
 * Creates what the plan contains, except blocked VMs, and changes and replaces what is selected.
 *
 * @throws {ConfigurationError} when a VM cannot be replaced, or when there is nobody to confirm it.
 */
export async function create(
  manager: VMManager,
  { request: wanted, ...selecting }: CreateCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  // Scripts that create VMs and go on would not expect to wait for guests.
  const request = { ...wanted, waitReady: wanted.waitReady ?? false };
  const plan = await manager.operations.planCreation(request);
  terminal.notify(describePlan(plan));
  const reconcile = selectionOf(plan, selecting);
  const hint = describeUnselected(plan, reconcile);
  if (hint !== null) terminal.notify(hint);
  if (reconcile.replace.length > 0 && !selecting.yes) {
    const phrase = `destroy ${formatCount(reconcile.replace.length, "vm")}`;
    if (!await confirm({ phrase, command: "create" }, terminal)) {
      terminal.notify("The phrase did not match. Nothing was sent; run the command again to retry");
      return false;
    }
  }
  const options = { observer: progressTo(terminal), by: BY, signal };
  await prepareSeeds(manager, plan);
  const result = await manager.operations.create({ ...request, reconcile }, options);
  const isFetched = await untilFetched(manager, terminal, signal);
  return report(result, terminal) && isFetched;
}

/** The VMs that `destroy` selects. */
export interface DestroySelection {
  /** Name prefixes, without the number. */
  readonly prefixes: readonly string[];
  /** Whole names, which select a VM whoever created it. */
  readonly names: readonly string[];
  /** Whether the user named them; only then is it an error that one does not exist. */
  readonly isExplicit: boolean;
}

/** The input of `destroy`. */
export interface DestroyCommand extends DestroySelection {
  readonly keepDisks: boolean;
  readonly shutdown: boolean;
  /** Whether --yes was given. */
  readonly confirmed: boolean;
}

/**
 * Destroys VMs after the user types the phrase or passed --yes.
 *
 * @throws {ConfigurationError} when a named VM does not exist, or when there is nobody to confirm.
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
  if (
    plan.totals.vms > 0 && !confirmed && !await confirm({ phrase: plan.phrase, command: "destroy" }, terminal)
  ) {
    terminal.notify("The phrase did not match. Nothing was destroyed; run the command again to retry");
    return false;
  }
  const result = await manager.destroyPlanned(plan, { observer: progressTo(terminal), by: BY, signal });
  return report(result, terminal);
}

function expectFound({ missing }: DestructionPlan): void {
  if (missing.length === 0) return;
  const problems = missing.map((selection) => ({
    field: selection.by === "prefix" ? "--prefix" : "--vm",
    message: `${describeMissing(selection)}. Nothing was destroyed; run list to see the VMs`,
  }));
  throw new ConfigurationError("destroy", problems);
}

/**
 * Asks for the phrase; whether it was typed.
 *
 * @throws {ConfigurationError} when there is nobody to ask.
 */
export async function confirm(
  { phrase, command }: { readonly phrase: string; readonly command: string },
  { ask }: Terminal,
): Promise<boolean> {
  if (ask === null) {
    const message = "There is no terminal for the confirmation. Nothing was sent; add --yes to skip it";
    throw new ConfigurationError(command, [{ field: "--yes", message }]);
  }
  const typed = await ask(`This cannot be undone. Type "${phrase}" to confirm:`);
  return typed?.trim().toLowerCase() === phrase;
}

/**
 * The request of `create` and `plan`: the configuration with the command's overrides, and its types, by default all.
 *
 * @throws {ConfigurationError} naming every unknown type.
 */
export function creationRequest(
  { configuration, places }: ParsedConfiguration,
  { types, parallel, onFailure, waitReady }: Options,
): CreationRequest {
  const known = Object.keys(configuration.types);
  const problems = types.filter((type) => !known.includes(type))
    .map((type) => ({ field: "", message: unknownType(type, known) }));
  if (problems.length > 0) throw new ConfigurationError("configuration", problems);
  const overrides = {
    ...(parallel === undefined ? {} : { parallel }),
    ...(onFailure === undefined ? {} : { on_failure: onFailure }),
  };
  const overridden = Object.entries(configuration.types).map((
    [name, type],
  ) => [name, { ...type, ...overrides }]);
  return {
    configuration: { ...configuration, types: Object.fromEntries(overridden) },
    places,
    waitReady,
    types: defaultTypes(configuration).filter(({ type }) => types.length === 0 || types.includes(type)),
  };
}

function outcomeOf({ vms, surplus, findings }: CreationPlan): PlanOutcome {
  const has = (...actions: PlannedAction[]) => vms.some(({ action }) => actions.includes(action));
  if (has("blocked") || findings.some(({ severity }) => severity === "error")) return "blocked";
  return has("create", "complete", "change", "replace") || surplus.length > 0 ? "changes" : "as-planned";
}

/** The plan as text. */
export function describePlan(plan: CreationPlan): string {
  const findings = plan.findings.map(({ severity, vms, field, message, line }) =>
    `${severity}: ${placeOf({ vms, field })}${message}${line === undefined ? "" : ` (line ${line})`}`
  );
  const rows = plan.vms.map((vm) => {
    const { name, action, vcpus, memoryMib } = vm;
    return [name, action, formatCount(vcpus, "vCPU"), formatMib(memoryMib), describeDevices(vm, plan)];
  });
  const surplus = plan.surplus.map((vm) => {
    const { name, vcpus, memoryMib } = vm;
    return [name, "surplus", formatCount(vcpus, "vCPU"), formatMib(memoryMib), describeSurplus(vm)];
  });
  const images = describeImages(plan);
  const seeds = describeSeeds(plan);
  const sum = `Plan: ${describeTotals(plan)}`;
  return [
    table(["VM", "ACTION", "CPU", "MEMORY", "DEVICES"], [...rows, ...surplus]),
    ...findings,
    ...images,
    ...seeds,
    ...describeWaits(plan),
    sum,
  ]
    .join("\n");
}

/** One line for each type of which it is known how its VMs show that they answer. */
function describeWaits({ vms }: CreationPlan): readonly string[] {
  const started = vms.filter(({ steps }) => steps.includes("start"));
  const waits = new Map(
    started.flatMap(({ type, ready }) => ready === undefined ? [] : [[type, ready] as const]),
  );
  return [...waits].map(([type, { when, timeoutMs, otherwise }]) =>
    `${type} is ready when ${describeWhen(when)}; if it does not within ${formatDuration(timeoutMs)}, ` +
    `${describeOtherwise(otherwise)}. create waits for that with --wait-ready`
  );
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
        return [`${device.attach}=${device.mac}`, ...describeAddress(device.ip)].join(" ");
      case "DISK":
        return `${device.zvol} ${formatBytes(device.sizeBytes)}${describeImage(device.image)}`;
    }
  }).join(", ");
}

function describeImage(image: PlannedImage | undefined): string {
  return image === undefined ? "" : ` (${image.golden === null ? "copy" : "clone"} of ${image.name})`;
}

function describeDestruction({ vms, prefixes, notices, spared, totals }: DestructionPlan): string {
  const kept = spared.map(({ name, because }) => `${name} stays: ${because} (add it with --vm ${name})`);
  if (vms.length === 0) {
    const nothing = prefixes.length === 0
      ? "Nothing to destroy"
      : `Nothing to destroy: no VM created here matches ${prefixes.join(" or ")} followed by digits`;
    return [...kept, nothing].join("\n");
  }
  const toDestroy = vms.filter(({ blocked }) => blocked.length === 0);
  const rows = toDestroy.map(({ id, name, state, zvols, keeps }) => [
    name,
    String(id),
    state,
    zvols.map(({ name, sizeBytes }) => `${name}${sizeBytes === null ? "" : ` ${formatBytes(sizeBytes)}`}`)
      .join(", "),
    keeps.map(({ path, because }) => `${path} stays: ${because}`).join(", "),
  ]);
  const snapshots = totals.snapshots === 0 ? [] : [formatCount(totals.snapshots, "snapshot")];
  const counts = [formatCount(totals.vms, "VM"), formatCount(totals.zvols, "disk"), ...snapshots];
  return [
    ...(rows.length === 0 ? [] : [table(["VM", "ID", "STATE", "DISKS TO DESTROY", "KEPT"], rows)]),
    ...toDestroy.flatMap(({ zvols }) => zvols).flatMap(describeSnapshots),
    ...notices,
    ...vms.flatMap(({ name, blocked }) => blocked.map((why) => `${name} stays: ${why}`)),
    ...kept,
    `${counts.slice(0, -1).join(", ")} and ${counts.at(-1)} will be destroyed permanently`,
  ].join("\n");
}

function describeSnapshots({ name, snapshots }: PlannedZvol): string[] {
  if (snapshots === null || snapshots.length === 0) return [];
  const names = snapshots.map((snapshot) => snapshot.name.slice(name.length)).join(", ");
  return [`Destroys ${formatCount(snapshots.length, "snapshot")} of ${name} first: ${names}`];
}

/** A transfer of unknown size tells how far it is each time so many bytes have arrived. */
const UNSIZED_STEP_BYTES = 100 * MIB;

/** Prints what an operation does, as it does it. */
export function progressTo({ notify }: Terminal): (event: OperationEvent) => void {
  const told = new Map<string, number>();
  return (event) => {
    // A transfer tells every second how far it is, which is too much for a log.
    if (event.type === "progress" && event.transfer !== undefined) {
      const { bytes, totalBytes, bytesPerSecond } = event.transfer;
      const part = Math.floor(totalBytes === null ? bytes / UNSIZED_STEP_BYTES : event.percent / 10);
      const key = `${event.vm} ${event.step}`;
      if (part <= (told.get(key) ?? -1)) return;
      told.set(key, part);
      const of = totalBytes === null ? "" : ` of ${formatBytes(totalBytes)}`;
      notify(`${event.vm} ${event.step}: ${formatBytes(bytes)}${of}, ${formatBytes(bytesPerSecond)}/s`);
    }
    if (event.type === "step" && event.status !== "running" && event.status !== "skipped") {
      const what = event.error?.message ?? event.detail;
      notify(`${event.vm} ${event.step}: ${event.status}${what === undefined ? "" : `, ${what}`}`);
    }
    if (event.type === "sign") notify(`${event.vm} ${event.step}: ${describeSign(event.sign)}`);
    if (event.type === "healed") notify(`${event.vm} ${event.step}: ${event.message}`);
    if (event.type === "waiting") notify(`Waiting for the NAS: ${event.message}`);
    if (event.type === "back") notify(event.gaveUp ?? "The NAS answers again");
    if (event.type === "vm") {
      notify(`${event.vm}: ${event.outcome}${event.message === undefined ? "" : `. ${event.message}`}`);
    }
  };
}

/** Prints the result of an operation; whether all of it succeeded. */
export function report(result: RunResult, terminal: Terminal): Success {
  const rows = result.vms.map(({ name, outcome, message }) => [name, outcome, message ?? ""]);
  if (terminal.json) {
    const ready = readyVms(result);
    const json = { ...operationJson(result.operation), ...(ready.length === 0 ? {} : { ready }) };
    terminal.print(JSON.stringify(json, null, 2));
  } else terminal.print(rows.length === 0 ? "Nothing to do" : table([headOf(result), "OUTCOME", ""], rows));
  return result.status === "done";
}

/** The VMs that were waited for: whether each answers, where, and how that is known. */
function readyVms({ operation: { vms } }: RunResult): readonly Record<string, unknown>[] {
  return vms.flatMap((vm) => {
    const seen = seenBy(vm);
    return seen === null ? [] : [{ name: vm.name, ...readyJson(seen.readiness) }];
  });
}

/** What the rows of an operation's outcome are. */
function headOf({ operation: { kind } }: RunResult): string {
  if (kind === "image") return "IMAGE";
  return kind === "remove-image" ? "DATASET" : "VM";
}

/** Says what a plan is about, if there is anything to say. */
export function explain(text: string, { notify }: Pick<Terminal, "notify">): void {
  if (text !== "") notify(text);
}

/** A table with aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .join("\n");
}
