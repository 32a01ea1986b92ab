/**
 * The flat form of a configuration, in which the VM types are sections next to storage: the form of config.yaml, of the
 * journal, and of the library's callers. Everything else uses {@link Configuration}.
 */
import type { Configuration } from "./configuration.ts";
import type { StorageSection, VmTypeSection } from "./sections.ts";

/** A whole configuration, keyed as in the file: every section but storage is a VM type. */
export interface FlatConfiguration {
  /** Where disks and the install image are. */
  readonly storage: StorageSection;
  /** A VM type. */
  readonly [vmType: string]: StorageSection | VmTypeSection | undefined;
}

/** Converts a configuration to the flat form. */
export function toFlat({ storage, types }: Configuration): FlatConfiguration {
  return { storage, ...types };
}

/** Converts a configuration from the flat form. */
export function fromFlat({ storage, ...sections }: FlatConfiguration): Configuration {
  const types = Object.entries(sections).flatMap(([name, section]) =>
    section !== undefined && "count" in section ? [[name, section] as const] : []
  );
  return { storage, types: Object.fromEntries(types) };
}
