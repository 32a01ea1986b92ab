/** The part of a file that a request asks for (RFC 9110, section 14). Pure. */

/** From one position up to another, which is not part of it. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The range of a header; null for the whole file, as for several ranges, which a server may ignore; "unsatisfiable" for one
 * that begins behind the end.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | null | "unsatisfiable" {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return null;
  if (first === "") {
    const from = Math.max(0, sizeBytes - Number(last));
    return from < sizeBytes ? { from, to: sizeBytes } : "unsatisfiable";
  }
  const from = Number(first);
  const to = last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (last !== "" && Number(last) < from) return null;
  return from < sizeBytes ? { from, to } : "unsatisfiable";
}
