/** Reads the beginning of an image: the format by the content, never by the name. Pure. */
import { type HeaderFacts, latin1 } from "./header_facts.ts";
import { qcow2Facts } from "./qcow2.ts";
import { rawFacts } from "./raw.ts";

/** How much of a file has to be read, or all of a shorter one: VHDX has its metadata behind a log of some mebibytes. */
export const HEADER_BYTES = 4 * 1024 * 1024;

/** Inspects the first {@link HEADER_BYTES} of a file, or all of a shorter one. */
export function inspectHeader(bytes: Uint8Array): HeaderFacts {
  if (latin1(bytes, 0, 4) === "QFI\xfb") return qcow2Facts(bytes);
  return rawFacts(bytes);
}
