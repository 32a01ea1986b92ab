/** The `export` command: writes VMs in other tools' formats to standard output or files. */
import type { Options } from "../arguments.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { TrueNASError } from "../../errors/errors.ts";
import { type ExportFile, remarksOf } from "../../exports/exported.ts";
import { toDynamicInventory } from "../../exports/ansible.ts";
import { EXPORT_FORMATS } from "../../exports/formats.ts";
import { EXPORT_NAMES, type ExportName } from "../../exports/names.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../../exports/nodes.ts";
import { givenAddresses } from "../../operations/record/given_addresses.ts";
import { choiceExpected, show } from "../../inputs.ts";
import { isFolder, makeFolder, writeTextFile } from "../../configuration/files.ts";
import { READING_MS } from "../../inventory/live_inventory.ts";
import { UsageError } from "../process.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { CreationRequest } from "../../plan/creation_input.ts";
import type { VMManager } from "../../vm_manager.ts";

/** The checked options of `export`. */
export interface ExportRequest extends Omit<Options["export"], "format"> {
  readonly format: ExportName;
  /** VM types; empty: all VMs. */
  readonly types: readonly string[];
}

/**
 * Checks that the options go together.
 *
 * @throws {UsageError} explaining what is wrong with them.
 */
export function readExport({ export: options, types, json }: Options): ExportRequest {
  const { format, output, talosVersion } = options;
  if (format === undefined) throw new UsageError(choiceExpected("--format", EXPORT_NAMES, format), "export");
  if (talosVersion !== undefined && format !== "talos") {
    throw new UsageError(`--talos-version requires --format talos, found ${format}`, "export");
  }
  if (EXPORT_FORMATS[format].archive && output === undefined && !json) {
    throw new UsageError(`${format} writes one file per VM; name their folder with --output`, "export");
  }
  return { ...options, format, types };
}

/** The VMs on the NAS, with the addresses that their guests report or that they were created with. */
export async function presentNodes(manager: VMManager): Promise<ClusterNode[]> {
  const { inventory: { live }, operations: { store } } = manager;
  await live.readAddresses();
  const vms = await live.readyVms(READING_MS);
  const given = givenAddresses(store.list(), new Set(vms.map(({ name }) => name)));
  return vms.map((vm) => nodeOfVm(vm, given));
}

/**
 * Checks how Ansible calls a dynamic inventory: `--list`, or `--host NAME`.
 *
 * @throws {UsageError} explaining what is wrong.
 */
export function readInventoryCall({ inventory: { list, host } }: Options): string | null {
  if (list === (host === undefined)) return host ?? null;
  throw new UsageError("inventory needs either --list or --host <NAME>, as Ansible calls it", "inventory");
}

/** Answers Ansible: the whole inventory, or one host's variables. */
export function printInventory(
  host: string | null,
  nodes: readonly ClusterNode[],
  { print, notify }: Terminal,
): void {
  const inventory = toDynamicInventory(nodes);
  for (const remark of remarksOf({ ...inventory, files: [] })) notify(remark);
  print(JSON.stringify(host === null ? inventory.list : inventory.host(host), null, 2));
}

/** The configured VMs, with the MAC addresses and static addresses that they have or will get. */
export async function plannedNodes(manager: VMManager, request: CreationRequest): Promise<ClusterNode[]> {
  return (await manager.operations.planCreation({ ...request, asksNetwork: false })).vms.map(nodeOfPlanned);
}

/** Writes the export; remarks about omitted VMs go to standard error. */
export function exportNodes(
  { format, output, talosVersion, types }: ExportRequest,
  nodes: readonly ClusterNode[],
  { print, printFile, notify, json }: Terminal,
): void {
  const options = talosVersion === undefined ? {} : { version: talosVersion };
  const exported = EXPORT_FORMATS[format].write(nodesOf(nodes, types), options);
  const { files, leftOut } = exported;
  for (const remark of remarksOf(exported)) notify(remark);
  if (output !== undefined) {
    const written = writeFiles(files, output, EXPORT_FORMATS[format].archive || isFolder(output));
    return json
      ? print(JSON.stringify({ written, leftOut }, null, 2))
      : notify(`Written: ${written.join(", ")}`);
  }
  if (json) return print(JSON.stringify({ files, leftOut }, null, 2));
  for (const { text } of files) printFile(text);
}

/** The selected nodes; a type without VMs is an error, so that a mistake does not write an empty file. */
function nodesOf(nodes: readonly ClusterNode[], types: readonly string[]): readonly ClusterNode[] {
  if (types.length === 0) return nodes;
  const missing = types.find((name) => nodes.every(({ type }) => type !== name));
  if (missing === undefined) return nodes.filter(({ type }) => type !== null && types.includes(type));
  const message = `No VM has the type ${show(missing)}. Nothing was written; check the type's name`;
  throw new UsageError(message, "export");
}

function writeFiles(files: readonly ExportFile[], output: string, toFolder: boolean): string[] {
  try {
    if (toFolder) makeFolder(output);
    return files.map(({ name, text }) => {
      const path = toFolder ? `${output.replace(/\/+$/, "")}/${name}` : output;
      writeTextFile(path, text);
      return path;
    });
  } catch (error) {
    throw new TrueNASError(`Cannot write the export to ${output}: ${reasonOf(error)}`, { cause: error });
  }
}
