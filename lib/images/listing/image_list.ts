/**
 * The images of a NAS: what the configuration declares, the zvols that were made from image files, the VMs that use them, and
 * the files that are there. Pure.
 */
import type { Configuration } from "../../configuration/configuration.ts";
import { cdromOf } from "../../configuration/sections.ts";
import type { Reading, Vm } from "../../inventory/inventory.ts";
import type { ZvolMark } from "../../inventory/marks.ts";
import { parentOf } from "../../inventory/names.ts";
import { goldenName, imageDataset, READY } from "../planned_image.ts";
import { type FileFormat, formatByName } from "./file_names.ts";

/** A zvol of a VM that an image is in: a clone, or a full copy. */
export interface ImageUser {
  /** Its name. */
  readonly zvol: string;
  /** The snapshot that it is a clone of; null for a full copy. */
  readonly origin: string | null;
  /** The VM that has it as a disk; null when none does. */
  readonly vm: { readonly id: number; readonly name: string } | null;
  /** Whether this program made it. */
  readonly isOurs: boolean;
}

/** A zvol that an image was converted onto, once, for others to be cloned from. */
export interface ImageVersion {
  /** Its name. */
  readonly zvol: string;
  /** The file that it was made from; null while it is not whole. */
  readonly path: string | null;
  /** Size of the disk in bytes. */
  readonly sizeBytes: number | null;
  /** What it takes of the pool in bytes, with its snapshots. */
  readonly usedBytes: number | null;
  /** Milliseconds since 1970 (UTC). */
  readonly createdAt: number | null;
  /** Whether it can be cloned. */
  readonly isReady: boolean;
  /** Whether new VMs are cloned from it: false for one that was made from an earlier file; null when unknown. */
  readonly isCurrent: boolean | null;
  /** What depends on it. */
  readonly clones: readonly ImageUser[];
}

/** A dataset of ours that holds an image's file. */
export interface ImageDataset {
  /** `tank/images/files-debian12` */
  readonly name: string;
  /** Size of the disk in the file, in bytes; null when unknown. */
  readonly diskBytes: number | null;
  /** Path of the file; null while it is not whole. */
  readonly path: string | null;
  /** What it takes of the pool in bytes. */
  readonly usedBytes: number | null;
  /** Milliseconds since 1970 (UTC). */
  readonly createdAt: number | null;
}

/** How an image is declared. */
export interface DeclaredImage {
  /** Its file on the NAS; null for one that is fetched. */
  readonly path: string | null;
  /** Where it is fetched from; null for a file on the NAS. */
  readonly url: string | null;
  /** Digest of what the address answers. */
  readonly sha256: string | null;
  /** The VM types that use it. */
  readonly types: readonly string[];
}

/** What is known of the file of an image. */
export interface ImageFileFacts {
  /** Where it is on the NAS. */
  readonly path: string;
  /** Its size in bytes. */
  readonly sizeBytes: number | null;
  /** Milliseconds since 1970 (UTC). */
  readonly changedAt: number | null;
}

/**
 * `ready`: VMs are cloned from it in seconds. `waiting`: it is prepared when the first VM is made from it. `unfinished`: its
 * preparation was interrupted, and goes on with the next VM. `missing`: its file is not there. `unknown`: that could not be read.
 */
export type ImageState = "ready" | "waiting" | "unfinished" | "missing" | "unknown";

/** An image. */
export interface ListedImage {
  /** As the configuration names it: `debian12`. */
  readonly name: string;
  /** Whether VMs can be made from it. */
  readonly state: ImageState;
  /** Null when the configuration does not name it. */
  readonly declared: DeclaredImage | null;
  /** Null when there is none, or when that could not be read. */
  readonly file: ImageFileFacts | null;
  /** The newest first. */
  readonly versions: readonly ImageVersion[];
  /** Where this program keeps its file. */
  readonly datasets: readonly ImageDataset[];
  /** The disks of VMs that it was converted onto by itself. */
  readonly copies: readonly ImageUser[];
}

/** A file on the NAS that VMs can be made or installed from. */
export interface ListedFile {
  /** Where it is on the NAS. */
  readonly path: string;
  /** The name under which this program put it there; null when it did not. */
  readonly ownName: string | null;
  /** Its size in bytes. */
  readonly sizeBytes: number | null;
  /** By its name. */
  readonly format: FileFormat;
  /** The images that the configuration makes from it. */
  readonly images: readonly string[];
  /** The types that are installed from it. */
  readonly types: readonly string[];
  /** The VMs that have it in their CD-ROM. */
  readonly vms: readonly { readonly id: number; readonly name: string }[];
}

