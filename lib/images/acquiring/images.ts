/** The image files of one NAS: what there is, and bringing more there. */
import { imageNameProblem, sha256Problem, urlProblem } from "../../configuration/images_section.ts";
import { ConfigurationError, type Problem } from "../../errors/errors.ts";
import type { Reading } from "../../inventory/inventory.ts";
import type { Operations } from "../../operations/operations.ts";
import type { RunningOperation, RunOptions } from "../../operations/runner.ts";
import type { Session } from "../../truenas/connection/session.ts";
import type { Acquirer, ImageOrigin } from "./acquirer.ts";
import { type ImageFile, readImageFiles } from "./image_files.ts";
import type { ImageWays } from "./ways.ts";

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

/** What bringing images needs. */
export interface ImagesOptions {
  readonly session: Session;
  readonly operations: Operations;
  readonly acquirer: Acquirer;
}

/** Brings images to the NAS; see the file's comment. */
export class Images {
  readonly #options: ImagesOptions;

  /** Starts nothing yet. */
  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** By which ways an image can come into a dataset of the NAS with this account. */
  ways(dataset: string): Promise<ImageWays> {
    return this.#options.acquirer.ways(dataset);
  }

  /** The image files that this program has put into a dataset, the unfinished ones included. */
  list(dataset: string): Promise<Reading<readonly ImageFile[]>> {
    return readImageFiles(this.#options.session, dataset);
  }

  /**
   * Fetches an image from an address onto the NAS. The operation tells whether it succeeded.
   *
   * @throws {ConfigurationError} when the name, the address or the digest is wrong, by field; nothing was sent.
   * @throws {TrueNASError} when a running operation works on the image, or when the program is stopping.
   */
  add({ dataset, name, url, sha256 }: NewImage, options: RunOptions = {}): Promise<RunningOperation> {
    const problems = [
      ...problem("name", imageNameProblem(name)),
      ...problem("url", urlProblem(url)),
      ...problem("sha256", sha256Problem(sha256)),
    ];
    const origin = { kind: "url", url: url.trim(), sha256: sha256.trim().toLowerCase() } as const;
    return this.#start({ dataset, name, origin, problems }, options);
  }

  /**
   * Brings an uploaded file onto the NAS. The stream is read while the operation runs, and cancelled when it fails.
   *
   * @throws {ConfigurationError} when the name or the digest is wrong, by field; nothing was sent.
   * @throws {TrueNASError} when a running operation works on the image, or when the program is stopping.
   */
  upload(image: UploadedImage, options: RunOptions = {}): Promise<RunningOperation> {
    const { dataset, name, fileName, stream, sha256 = null, sizeBytes = null } = image;
    const digest = sha256 === null || sha256.trim() === "" ? null : sha256.trim().toLowerCase();
    const problems = [
      ...problem("name", imageNameProblem(name)),
      ...(digest === null ? [] : problem("sha256", sha256Problem(digest))),
    ];
    const origin = { kind: "upload", fileName, stream, sha256: digest, sizeBytes } as const;
    return this.#start({ dataset, name, origin, problems }, options);
  }

  #start(
    { dataset, name, origin, problems }: {
      readonly dataset: string;
      readonly name: string;
      readonly origin: ImageOrigin;
      readonly problems: readonly Problem[];
    },
    options: RunOptions,
  ): Promise<RunningOperation> {
    const { operations } = this.#options;
    return Promise.resolve().then(() => {
      if (problems.length > 0) throw new ConfigurationError("image", problems);
      return operations.acquire({ dataset, name, origin }, options);
    });
  }
}

function problem(field: string, message: string | null): Problem[] {
  return message === null ? [] : [{ field, message }];
}
