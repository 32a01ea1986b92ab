/** What an image may be at most. */
import { GIB } from "../../units.ts";

/** The limits of one image. */
export interface ImageLimits {
  /** Bytes of the unpacked file. */
  readonly unpackedBytes: number;
  /** Bytes of the disk that it describes. */
  readonly virtualBytes: number;
  /** How many times longer than what arrived the unpacked file may be, once it is longer than a gibibyte. */
  readonly ratio: number;
  /** Milliseconds without a byte after which a connection counts as lost. */
  readonly idleMs: number;
  /** How often a download is continued without having got any further. */
  readonly retries: number;
  /** Milliseconds before a download is continued. */
  readonly pauseMs: number;
}

/** Packed files shorter than this may be as dense as they like: they cannot fill a pool. */
export const RATIO_FREE_BYTES = GIB;

/**
 * Cloud images unpack to some gibibytes, installed machines to some hundred. A raw image of a mostly empty disk packs about
 * a hundred times; a thousand times is a file made to fill a pool.
 */
export const IMAGE_LIMITS: ImageLimits = {
  unpackedBytes: 256 * GIB,
  virtualBytes: 2048 * GIB,
  ratio: 500,
  idleMs: 60_000,
  retries: 5,
  pauseMs: 2_000,
};
