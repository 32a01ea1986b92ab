/** The command images: what there is, and adding and removing images. */
import { shownAddress } from "../../images/source/shown_address.ts";
import type { Configuration } from "../../configuration/configuration.ts";
import { parseConfigurationFile, readConfiguration } from "../../configuration/configuration_file.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { readFileInParts } from "../../configuration/files.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { imageDataset } from "../../images/planned_image.ts";
import { imageListJson } from "../../images/listing/image_json.ts";
import { type ListedImage, vmsOf } from "../../images/listing/image_list.ts";
import { type ImageRemovalPlan, someOf } from "../../images/removing/plan.ts";
import { toResult } from "../../operations/summary.ts";
import { show } from "../../inputs.ts";
import { formatBytes } from "../../units.ts";
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
export type ImagesCommand =
  | { readonly action: "list" }
  | { readonly action: "add"; readonly name: string; readonly url: string; readonly sha256: string }
  | {
    readonly action: "upload";
    readonly name: string;
    readonly file: string;
    readonly sha256: string | null;
  }
  | { readonly action: "remove"; readonly name: string; readonly promote: boolean; readonly yes: boolean };

/** What can be done with images. */
const ACTIONS = ["list", "add", "upload", "remove"] as const;

/**
 * Reads the words after `images`.
 *
 * @throws {UsageError} when they are none of its actions, or a name is missing or too many.
 */
export function imagesCommand(
  words: readonly string[],
  { promote, yes, url, sha256, file }: Pick<Options, "promote" | "yes" | "url" | "sha256" | "file">,
): ImagesCommand {
  const [action = "list", name, ...more] = words;
  if (action === "list" && name === undefined) return { action };
  if (action === "remove" && name !== undefined && more.length === 0) return { action, name, promote, yes };
  const isOne = name !== undefined && more.length === 0;
  if (action === "add" && isOne && url !== undefined && sha256 !== undefined) {
    return { action, name, url, sha256 };
  }
  if (action === "upload" && isOne && file !== undefined) {
    return { action, name, file, sha256: sha256 ?? null };
  }
  if (action === "add") {
    throw new UsageError("images add needs the name of one image, --url and --sha256");
  }
  if (action === "upload") throw new UsageError("images upload needs the name of one image, and --file");
  if (action === "remove") {
    throw new UsageError(`images remove needs the name of one image, found ${words.length - 1}`);
  }
  if (action === "list") throw new UsageError(`images list takes no further arguments, found ${show(name)}`);
  throw new UsageError(`Unknown action ${show(action)}\nActions: ${ACTIONS.join(", ")}`);
}

/** Whether it changes something on the NAS. */
export function changesImages({ action }: ImagesCommand): boolean {
  return action !== "list";
}

/** Whether it is confirmed with a phrase. */
export function asksBefore({ action }: ImagesCommand): boolean {
  return action === "remove";
}

/**
 * Fetches or uploads an image.
 *
 * @throws {ConfigurationError} when the name, the address, the digest or the file is wrong.
 */
export async function addImage(
  manager: VMManager,
  command: Extract<ImagesCommand, { action: "add" | "upload" }>,
  configuration: Configuration,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  const dataset = imageDataset(configuration.storage);
  const { chosen } = await manager.images.ways(dataset);
  if (chosen !== null) terminal.notify(`Way to the NAS: ${chosen.way}, because ${chosen.why}`);
  const options = { observer: progressTo(terminal), by: BY, signal };
  const { finished } = command.action === "add"
    ? await manager.images.add({ dataset, ...command }, options)
    : await manager.images.upload({ dataset, ...command, ...await openFile(command.file) }, options);
  const result = toResult(await finished);
  const isDone = report(result, terminal);
  if (isDone && configuration.images?.[command.name] === undefined) {
    terminal.notify(await describeUse(manager, command, dataset));
  }
  return isDone;
}

/** What to write into the configuration, so that VMs use the file. */
async function describeUse(
  manager: VMManager,
  command: Extract<ImagesCommand, { action: "add" | "upload" }>,
  dataset: string,
): Promise<string> {
  const { name } = command;
  const files = await manager.images.list(dataset);
  const file = files.known ? files.value.find((it) => it.name === name) : undefined;
  const path = file?.path ?? "";
  if (file?.format === "iso") return `To use it, add to a VM type in config.yaml:\n  cdrom: ${path}`;
  const entry = command.action === "add"
    ? `{ url: ${command.url}, sha256: ${command.sha256} }`
    : `{ path: ${path} }`;
  return `To use it, add to config.yaml:\nimages:\n  ${name}: ${entry}`;
}

async function openFile(path: string) {
  try {
    const { stream, sizeBytes } = await readFileInParts(path);
    return { fileName: path.split(/[\\/]/).at(-1) ?? path, stream, sizeBytes };
  } catch (error) {
    const message = `${show(path)} cannot be read: ${reasonOf(error)}`;
    throw new ConfigurationError("images", [{ field: "--file", message }]);
  }
}

