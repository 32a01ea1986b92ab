/** The image files of one NAS: what there is, and bringing more there. */
import type { Reading } from "../../inventory/inventory.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { RunningOperation, RunOptions } from "../../operations/runner.ts";
import type { Session } from "../../truenas/connection/session.ts";
import { type ImageFile, readImageFiles } from "./image_files.ts";
import { type ImageWays, imageWays } from "./ways.ts";

/** An image to fetch from an address. */
export interface NewImage {
  /** The dataset of images and golden zvols: `tank/images`. */
  readonly dataset: string;
  /** Its name in the configuration: `debian12`. */
  readonly name: string;
  /** An http or https address. */
  readonly url: string;
  /** SHA-256 of what the address answers, as its publisher states it. */
  readonly sha256: string;
}

/** An image that a person uploads. */
export interface UploadedImage extends Pick<NewImage, "dataset" | "name"> {
  /** What the file is called on the person's computer. */
  readonly fileName: string;
  /** Its content, which is read once. */
  readonly stream: ReadableStream<Uint8Array>;
  /** SHA-256 that it has to have; null when nobody states one. */
  readonly sha256?: string | null;
  /** Its size in bytes, for the progress; null when unknown. */
  readonly sizeBytes?: number | null;
}

/** Brings images to the NAS; see the file's comment. */
export class Images {
  readonly #session: Session;

  /** Starts nothing yet. */
  constructor(session: Session) {
    this.#session = session;
  }

  /** By which ways an image can come to the NAS with this account; none is possible without a connection. */
  ways(_dataset: string): ImageWays {
    const { state } = this.#session;
    const roles = state.kind === "live" ? state.nas.roles : [];
    return imageWays({
      roles,
      notLocal: "the dashboard does not run on the NAS",
      notOffered: "SEED_HOST is not set, so the NAS cannot reach this program",
    });
  }

  /** The image files that this program has put into a dataset, the unfinished ones included. */
  list(dataset: string): Promise<Reading<readonly ImageFile[]>> {
    return readImageFiles(this.#session, dataset);
  }

  /**
   * Fetches an image from an address onto the NAS.
   *
   * @throws {ConfigurationError} when the name, the address or the digest is wrong; nothing was sent.
   * @throws {TrueNASError} when the NAS cannot be read, or no way is possible.
   */
  add(_image: NewImage, _options: RunOptions = {}): Promise<RunningOperation> {
    return Promise.reject(new TrueNASError("Images cannot be downloaded yet"));
  }

  /**
   * Brings an uploaded file onto the NAS. The stream is cancelled when the operation fails.
   *
   * @throws {ConfigurationError} when the name or the digest is wrong; nothing was sent.
   * @throws {TrueNASError} when the NAS cannot be read, or no way is possible.
   */
  upload(_image: UploadedImage, _options: RunOptions = {}): Promise<RunningOperation> {
    return Promise.reject(new TrueNASError("Images cannot be uploaded yet"));
  }
}
