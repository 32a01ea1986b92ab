/** What planning seeds needs, and how it is read. */
import type { Configuration } from "../../configuration/configuration.ts";
import { vmTypeOf } from "../../configuration/configuration.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { readSeedTexts } from "../rendering/seed_texts.ts";
import type { SeedSection } from "../types.ts";
import type { SeedFiles, SeedTexts } from "../rendering/seed.ts";

/** How guests can fetch seeds from this program. */
export interface SeedHost {
  /** SEED_HOST; null when it is not set. */
  readonly host: string | null;
  /** Whether the guests are simulated, or may be, so that they reach this program at any address. */
  readonly simulated: boolean;
}

/** What the seeds of one type are made from, or why that is not known. */
export type TypeTexts =
  | { readonly known: true; readonly texts: SeedTexts }
  | { readonly known: false; readonly because: string };

/** What was read for the seeds of the planned types. */
export interface SeedsRead extends SeedHost {
  /** By type; only types with a seed. */
  readonly types: ReadonlyMap<string, TypeTexts>;
}

/** A program that cannot read files of seeds. */
export const NO_SEED_FILES: SeedFiles = {
  read: (path) => refuse(path, "This program was started without access to files of seeds"),
  keysOf: (account) => refuse(`github:${account}`, "This program was started without access to GitHub"),
};

function refuse(source: string, message: string): Promise<never> {
  return Promise.reject(new ConfigurationError(source, [{ field: "", message }]));
}

/** Reads what the seeds of these types are made from. What cannot be read is part of the result. */
export async function readSeeds(
  { configuration, types, files, ...host }: SeedHost & {
    readonly configuration: Configuration;
    readonly types: readonly string[];
    readonly files: SeedFiles;
  },
): Promise<SeedsRead> {
  const read = new Map<string, TypeTexts>();
  await Promise.all([...new Set(types)].map(async (type) => {
    const { seed } = vmTypeOf(configuration, type);
    if (seed !== undefined) read.set(type, await readTexts(seed, files));
  }));
  return { ...host, types: read };
}

async function readTexts(section: SeedSection, files: SeedFiles): Promise<TypeTexts> {
  try {
    return { known: true, texts: await readSeedTexts(section, files) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { known: false, because: error.message };
  }
}
