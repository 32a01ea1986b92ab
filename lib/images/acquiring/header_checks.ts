/**
 * Reads the headers of image files that other people put on the NAS. An image can name further files, which the NAS would read
 * as root when it converts it, so a file whose header was never read is not used.
 */
import { TrueNASConnectionError } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { hasRole } from "../../truenas/roles.ts";
import type { Caller } from "../../truenas/client.ts";
import type { Session } from "../../truenas/connection/session.ts";
import { HEADER_BYTES, inspectHeader } from "../source/header/inspect_header.ts";
import type { HeaderVerdict } from "./header_verdict.ts";
import { statOf, versionOf } from "./file_dataset.ts";
import { placeOfFile, readImageFile } from "./image_files.ts";
import type { LocalDisk } from "./local_disk.ts";
import type { ImageFormat } from "../source/image_stream.ts";

/** A file, with its size and time. */
export interface FileVersion {
  readonly path: string;
  readonly version: string;
}

/** A read that breaks off is tried so often. */
const MAX_READS = 5;
/** Verdicts are kept for so many files. */
const MAX_KEPT = 500;

/** Reads headers; see the file's comment. */
export class HeaderChecks {
  readonly #session: Session;
  readonly #disk: LocalDisk;
  readonly #known = new Map<string, Promise<HeaderVerdict>>();

  /** Reads nothing yet. */
  constructor(session: Session, disk: LocalDisk) {
    this.#session = session;
    this.#disk = disk;
  }

  /**
   * Reads the header of a file just now, because it can have been changed since. A read that a lost connection broke off is
   * repeated, once the caller's calls reach the NAS again.
   */
  async checkAgain(caller: Caller, path: string, signal: AbortSignal): Promise<HeaderVerdict> {
    return await this.#isOurs(caller, path) ?? await this.#read(caller, path, signal, MAX_READS);
  }

  /** Reads the header of a file, once for each version of it; one that this program wrote was checked before. */
  async check(caller: Caller, { path, version }: FileVersion): Promise<HeaderVerdict> {
    const ours = await this.#isOurs(caller, path);
    if (ours !== null) return ours;
    const key = `${version} ${path}`;
    const checking = this.#known.get(key) ?? this.#read(caller, path);
    this.#known.set(key, checking);
    const verdict = await checking;
    // What could not be read now may be readable later.
    if (verdict.kind === "unread") this.#known.delete(key);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KEPT && oldest !== undefined) this.#known.delete(oldest);
    return verdict;
  }

  /** A file that is as this program wrote it, according to the properties of its dataset. */
  async #isOurs(caller: Caller, path: string): Promise<HeaderVerdict | null> {
    const place = placeOfFile(path);
    if (place === null) return null;
    const [file, found] = await Promise.all([
      readImageFile(caller, place.dataset, place.name).catch(() => null),
      statOf(caller, path).catch(() => null),
    ]);
    const isSame = file?.path === path && found !== null && file.version === versionOf(found);
    return isSame ? { kind: "good", format: file.format as ImageFormat } : null;
  }

  async #read(caller: Caller, path: string, signal?: AbortSignal, reads = 1): Promise<HeaderVerdict> {
    try {
      const head = await this.#head(caller, path, signal);
      if (head === null) {
        const why = "only a full administrator may read files over TrueNAS's API, and the account is not one";
        return { kind: "unread", why };
      }
      const { format, refusal } = inspectHeader(head);
      return refusal !== null || format === null
        ? { kind: "refused", why: refusal ?? "its format is unknown" }
        : { kind: "good", format };
    } catch (error) {
      if (reads > 1 && error instanceof TrueNASConnectionError && signal?.aborted !== true) {
        return await this.#read(caller, path, signal, reads - 1);
      }
      return { kind: "unread", why: reasonOf(error) };
    }
  }

  async #head(
    caller: Caller,
    path: string,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    const { files, state } = this.#session;
    if (files === null) return await this.#disk.readHead(path, HEADER_BYTES);
    const roles = state.kind === "live" ? state.nas.roles : null;
    if (hasRole(roles, "FULL_ADMIN") === false) return null;
    return await files.readHead(caller, path, HEADER_BYTES, signal);
  }
}
