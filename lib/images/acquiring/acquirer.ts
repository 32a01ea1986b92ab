/** Brings images to the NAS: one file at a time for each image, by the best way that the account has. */
import { shownAddress } from "../source/shown_address.ts";
import { TrueNASError } from "../../errors/errors.ts";
import { formatBytes } from "../../units.ts";
import type { Session } from "../../truenas/connection/session.ts";
import type { ImageStream } from "../source/image_stream.ts";
import { openUpload } from "../source/open_upload.ts";
import { Cancelled } from "../../operations/steps/run_step.ts";
import type { OpenUrl } from "./remote_download.ts";
import {
  type ArrivedFile,
  finishDataset,
  type ImagePlace,
  prepareDataset,
  removeUnfinished,
} from "./file_dataset.ts";
import { fileDataset, type ImageFile } from "./image_files.ts";
import type { LocalDisk } from "./local_disk.ts";
import { hasRole } from "../../truenas/roles.ts";
import type { Offering } from "../offering/offering.ts";
import { credentialsName, pullFile, removeCredentials } from "./pull_way.ts";
import { type AcquireWork, chunksOf, reportProgress, type TransferredFile } from "./transfer.ts";
import { PART_BYTES, uploadFile } from "./upload_way.ts";
import { type ImageWays, imageWays } from "./ways.ts";

/** Where the bytes of an image come from. */
export type ImageOrigin =
  | { readonly kind: "url"; readonly url: string; readonly sha256: string }
  | {
    readonly kind: "upload";
    readonly fileName: string;
    readonly stream: ReadableStream<Uint8Array>;
    readonly sha256: string | null;
    readonly sizeBytes: number | null;
  };

/** An image to bring. */
export interface WantedImage extends ImagePlace {
  /** Where its bytes come from. */
  readonly origin: ImageOrigin;
  /** The smallest disk that it has to fit on, in bytes; null: any. */
  readonly diskBytes?: number | null;
}

/** What bringing images needs. */
export interface AcquirerOptions {
  readonly session: Session;
  readonly disk: LocalDisk;
  readonly openUrl: OpenUrl;
  /** How the NAS fetches from this program; null where it cannot, and `notOffered` says why. */
  readonly offering: Offering | null;
  readonly notOffered: string;
  /** Whether an operation is one of this program's, which has ended. */
  readonly hasEnded: (operation: string) => boolean;
  /** Bytes of a part of an upload; default {@link PART_BYTES}. */
  readonly partBytes?: number;
}

/** Brings images; see the file's comment. */
export class Acquirer {
  readonly #options: AcquirerOptions;
  readonly #turns = new Map<string, Promise<unknown>>();

  /** Starts nothing yet. */
  constructor(options: AcquirerOptions) {
    this.#options = options;
  }

  /** The ways of the account that is signed in now; nothing is written. */
  ways(dataset: string): Promise<ImageWays> {
    return this.#ways(dataset, { isTried: false });
  }

