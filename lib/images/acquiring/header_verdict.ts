/** What the header of an image file that other people put on the NAS says. */
import type { ImageFormat } from "../source/image_stream.ts";

/** What is known of a file's header. */
export type HeaderVerdict =
  | { readonly kind: "good"; readonly format: ImageFormat }
  /** It cannot be used; `why` is the end of a sentence that names the file. */
  | { readonly kind: "refused"; readonly why: string }
  /** It could not be read; `why` says why, as a part of a sentence. */
  | { readonly kind: "unread"; readonly why: string };

/** Why an image cannot be used, with what to do about it; null when it can. */
export function headerProblem(
  { name, path }: { readonly name: string; readonly path: string },
  verdict: HeaderVerdict,
): string | null {
  switch (verdict.kind) {
    case "good":
      return null;
    case "refused":
      return `${path} cannot be used as the image ${name}: ${verdict.why}`;
    case "unread":
      return `${path} was never checked, because ${verdict.why}. An image can make the NAS read any other file. ` +
        "Let a full administrator create the first VM from it, or give the image a url and its sha256 instead of the path";
  }
}
