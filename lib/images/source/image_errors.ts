/** The failures of images, in words for the person who wants the image. Pure. */
import { shownAddress } from "./shown_address.ts";
import { ImageError, type ImageFailure } from "../../errors/errors.ts";

/** The state after each of them: the last bytes are only passed on when all is well. */
const STATE = "No complete image was stored.";

/** What to do, by the kind of failure. */
const ADVICE: Readonly<Record<ImageFailure, string>> = {
  address: "Enter another address.",
  server: "Check the address in a browser, and try again.",
  incomplete: "Try again.",
  digest:
    "Compare the SHA-256 with the one that the publisher gives for this very file: addresses that contain “latest” get new files.",
  format: "Use a qcow2, raw, VMDK, VDI or VHDX image, or an ISO.",
  "too-large": "Use a smaller image.",
  damaged: "Check that the publisher's file is whole, or unpack it yourself and use the result.",
};

/** A failure, with the advice of its kind unless there is better. */
export function imageError(
  failure: ImageFailure,
  message: string,
  { advice = ADVICE[failure], cause }: { readonly advice?: string; readonly cause?: unknown } = {},
): ImageError {
  return new ImageError(message, { failure, remedy: `${STATE} ${advice}`, cause });
}

/** An address that is not asked. */
export function addressError(url: string, reason: string): ImageError {
  return imageError("address", `Cannot download ${shownAddress(url)}: ${reason}`);
}

/** A server that cannot be reached or refuses. */
export function serverError(url: string, reason: string, cause?: unknown): ImageError {
  return imageError("server", `Cannot download ${shownAddress(url)}: ${reason}`, { cause });
}
