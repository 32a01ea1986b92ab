/** The program's version, as deno.json has it. */
import manifest from "../deno.json" with { type: "json" };

/** For example `0.2.0`. */
export const VERSION: string = manifest.version;
