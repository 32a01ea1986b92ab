/**
 * The commands list, plan, create and destroy, on the same plans and operations as the dashboard. Results go to `print`,
 * as one JSON value with `--json`; progress and questions go to `notify`.
 */
import {
  type Configuration,
  type ParsedConfiguration,
  unknownType,
} from "../../configuration/configuration.ts";
import type { Options } from "../arguments.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { planJson, vmJson } from "../../inventory/json.ts";
import { READING_MS } from "../../inventory/live_inventory.ts";
import { typeOf } from "../../inventory/names.ts";
import type { ListColumn } from "../commands.ts";
import type { CreationPlan, DestructionPlan, PlannedAction } from "../../plan/types.ts";
import { formatCount, formatMib } from "../../units.ts";
import { describeMissing } from "../../plan/destruction.ts";
import { defaultTypes } from "../../plan/wanted.ts";
import { prepareSeeds, untilFetched } from "./seed_wait.ts";
import type { VMManager } from "../../vm_manager.ts";
import type { CreationRequest } from "../../plan/creation_input.ts";
import { describeUnselected, type Selecting, selectionOf } from "./selection.ts";
import { describeDestruction, describePlan } from "./plan_text.ts";
import { BY, confirm, progressTo, report, type Success, table, type Terminal } from "../terminal/terminal.ts";

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
