/** What every kind of package is made from. */
import type { Architecture } from "./elf.ts";
import type { ThirdParty } from "./third_parties.ts";

/** What every kind of package is made from. */
export interface PackageParts {
  readonly architecture: Architecture;
  readonly version: string;
  /** Needs the GNU C library 2.x, of at least this x. */
  readonly libc: number;
  /** The folder of the program, its runtime and licences. */
  readonly tree: string;
  /** Whose works are in the tree. */
  readonly thirdParties: readonly ThirdParty[];
}
