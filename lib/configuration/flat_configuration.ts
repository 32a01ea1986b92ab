/**
 * The flat form of a configuration, in which the VM types are sections next to storage: the form of config.yaml, of the
 * journal, and of the library's callers. Everything else uses {@link Configuration}.
 */
import type { Configuration } from "./configuration.ts";
import type { Images } from "./images_section.ts";
import type { StorageSection, VmTypeSection } from "./sections.ts";

/** The images of a flat configuration, by name, as in the file. */
export interface ImagesSection {
  /** Only so that no VM type is taken for it. */
  readonly "x-images"?: never;
}

/** A whole configuration, keyed as in the file: every section but storage and images is a VM type. */
export interface FlatConfiguration {
  /** Where disks and the install image are. */
  readonly storage: StorageSection;
  /** A VM type. */
  readonly [vmType: string]: StorageSection | VmTypeSection | ImagesSection | undefined;
}

/** Converts a configuration to the flat form. */
export function toFlat({ storage, types, images }: Configuration): FlatConfiguration {
  return { storage, ...types, ...(images === undefined ? {} : { images: images as ImagesSection }) };
}

/** Converts a configuration from the flat form. */
export function fromFlat({ storage, images, ...sections }: FlatConfiguration): Configuration {
  const types = Object.entries(sections).flatMap(([name, section]) =>
    section !== undefined && "count" in section ? [[name, section] as const] : []
  );
  const own = images === undefined ? {} : { images: images as Images };
  return { storage, types: Object.fromEntries(types), ...own };
}
