/** Selects the certificates of the NAS to trust. */
import type { Settings } from "./settings.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { readTextFile } from "../files.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { VMManagerOptions } from "../../vm_manager_options.ts";

/**
 * The certificates to trust in addition to public ones.
 *
 * @throws {ConfigurationError} when the file cannot be read.
 */
export function trustedCertificatesOf({ caFile, certFingerprint }: Settings): Partial<VMManagerOptions> {
  return {
    caCerts: caFile === null ? [] : [readCaFile(caFile)],
    ...(certFingerprint === null ? {} : { certFingerprint }),
  };
}

function readCaFile(path: string): string {
  try {
    return readTextFile(path);
  } catch (error) {
    const message = `Cannot read ${path}: ${reasonOf(error)}`;
    throw new ConfigurationError("TRUENAS_CA_FILE", [{ field: "", message }], { cause: error });
  }
}