/** All of it. */
export interface ImageList {
  /** Those of the configuration, and those that are on the NAS. */
  readonly images: readonly ListedImage[];
  /** What images and installers can be made from. */
  readonly files: Reading<readonly ListedFile[]>;
  /** The dataset of images; null without a configuration. */
  readonly dataset: string | null;
  /** When it was read, in milliseconds since 1970 (UTC). */
  readonly readAt: number;
}

/** A zvol or filesystem, as far as images are concerned. */
export interface ImageRow {
  readonly name: string;
  readonly type: "VOLUME" | "FILESYSTEM";
  readonly sizeBytes: number | null;
  readonly usedBytes: number | null;
  readonly createdAt: number | null;
  readonly origin: string | null;
  /** The image file that was converted onto it. */
  readonly image: string | null;
  /** The image whose file is in it; filesystems only. */
  readonly fileOf: string | null;
  /** Path of that file; null while it is not whole. */
  readonly filePath: string | null;
  /** Size of the disk in that file, in bytes; null when unknown. */
  readonly diskBytes: number | null;
  /** Whether that file is an install image. */
  readonly isIso: boolean;
  readonly mark: ZvolMark | null;
}

/** What was read of the NAS. */
export interface ImageFacts {
  /** Null when the configuration cannot be used. */
  readonly configuration: Configuration | null;
  readonly rows: readonly ImageRow[];
  /** The snapshots of golden zvols; null when they could not be read. */
  readonly snapshots: readonly string[] | null;
  /** Files in the folders of images, by path. */
  readonly files: Reading<readonly { readonly path: string; readonly sizeBytes: number | null }[]>;
  /** The declared files: null for one that does not exist, absent when that could not be read. */
  readonly declaredFiles: ReadonlyMap<string, ImageFileFacts & { readonly version: string } | null>;
  readonly vms: readonly Vm[];
  readonly readAt: number;
}

/** Whether a zvol is one that VMs are cloned from, or was to become one. */
export function isGolden({ type, name, image, mark }: ImageRow, dataset: string | null): boolean {
  if (type !== "VOLUME" || isElsewhere(name, dataset)) return false;
  if (mark === null) return image !== null;
  return dataset !== null && GOLDEN.test(name);
}

/** Whether it is not in the dataset of images, as a replica in a backup, which has the same properties. */
function isElsewhere(name: string, dataset: string | null): boolean {
  return dataset !== null && parentOf(name) !== dataset;
}

const GOLDEN = /\/([^/]+)-[0-9a-f]{8}$/;

/** The name of the image that a golden zvol was made for. */
export function imageNameOf(zvol: string): string {
  return GOLDEN.exec(zvol)?.[1] ?? zvol.split("/").at(-1) ?? zvol;
}

/** Lists the images, by name. */
export function listImages(read: ImageFacts): ImageList {
  const { configuration, readAt } = read;
  const dataset = configuration === null ? null : imageDataset(configuration.storage);
  const rows = read.rows.map((row) => isElsewhere(row.name, dataset) ? { ...row, fileOf: null } : row);
  const facts = { ...read, rows };
  const golden = rows.filter((row) => isGolden(row, dataset));
  const names = new Set([
    ...Object.keys(configuration?.images ?? {}),
    ...golden.map(({ name }) => imageNameOf(name)),
    ...rows.flatMap(({ fileOf, isIso }) => isIso ? [] : fileOf ?? []),
  ]);
  const images = [...names].toSorted((a, b) => a.localeCompare(b, "en")).map((name) =>
    toImage(name, facts, golden.filter((row) => imageNameOf(row.name) === name))
  );
  return { images, files: listFiles(facts), dataset, readAt };
}

