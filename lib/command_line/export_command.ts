/** The `export` command: writes VMs in other tools' formats to standard output or files. */
import { choiceOf, type Options } from "./arguments.ts";
import { type CreateCommand, requestOf, type Terminal } from "./vm_commands.ts";
import { TrueNASError } from "../errors/errors.ts";
import { type ExportFile, remarksOf } from "../exports/exported.ts";
import { EXPORT_FORMATS, EXPORT_NAMES, type ExportName } from "../exports/formats.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../exports/nodes.ts";
import { TALOS_VERSIONS, type TalosVersion } from "../exports/talos.ts";
import { isFolder, makeFolder, writeTextFile } from "../configuration/files.ts";
import { READING_MS } from "../inventory/live_inventory.ts";
import { UsageError } from "./process.ts";
import { reasonOf } from "../errors/system_errors.ts";
import type { VMManager } from "../vm_manager.ts";

/** The parsed options of `export`. */
export interface ExportRequest {
  readonly format: ExportName;
  /** A file or folder; null: standard output. */
  readonly output: string | null;
  readonly talosVersion: TalosVersion | undefined;
  /** Export the configured VMs instead of those on the NAS. */
  readonly planned: boolean;
  /** VM types; empty: all VMs. */
  readonly types: readonly string[];
}

/**
 * Validates the command's options.
 *
 * @throws {UsageError} explaining what is wrong with them.
 */
export function readExport({ export: options, types, json }: Options): ExportRequest {
  const { output = null, planned } = options;
  const command = "export";
  const format = choiceOf({ option: "--format", choices: EXPORT_NAMES, command }, options.format);
  const talosVersion = options.talosVersion === undefined
    ? undefined
    : choiceOf({ option: "--talos-version", choices: TALOS_VERSIONS, command }, options.talosVersion);
  if (talosVersion !== undefined && format !== "talos") {
    throw new UsageError(`--talos-version requires --format talos, found ${format}`, "export");
  }
  if (EXPORT_FORMATS[format].archive && output === null && !json) {
    throw new UsageError(`${format} writes one file per VM; name their folder with --output`, "export");
  }
  return { format, output, talosVersion, planned, types };
}

/** The VMs on the NAS, with the addresses their guests report. */
export async function presentNodes({ inventory: { live } }: VMManager): Promise<ClusterNode[]> {
  await live.readAddresses();
  const vms = await live.readyVms(READING_MS);
  return vms.map((vm) => nodeOfVm(vm));
}

/** The configured VMs, with the MAC addresses they have or will get. */
export async function plannedNodes(manager: VMManager, command: CreateCommand): Promise<ClusterNode[]> {
  const { vms } = await manager.operations.planCreation(requestOf(command));
  return vms.map((vm) => nodeOfPlanned(vm));
}

/** Writes the export; notices about left-out values go to standard error. */
export function exportNodes(
  { format, output, talosVersion, types }: ExportRequest,
  nodes: readonly ClusterNode[],
  { print, printFile, notify, json }: Terminal,
): void {
  const chosen = nodesOf(nodes, types);
  const exported = EXPORT_FORMATS[format].write(
    chosen,
    talosVersion === undefined ? {} : { version: talosVersion },
  );
  const { files, leftOut } = exported;
  for (const remark of remarksOf(exported)) notify(remark);
  if (output !== null) {
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
  const missing = types.find((wanted) => nodes.every(({ type }) => type !== wanted));
  if (missing === undefined) return nodes.filter(({ type }) => type !== null && types.includes(type));
  throw new UsageError(
    `No VM has the type ${JSON.stringify(missing)}. Nothing was written; check the type's name`,
    "export",
  );
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
    throw new TrueNASError(`Cannot write the export to ${output}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