  async #ways(dataset: string, options: { readonly isTried: boolean }): Promise<ImageWays> {
    const { session, disk, offering, notOffered } = this.#options;
    const { state } = session;
    const why = session.isLocal
      ? await disk.whyNotWritable(`/mnt/${dataset}`, options)
      : "the dashboard does not run on the NAS";
    return imageWays({
      roles: state.kind === "live" ? state.nas.roles : [],
      notLocal: why,
      hasWebServer: session.files !== null,
      notOffered: offering === null ? notOffered : null,
    });
  }

  /** Whether an operation is one of this program's, which has ended. */
  hasEnded(operation: string): boolean {
    return this.#options.hasEnded(operation);
  }

  /** Runs the work on an image's file when no other works on it. */
  inTurn<T>({ dataset, name }: ImagePlace, work: () => Promise<T>): Promise<T> {
    const own = fileDataset(dataset, name);
    const result = (this.#turns.get(own) ?? Promise.resolve()).then(work);
    const settled = result.catch(() => {}).finally(() => {
      if (this.#turns.get(own) === settled) this.#turns.delete(own);
    });
    this.#turns.set(own, settled);
    return result;
  }

  /**
   * Makes the dataset, transfers the file and proves it, unless it is there; what was made is removed again on failure.
   *
   * @returns where the file is, and the size of its disk.
   */
  async bring(
    work: AcquireWork,
    wanted: WantedImage,
  ): Promise<{ readonly path: string; readonly virtualBytes: number | null }> {
    try {
      const there = await this.prepare(work, wanted);
      if (there?.path != null) return { path: there.path, virtualBytes: there.virtualBytes };
      const arrived = await this.transfer(work, wanted);
      await this.finish(work, wanted, arrived);
      return arrived;
    } catch (error) {
      await this.#discard(work);
      throw error;
    }
  }

  /** What cannot be removed stays in the journal, from which it is found again. */
  async #discard({ caller, calls, made, context: { log } }: AcquireWork): Promise<void> {
    const { dataset } = made;
    if (dataset === null) return;
    try {
      await removeUnfinished({ caller, calls }, dataset, log.id);
      made.dataset = null;
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
    }
  }

  /** Makes the dataset; the file that is there already, or null. */
  prepare(work: AcquireWork, { origin, ...place }: WantedImage): Promise<ImageFile | null> {
    const { hasEnded: isKnown, session: { state } } = this.#options;
    const mayFetch = state.kind === "live" && hasRole(state.nas.roles, "CLOUD_SYNC_WRITE") !== false;
    const onTakeOver = async (operation: string) => {
      if (mayFetch) await removeCredentials(work, credentialsName(place.name, operation));
    };
    return prepareDataset(datasetWork(work), place, { wanted: origin.sha256, isKnown, onTakeOver });
  }

  /**
   * Transfers the file into its dataset.
   *
   * @throws {ImageError} when it cannot be had, or has other bytes than expected.
   */
  async transfer(work: AcquireWork, wanted: WantedImage): Promise<ArrivedFile> {
    try {
      return await this.#transfer(work, wanted);
    } catch (error) {
      // What was waited for ends with the reason of the signal.
      throw work.signal.aborted ? new Cancelled() : error;
    }
  }

  async #transfer(work: AcquireWork, wanted: WantedImage): Promise<ArrivedFile> {
    const { dataset, name, origin, diskBytes = null } = wanted;
    const { chosen, choices } = await this.#ways(dataset, { isTried: true });
    if (chosen === null) throw noWay(choices);
    const stream = await this.#open(origin, work.signal);
    const { format, virtualBytes } = stream;
    if (diskBytes !== null && virtualBytes !== null && virtualBytes > diskBytes) {
      await stream.body.cancel();
      const text = `The image ${name} needs ${formatBytes(virtualBytes)}, and the disk has ${
        formatBytes(diskBytes)
      }`;
      throw new TrueNASError(`${text}; enlarge it`);
    }
    const path = `/mnt/${fileDataset(dataset, name)}/${name}.${format}`;
    const bytes = await this.#send(work, chosen.way, { name, path, stream });
    const from = origin.kind === "url" ? shownAddress(origin.url) : "upload";
    return { path, bytes, digest: await stream.digest, format, virtualBytes: virtualBytes ?? bytes, from };
  }

  /** Compares the file on the NAS with what was sent, and marks it whole. */
  async finish(work: AcquireWork, { dataset, name }: ImagePlace, arrived: ArrivedFile): Promise<void> {
    await finishDataset(datasetWork(work), { dataset, name }, arrived);
    work.made.dataset = null;
  }

  /**
   * Writes a small file of this program into a dataset that is there.
   *
   * @throws {TrueNASError} when the account has no way to do so, or the NAS does not take it.
   */
  async write(work: AcquireWork, { dataset, name, path, bytes }: SmallFile): Promise<void> {
    const { chosen, choices } = await this.#ways(dataset, { isTried: true });
    if (chosen === null) {
      throw new TrueNASError(`The file cannot be brought to the NAS: ${whyNoWay(choices)}`);
    }
    await this.#send(work, chosen.way, { name, path, stream: bytesAsStream(bytes) });
  }

  #open(origin: ImageOrigin, signal: AbortSignal): Promise<ImageStream> {
    if (origin.kind === "url") {
      // A person wrote the address; where it redirects to is checked nevertheless.
      return this.#options.openUrl({ url: origin.url, sha256: origin.sha256, allowPrivate: true, signal });
    }
    const { fileName, sha256, sizeBytes: lengthBytes, stream } = origin;
    return openUpload(stream, { fileName, sha256, lengthBytes, signal });
  }

  async #send(
    work: AcquireWork,
    way: "local" | "upload" | "pull",
    file: TransferredFile,
  ): Promise<number> {
    const { session, disk, offering, partBytes = PART_BYTES } = this.#options;
    if (way === "local") {
      return await disk.write(file.path, chunksOf(work, file.stream), reportProgress(work, file.stream));
    }
    if (way === "upload" && session.files !== null) {
      return await uploadFile(work, session.files, file, partBytes);
    }
    if (offering === null) throw new TrueNASError("The NAS cannot fetch from this program");
    return await pullFile(work, offering, file);
  }
}

/** A file whose bytes are known. */
export interface SmallFile extends ImagePlace {
  /** On the NAS. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

function bytesAsStream(bytes: Uint8Array<ArrayBuffer>): TransferredFile["stream"] {
  let received = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
      received = bytes.length;
    },
  });
  return { body, lengthBytes: bytes.length, received: () => received };
}

function datasetWork({ caller, calls, context: { log }, made }: AcquireWork) {
  return { caller, calls, operation: log.id, note: (dataset: string) => void (made.dataset = dataset) };
}

/** What a person can do about an account without any way. */
function noWay(choices: ImageWays["choices"]): TrueNASError {
  return new TrueNASError(
    `The image cannot be brought to the NAS: ${
      whyNoWay(choices)
    }. Put the file on the NAS, and give its path instead`,
  );
}

function whyNoWay(choices: ImageWays["choices"]): string {
  return choices.map(({ why }) => why).join("; ");
}
