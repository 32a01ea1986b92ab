/**
 * Plans how a disk gets an image: as a clone of the image's golden zvol, which is converted once, or converted by itself
 * where no clone can be made. Pure.
 */
import type { VmTypeSection } from "../configuration/sections.ts";
import type { Configuration } from "../configuration/configuration.ts";
import { sha256Hex } from "../hashes.ts";
import { hasRole } from "../truenas/roles.ts";
import type { HeaderVerdict } from "./acquiring/header_verdict.ts";
import type { ImageWay } from "./acquiring/ways.ts";
import type { VersionRules } from "../truenas/versions.ts";
import { formatBytes, gibToBytes, MIB } from "../units.ts";

/** The snapshot of a golden zvol that clones are made from. It is taken last, so a golden zvol that has it is whole. */
export const READY = "ready";

/** How a disk gets an image. */
export interface PlannedImage {
  /** As the configuration names it: `debian12`. */
  readonly name: string;
  /** The file on the NAS. */
  readonly path: string;
  /** The golden zvol that is cloned: `tank/images/debian12-1a2b3c4d`; null: the disk is converted by itself. */
  readonly golden: string | null;
  /** Size of the golden zvol in bytes. */
  readonly goldenBytes: number;
  /** How this TrueNAS release converts images. */
  readonly method: VersionRules["imageMethod"];
  /** Where the file comes from; absent for one that people put on the NAS. */
  readonly source?: PlannedSource;
}

/** An image that is fetched from an address. */
export interface PlannedSource {
  /** Where it is fetched from. */
  readonly url: string;
  /** SHA-256 of what the address answers, in lower case. */
  readonly sha256: string;
  /** The dataset of images, in which the file gets one of its own. */
  readonly dataset: string;
  /** By which way it comes to the NAS; `there` when it is there. null: by none. */
  readonly way: ImageWay | null;
  /** Why it goes that way, or why by none. */
  readonly why: string;
}

/** What is known of an image. */
export interface ImageFacts {
  /** The golden zvol's name, which contains the file's size and time, so that a changed file gets another one. */
  readonly golden: string;
  /** The file exists; null when that could not be read, and `because` says why. */
  readonly exists: boolean | null;
  readonly because: string | null;
  /** Size of its disk in bytes; null where TrueNAS does not tell it (before 25.10.1). */
  readonly virtualBytes: number | null;
  /** Where its file is, or will be. */
  readonly path: string;
  /** How its file comes to the NAS; null for one that people put there. */
  readonly source: PlannedSource | null;
  /** Another version of the image that is in its place, by its SHA-256; null when none is. */
  readonly otherDigest: string | null;
  /** What is known of the header of a file that people put there; null when it does not matter. */
  readonly header: HeaderVerdict | null;
  /** The golden zvol, if there is one. */
  readonly found: {
    readonly volsizeBytes: number;
    /** Whether this program made it. */
    readonly isOurs: boolean;
    /** Id of the operation that makes it, or was interrupted while it did; null when it is whole. */
    readonly operation: string | null;
    readonly isReady: boolean;
  } | null;
}

/** What is known of a disk that has or gets an image. */
export interface ImageDisk {
  /** The snapshot it was cloned from; null for no clone. */
  readonly origin: string | null;
  /** The image that was converted onto it; null for none. */
  readonly image: string | null;
}

/** The facts about the images of a configuration, and about the disks that they are for. */
export interface ImagesRead {
  readonly images: ReadonlyMap<string, ImageFacts>;
  readonly disks: ReadonlyMap<string, ImageDisk>;
}

/** The dataset of image files and golden zvols. */
export function imageDataset({ pool_path, image_path }: Configuration["storage"]): string {
  if (image_path !== undefined) return image_path;
  const parts = pool_path.split("/");
  return [...(parts.length > 1 ? parts.slice(0, -1) : parts), "images"].join("/");
}

/** The name of an image's golden zvol; never one that TrueNAS would take for an image's, such as `…raw`. */
export function goldenName(
  storage: Configuration["storage"],
  { name, path, version }: { readonly name: string; readonly path: string; readonly version: string },
): string {
  return `${imageDataset(storage)}/${name}-${sha256Hex(`${path} ${version}`).slice(0, 8)}`;
}

