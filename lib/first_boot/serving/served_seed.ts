/** The seed that is served to one VM, and what the guest shows of itself while it is. */
import type { KnownPath } from "../../secret_paths/path_server.ts";
import type { GuestSign } from "../types.ts";

/** The files of a seed, by the names by which guests ask for them. */
export interface SeedContents {
  /** The texts, by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** A seed to serve. */
export interface SeedToServe {
  /** The VM's uuid, which is also its instance id. */
  readonly vm: string;
  /** The VM's name, for the log. */
  readonly name: string;
  /** Makes the seed, at each fetch; null when the guest gets it by disk and only phones home. */
  readonly render: ((phoneHomeUrl: string) => Promise<SeedContents>) | null;
  /** The path as it was before a restart of this program; default: a new one. */
  readonly known?: KnownPath;
}

/**
 * Why a seed is no longer served. `answered`: the guest phoned home, or is known to answer otherwise. `expired`: its time was
 * over. `fetched`: it has all that it needs, and this program ends. `closed`: it is no longer needed, because its VM is gone or this program stops.
 */
export type SeedEnd = "answered" | "fetched" | "expired" | "closed";

/** A seed that is served, or was. */
export interface ServedSeed {
  /** The VM's uuid. */
  readonly vm: string;
  /** The VM's name. */
  readonly name: string;
  /** Whether the guest fetches its files here; else it only phones home. */
  readonly hasFiles: boolean;
  /** The address below which the guest finds its files, with a slash at its end; only the server's where its path is not known. */
  readonly url: string;
  /** By its hash, its path can be served again by a program that does not know it. */
  readonly pathHash: string;
  /** Where the guest says that it has started. */
  readonly phoneHomeUrl: string;
  /** Until when it is served, in milliseconds since 1970 (UTC); null while the VM has not started. */
  readonly until: number | null;
  /** Resolves when the guest has fetched all that it needs, or it is no longer served. */
  readonly fetched: Promise<void>;
  /** Resolves when it is no longer served. */
  readonly ended: Promise<SeedEnd>;
  /** What the guest has shown, the latest last. */
  signs(): readonly GuestSign[];
  /** Calls back at each further sign; the result ends that. */
  onSign(listener: (sign: GuestSign) => void): () => void;
  /** Ends it at a time, in milliseconds since 1970 (UTC). */
  endAt(at: number): void;
  /** The guest is known to answer otherwise. That ends it, unless it has still to fetch something or to phone home. */
  answered(): void;
  /** Ends it; default reason `closed`. */
  close(reason?: SeedEnd): void;
}

/** Serves seeds to guests. */
export interface SeedServer {
  /** How guests reach this program: a name or an address. */
  readonly host: string;
  /**
   * Serves a seed, instead of an earlier one of the same VM.
   *
   * @throws {ConfigurationError} when SEED_PORT is taken.
   */
  serve(seed: SeedToServe): Promise<ServedSeed>;
  /** Those that are served. */
  readonly all: readonly ServedSeed[];
  /** The seed of a VM, by its uuid, for as long as it is served; null when none is. */
  find(vm: string): ServedSeed | null;
  /**
   * Listens, where it did not yet; resolves to where it is reached: `10.0.0.5:8081`.
   *
   * @throws {ConfigurationError} when SEED_PORT is taken.
   */
  listen(): Promise<string>;
  /** Ends all. */
  close(): void;
}
