/** Zvols that a replacement keeps and no VM may use yet. Pure. */
import type { ZvolMark } from "../../inventory/marks.ts";

/** A zvol that an unfinished replacement keeps. */
export interface KeptByReplacement {
  /** uuids of the VM that was replaced and of the new one, which the zvol names. */
  readonly uuids: readonly string[];
  /** What to do about it. */
  readonly remedy: string;
}

/** Zvols that unfinished replacements keep, by name. */
export type KeptZvols = ReadonlyMap<string, KeptByReplacement>;

/** Why a zvol is neither used for something else nor removed; null for one that no replacement keeps. */
export function keptReason(
  kept: KeptZvols | undefined,
  { name, mark }: { readonly name: string; readonly mark: ZvolMark | null },
): string | null {
  const found = kept?.get(name);
  // Another zvol can have its name by now.
  if (found === undefined || (mark !== null && !found.uuids.includes(mark.vm))) return null;
  return `it was kept when its VM was replaced, and may contain data; ${found.remedy}`;
}
