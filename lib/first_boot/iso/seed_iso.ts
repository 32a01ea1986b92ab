/** The CD image on which a guest finds its first configuration (seed): cloud-init, Talos and Ignition look for its label. Pure. */
import { isoImage } from "./iso_image.ts";

/** In lower case, because Ignition takes no other. */
const LABEL = "cidata";

/** The image with the files of a seed, by their names: `user-data`, `meta-data`. */
export function seedIso(files: ReadonlyMap<string, string>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  return isoImage(LABEL, new Map([...files].map(([name, text]) => [name, encoder.encode(text)])));
}
