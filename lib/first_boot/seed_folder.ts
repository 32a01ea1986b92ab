/** The files of seeds, in the folder of config.yaml or below it. */
import { basename, dirname, isAbsolute, join } from "node:path";
import { readTextBelow, type RefusedFile } from "../configuration/files.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { reasonOf } from "../errors/system_errors.ts";
import type { SeedFiles } from "./rendering/seed.ts";
import { SEEDS_FOLDER } from "./seed_paths.ts";

/** Where seeds' texts come from. */
export interface SeedFolderOptions {
  /** Path of the configuration file. */
  readonly configFile: string;
  /** Asks for an account's public keys. */
  readonly keysOf: SeedFiles["keysOf"];
}

const REFUSALS: Readonly<Record<RefusedFile, string>> = {
  outside: `This is a link out of the folder of config.yaml; put the file itself into ${SEEDS_FOLDER}/`,
  "too-large": "The file is too large",
  "not-text": "The file is not text in UTF-8",
  "not-a-file": "This is a folder; name a file in it",
  // Which files can be read is fixed when the program starts.
  denied:
    `This program may read only files that were there, and named in the configuration, when it started, and those in ${SEEDS_FOLDER} beside config.yaml. Put the file there, or restart the program`,
};

/** Reads the files beside a configuration. */
export function seedFolder({ configFile, keysOf }: SeedFolderOptions): SeedFiles {
  const folder = dirname(configFile);
  return {
    keysOf,
    async read(path, maxBytes) {
      const fail = (message: string, cause?: unknown) =>
        new ConfigurationError(path, [{ field: "", message }], { cause });
      const read = await readTextBelow(folder, path, maxBytes).catch((error) => {
        // A relative path would only repeat what the configuration says.
        const where = isAbsolute(folder)
          ? `at ${join(folder, path)}`
          : `in the folder of ${basename(configFile)}`;
        throw fail(`The file cannot be read: ${reasonOf(error)}; it is looked for ${where}`, error);
      });
      if (read.ok) return read.text;
      const limit = read.refused === "too-large" ? `: the maximum is ${maxBytes} bytes` : "";
      throw fail(`${REFUSALS[read.refused]}${limit}`);
    },
  };
}
