/** The command `export`: what other tools need of VMs, on standard output or in files. */
import type { Options } from "./arguments.ts";
import { type CreateCommand, requestOf, type Terminal } from "./vm_commands.ts";
import { TrueNASError } from "../errors/errors.ts";
import { type ExportFile, remarksOf } from "../exports/exported.ts";
import { EXPORT_FORMATS, EXPORT_NAMES, type ExportName, isExportName } from "../exports/formats.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../exports/nodes.ts";
import { isTalosVersion, TALOS_VERSIONS, type TalosVersion } from "../exports/talos.ts";
import { isFolder, makeFolder, writeTextFile } from "../configuration/files.ts";
import { READING_MS } from "../inventory/live_inventory.ts";
import { UsageError } from "./process.ts";
import { reasonOf } from "../errors/system_errors.ts";
import type { VMManager } from "../vm_manager.ts";

/** What is asked for. */
export interface ExportRequest {
  readonly format: ExportName;
  /** A file, or a folder; null: standard output. */
  readonly output: string | null;
  readonly talosVersion: TalosVersion | undefined;
  /** The VMs of the configuration instead of those on the NAS. */
  readonly planned: boolean;
  /** VM types; none means all VMs. */
  readonly types: readonly string[];
}

/**
 * Reads the options of the command.
 *
 * @throws {UsageError} saying what is wrong with them.
 */
export function readExport({ export: options, types, json }: Options): ExportRequest {
  const { format, output = null, talosVersion, planned } = options;
  if (format === undefined || !isExportName(format)) {
    const found = format === undefined ? "" : `; found ${JSON.stringify(format)}`;
    throw new UsageError(`--format must be ${EXPORT_NAMES.join(", ")}${found}`, "export");
  }
  if (talosVersion !== undefined && !isTalosVersion(talosVersion)) {
    const found = JSON.stringify(talosVersion);
    throw new UsageError(`--talos-version must be ${TALOS_VERSIONS.join(", ")}; found ${found}`, "export");
  }
  if (talosVersion !== undefined && format !== "talos") {
    throw new UsageError(`--talos-version is for --format talos; the format is ${format}`, "export");
  }
  if (EXPORT_FORMATS[format].archive && output === null && !json) {
    throw new UsageError(`${format} has a file for each VM; name a folder for them with --output`, "export");
  }
  return { format, output, talosVersion, planned, types };
}

/** The VMs on the NAS, with the addresses that their guests tell. */
export async function presentNodes({ inventory: { live } }: VMManager): Promise<ClusterNode[]> {
  await live.readAddresses();
  const vms = await live.readyVms(READING_MS);
  return vms.map((vm) => nodeOfVm(vm));
}

/** The VMs of the configuration, with the MACs that they have or will have. */
export async function plannedNodes(manager: VMManager, command: CreateCommand): Promise<ClusterNode[]> {
  const { vms } = await manager.planCreation(requestOf(command));
  return vms.map((vm) => nodeOfPlanned(vm));
}

/** Writes them; what a format leaves out is told beside. */
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

/** What was named and is not there is a mistake, and no empty file. */
function nodesOf(nodes: readonly ClusterNode[], types: readonly string[]): readonly ClusterNode[] {
  if (types.length === 0) return nodes;
  const missing = types.find((wanted) => nodes.every(({ type }) => type !== wanted));
  if (missing === undefined) return nodes.filter(({ type }) => type !== null && types.includes(type));
  throw new UsageError(
    `There is no VM of the type ${JSON.stringify(missing)}; nothing was written`,
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
    throw new TrueNASError(`The export could not be written to ${output}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