/** The name of the golden zvol of an image that is fetched: what it is made from is known before it is there. */
export function fetchedGoldenName(
  storage: Configuration["storage"],
  { name, sha256 }: { readonly name: string; readonly sha256: string },
): string {
  return goldenName(storage, { name, path: "sha256", version: sha256.toLowerCase() });
}

/** What planning an image takes. */
interface ImageInput {
  readonly configuration: Configuration;
  readonly facts: ImageFacts | undefined;
  readonly roles: readonly string[] | null;
  readonly rules: Pick<VersionRules, "imageMethod" | "cloneRoles">;
}

/** How the first disk of a type's VMs gets its image; null for a type without one. */
export function planImage(section: VmTypeSection, input: ImageInput): PlannedImage | null {
  const { configuration, facts, rules } = input;
  const path = section.image === undefined
    ? undefined
    : facts?.path ?? configuration.images?.[section.image]?.path;
  if (section.image === undefined || path === undefined) return null;
  return {
    name: section.image,
    path,
    ...(facts?.source == null ? {} : { source: facts.source }),
    golden: whyNoClone(section, input) === null ? facts?.golden ?? null : null,
    goldenBytes: goldenBytes(section.image, configuration, facts),
    method: rules.imageMethod,
  };
}

/** A zvol's size is a multiple of its block size. */
export function wholeMib(sizeBytes: number): number {
  return Math.ceil(sizeBytes / MIB) * MIB;
}

function goldenBytes(name: string, { types }: Configuration, facts: ImageFacts | undefined): number {
  if (facts?.found?.isReady === true) return facts.found.volsizeBytes;
  if (facts?.virtualBytes != null) return wholeMib(facts.virtualBytes);
  // Unknown before 25.10.1: clones can grow but not shrink, so the smallest disk decides.
  const sizes = Object.values(types).filter(({ image }) => image === name)
    .flatMap(({ disk }) => Object.values(disk).slice(0, 1));
  return gibToBytes(Math.min(...sizes));
}

/** Why the disks of a type are converted one by one instead of cloned; null when they are cloned. */
export function whyNoClone(
  section: Pick<VmTypeSection, "clone" | "disk">,
  { configuration: { storage }, facts, roles, rules }: ImageInput,
): string | null {
  if (section.clone === false) return "clone is false";
  const [pool, own] = [storage.pool_path, imageDataset(storage)].map((name) => name.split("/")[0]);
  if (pool !== own) return `${imageDataset(storage)} is in another pool than ${storage.pool_path}`;
  const [gib = 0] = Object.values(section.disk);
  const { found = null, virtualBytes = null } = facts ?? {};
  // The size of the image is not known before 25.10.1, so it may fit although its golden zvol does not.
  if (found?.isReady === true && virtualBytes === null && found.volsizeBytes > gibToBytes(gib)) {
    return `the zvol that would be cloned was made for disks of ${formatBytes(found.volsizeBytes)}`;
  }
  const missing = [
    ...(hasRole(roles, "SNAPSHOT_WRITE") === false ? ["SNAPSHOT_WRITE"] : []),
    ...(rules.cloneRoles.every((role) => hasRole(roles, role) === false) ? rules.cloneRoles.slice(0, 1) : []),
  ];
  const [role] = missing;
  return role === undefined ? null : `the account does not have the role ${role}`;
}

/**
 * What a disk's zvol has: a clone of the golden zvol, the image itself, nothing yet, or something else. A clone needs no other
 * evidence, because its golden zvol was whole.
 */
export function stateOfDisk(
  { golden, path, source }: PlannedImage,
  disk: ImageDisk | undefined,
): "cloned" | "filled" | "empty" | "other" {
  if (golden !== null && disk?.origin === `${golden}@${READY}`) return "cloned";
  // The ending of a fetched file is known only when it is there.
  const isSame = source === undefined
    ? disk?.image === path
    : disk?.image?.startsWith(folderOf(path)) === true;
  if (isSame) return "filled";
  return golden === null && disk?.origin == null ? "empty" : "other";
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** Whether an image's file has to be fetched before it can be converted. */
export function needsFile({ source }: PlannedImage): boolean {
  return source !== undefined && source.way !== "there";
}

/** Whether a device still has to get an image. */
export function needsImage<D extends { readonly dtype: string; readonly image?: PlannedImage }>(
  device: D,
): device is D & { readonly image: PlannedImage } {
  return device.image !== undefined;
}