function toImage(name: string, facts: ImageFacts, golden: readonly ImageRow[]): ListedImage {
  const declared = declarationOf(name, facts);
  const file = declared?.path == null ? null : facts.declaredFiles.get(declared.path) ?? null;
  const versions = golden.map((row) => toVersion(row, name, facts)).toSorted((a, b) =>
    (b.createdAt ?? 0) - (a.createdAt ?? 0)
  );
  const paths = new Set([declared?.path, ...versions.map(({ path }) => path)]);
  const isCopy = ({ image, mark, type }: ImageRow) => type === "VOLUME" && mark !== null && paths.has(image);
  const datasets = facts.rows.filter(({ fileOf }) => fileOf === name)
    .map(({ name, filePath: path, diskBytes, usedBytes, createdAt }) => ({
      name,
      path,
      diskBytes,
      usedBytes,
      createdAt,
    }));
  return {
    name,
    state: stateOf(declared, versions, facts),
    declared,
    file: file === null ? null : { path: file.path, sizeBytes: file.sizeBytes, changedAt: file.changedAt },
    versions,
    datasets,
    copies: facts.rows.filter((row) => row.image !== null && isCopy(row) && !golden.includes(row))
      .map((row) => toUser(row, facts)),
  };
}

function declarationOf(name: string, { configuration }: ImageFacts): DeclaredImage | null {
  const source = configuration?.images?.[name];
  if (configuration === null || source === undefined) return null;
  const { path = null, url = null, sha256 = null } = source;
  const types = Object.entries(configuration.types).filter(([, { image }]) => image === name);
  return { path, url, sha256, types: types.map(([type]) => type) };
}

function toVersion(row: ImageRow, name: string, facts: ImageFacts): ImageVersion {
  const { name: zvol, image: path, sizeBytes, usedBytes, createdAt } = row;
  const isReady = path !== null && facts.snapshots?.includes(`${zvol}@${READY}`) === true;
  const clones = facts.rows.filter(({ origin }) => origin?.startsWith(`${zvol}@`) === true);
  return {
    zvol,
    path,
    sizeBytes,
    usedBytes,
    createdAt,
    isReady,
    isCurrent: currentOf(name, facts, zvol),
    clones: clones.map((clone) => toUser(clone, facts)),
  };
}

/** Whether a golden zvol has the name that the present file gives it; null when the file is not known. */
function currentOf(name: string, facts: ImageFacts, zvol: string): boolean | null {
  const { configuration, declaredFiles } = facts;
  const path = declarationOf(name, facts)?.path ?? null;
  const file = path === null ? null : declaredFiles.get(path) ?? null;
  if (configuration === null || path === null || file === null) return null;
  return goldenName(configuration.storage, { name, path, version: file.version }) === zvol;
}

function toUser({ name: zvol, origin, mark }: ImageRow, { vms }: ImageFacts): ImageUser {
  const vm = vms.find(({ disks }) => disks.some((disk) => disk.zvol === zvol));
  return {
    zvol,
    origin,
    vm: vm === undefined ? null : { id: vm.id, name: vm.name },
    isOurs: mark !== null,
  };
}

function stateOf(
  declared: DeclaredImage | null,
  versions: readonly ImageVersion[],
  { declaredFiles }: ImageFacts,
): ImageState {
  const usable = versions.filter(({ isCurrent }) => isCurrent !== false);
  if (usable.some(({ isReady }) => isReady)) return "ready";
  if (declared?.path != null) {
    if (!declaredFiles.has(declared.path)) return "unknown";
    if (declaredFiles.get(declared.path) === null) return "missing";
  }
  return usable.length > 0 ? "unfinished" : "waiting";
}

function listFiles({ configuration, files, vms, rows }: ImageFacts): ImageList["files"] {
  if (!files.known) return files;
  const declared = Object.entries(configuration?.images ?? {});
  const types = Object.entries(configuration?.types ?? {});
  return {
    known: true,
    value: files.value.flatMap(({ path, sizeBytes }) => {
      const format = formatByName(path);
      if (format === null) return [];
      const isInstalled = ([, section]: (typeof types)[number]) =>
        configuration !== null && cdromOf(section, configuration.storage) === path;
      return [{
        path,
        ownName: rows.find(({ filePath }) => filePath === path)?.fileOf ?? null,
        sizeBytes,
        format,
        images: declared.filter(([, image]) => image.path === path).map(([name]) => name),
        types: types.filter(isInstalled).map(([type]) => type),
        vms: vms.filter(({ cdroms }) => cdroms.some((cdrom) => cdrom.path === path))
          .map(({ id, name }) => ({ id, name })),
      }];
    }),
  };
}

/** The VMs that use an image, each once. */
export function vmsOf({ versions, copies }: Pick<ListedImage, "versions" | "copies">): ImageUser["vm"][] {
  const users = [...versions.flatMap(({ clones }) => clones), ...copies];
  const vms = new Map(users.flatMap(({ vm }) => vm === null ? [] : [[vm.id, vm] as const]));
  return [...vms.values()].toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}
