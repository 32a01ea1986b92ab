/** Which image the first disk of a VM comes from, and what was cloned from its disks. */
import type { Configuration } from "../../configuration/configuration.ts";
import { type Reading, sourceOf, type Vm } from "../../inventory/inventory.ts";
import { zvolMarkOf } from "../../inventory/marks.ts";
import type { Caller, CallOptions } from "../../truenas/client.ts";
import { queryDatasets, reading, type ReadOptions } from "../../truenas/read_inventory.ts";
import { placeOfFile } from "../acquiring/image_files.ts";
import { IMAGE_PROPERTY } from "../image_property.ts";
import { imageNameOf } from "./image_list.ts";

/** Where the disks of a VM come from, and what comes from them. */
export interface VmLineage {
  /** The image that the first disk is a clone or a copy of; null for none, or when it is not known. */
  readonly image: string | null;
  /** How many zvols are clones of the VM's disks; null when that is not known. */
  readonly clones: number | null;
}

/** What is known of a VM when the zvols could not be read. */
export const UNKNOWN_LINEAGE: VmLineage = { image: null, clones: null };

/** The lineage of each VM. */
export type Lineage = (vm: Pick<Vm, "disks">) => VmLineage;

interface ZvolOrigin {
  /** The snapshot that it is a clone of; null for no clone. */
  readonly origin: string | null;
  /** The path of the image that it was converted from. */
  readonly image: string | null;
  /** Whether it is a VM's disk, and not one that disks are cloned from. */
  readonly isDisk: boolean;
}

/**
 * Reads it for all VMs with one call. Clones can be anywhere on the NAS, so it is every zvol that is asked for; where the account
 * may not, nothing is known.
 */
export async function readLineage(
  caller: Caller,
  { images = {} }: Pick<Configuration, "images">,
  options: ReadOptions & Pick<CallOptions, "timeoutMs"> = {},
): Promise<Lineage> {
  const read = await readOrigins(caller, options);
  if (!read.known) return () => UNKNOWN_LINEAGE;
  const zvols = read.value;
  const clones = clonesIn(zvols);
  const names = namesOf(zvols, images);
  return ({ disks }) => {
    const own = [...new Set(disks.flatMap(({ zvol }) => zvol ?? []))];
    const [first] = disks.toSorted((a, b) => a.order - b.order);
    return {
      image: imageOf(zvols, names, first?.zvol ?? null),
      clones: own.reduce((sum, zvol) => sum + (clones.get(zvol) ?? 0), 0),
    };
  };
}

function readOrigins(
  caller: Caller,
  options: ReadOptions,
): Promise<Reading<ReadonlyMap<string, ZvolOrigin>>> {
  return reading(async () => {
    const rows = await queryDatasets(caller, ["type", "=", "VOLUME"], { ...options, properties: ["origin"] });
    return new Map(rows.map(({ id, origin, user_properties: own }) => [id, {
      origin: origin?.rawvalue || null,
      image: own?.[IMAGE_PROPERTY]?.rawvalue || null,
      isDisk: zvolMarkOf((property) => own?.[property]?.rawvalue) !== null,
    }]));
  });
}

/** How many clones each zvol has. */
function clonesIn(zvols: ReadonlyMap<string, ZvolOrigin>): ReadonlyMap<string, number> {
  const clones = new Map<string, number>();
  for (const { origin } of zvols.values()) {
    if (origin === null) continue;
    const source = sourceOf(origin);
    clones.set(source, (clones.get(source) ?? 0) + 1);
  }
  return clones;
}

/** The names of images by the paths of their files. */
function namesOf(
  zvols: ReadonlyMap<string, ZvolOrigin>,
  images: NonNullable<Configuration["images"]>,
): ReadonlyMap<string, string> {
  const golden = [...zvols].flatMap(([zvol, { image, isDisk }]): [string, string][] =>
    image === null || isDisk ? [] : [[image, imageNameOf(zvol)]]
  );
  const declared = Object.entries(images).flatMap(([name, { path }]): [string, string][] =>
    path === undefined ? [] : [[path, name]]
  );
  return new Map([...golden, ...declared]);
}

function imageOf(
  zvols: ReadonlyMap<string, ZvolOrigin>,
  names: ReadonlyMap<string, string>,
  disk: string | null,
): string | null {
  const { origin = null, image = null } = zvols.get(disk ?? "") ?? {};
  if (image !== null) return names.get(image) ?? placeOfFile(image)?.name ?? null;
  if (origin === null) return null;
  const source = sourceOf(origin);
  const from = zvols.get(source);
  return from === undefined || from.image === null || from.isDisk ? null : imageNameOf(source);
}