/**
 * The configuration that says where images are kept. It needs no VM type yet, because images come first.
 *
 * @throws {ConfigurationError} when there is none, or it has errors.
 */
export function configurationOfImages(path: string): Configuration {
  return parseConfigurationFile(readConfiguration(path), null).configuration;
}

/** The configuration; null when there is none or it has errors, because images can be listed and removed without. */
export function configurationIn(path: string): Configuration | null {
  try {
    return configurationOfImages(path);
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

/** Lists the images. */
export async function listImages(
  manager: VMManager,
  configuration: Configuration | null,
  terminal: Terminal,
): Promise<Success> {
  const list = await manager.inventory.images(configuration, manager.operations.store.now);
  if (terminal.json) {
    terminal.print(JSON.stringify(imageListJson(list), null, 2));
    return true;
  }
  const rows = list.images.map((image) => {
    const [version] = image.versions;
    const disk = version?.sizeBytes ?? null;
    return [
      image.name,
      image.state,
      disk === null ? "-" : formatBytes(disk),
      someOf(vmsOf(image).flatMap((vm) => vm?.name ?? [])) || "-",
      sourceOf(image),
    ];
  });
  terminal.print(
    rows.length === 0 ? "There are no images" : table(["NAME", "STATE", "DISK", "USED BY", "FROM"], rows),
  );
  const files = list.files.known ? list.files.value : [];
  const isos = files.filter(({ format }) => format === "iso").map(({ path, sizeBytes }) => [
    path,
    sizeBytes === null ? "-" : formatBytes(sizeBytes),
  ]);
  if (isos.length > 0) terminal.print(`\n${table(["INSTALL IMAGE", "SIZE"], isos)}`);
  if (!list.files.known) terminal.notify(`Files are not listed because ${list.files.because}`);
  return true;
}

function sourceOf({ declared, datasets }: ListedImage): string {
  if (declared === null) return datasets[0]?.path ?? "not in the configuration";
  return declared.url === null ? declared.path ?? "" : shownAddress(declared.url);
}

/**
 * Removes an image after the user types the phrase or passed --yes.
 *
 * @throws {ConfigurationError} when there is no such image, something keeps it, or there is nobody to confirm.
 */
export async function removeImage(
  manager: VMManager,
  { name, promote, yes }: Extract<ImagesCommand, { action: "remove" }>,
  configuration: Configuration | null,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Success> {
  const request = { image: name, only: [], promote };
  const plan = await manager.operations.planImageRemoval(request, configuration);
  explain(describePlan(plan), terminal);
  expectRemovable(plan);
  if (!yes && !await confirm({ phrase: plan.phrase, command: "images" }, terminal)) {
    terminal.notify("The phrase did not match. Nothing was removed; run the command again to retry");
    return false;
  }
  const started = await manager.operations.startImageRemoval(
    request,
    { configuration, shown: plan.fingerprint },
    { observer: progressTo(terminal), by: BY, signal },
  );
  if (!started.started) {
    const message = "The image changed after it was listed. Nothing was removed; run the command again";
    throw new ConfigurationError("images", [{ field: "", message }]);
  }
  return report(toResult(await started.operation.finished), terminal);
}

function describePlan({ parts, keepsFile }: ImageRemovalPlan): string {
  const promotions = parts.flatMap(({ promotion }) => promotion ?? []);
  const rows = parts.map(({ name, sizeBytes, type, snapshots }) => [
    name,
    type === "VOLUME" ? "disk that VMs are cloned from" : "the image's file",
    sizeBytes === null ? "-" : formatBytes(sizeBytes),
    (snapshots ?? []).map((snapshot) => snapshot.name.slice(name.length)).join(" "),
  ]);
  return [
    ...(rows.length === 0 ? [] : [table(["REMOVES", "", "SIZE", "SNAPSHOTS"], rows)]),
    ...promotions.map(({ clone, vm, others }) =>
      `${
        vm ?? clone
      } takes over the image's data; ${others.length} other clones depend on its disk afterwards`
    ),
    ...(keepsFile === null || parts.length === 0
      ? []
      : [`${keepsFile} stays, because this program did not make it`]),
  ].join("\n");
}

function expectRemovable({ image, parts, hasClones, promote }: ImageRemovalPlan): void {
  if (parts.length === 0) {
    const message = `This program has nothing of ${image} on the NAS; run images list to see what there is`;
    throw new ConfigurationError("images", [{ field: "", message }]);
  }
  const hint = hasClones && !promote
    ? ". Nothing was removed; destroy these VMs first, or add --promote to let one take over the image's data"
    : ". Nothing was removed";
  const problems = parts.flatMap(({ name, blocked }) =>
    blocked.map((why) => ({ field: "", message: `${name} stays: ${why}${hint}` }))
  );
  if (problems.length > 0) throw new ConfigurationError("images", problems);
}
