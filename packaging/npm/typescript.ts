/** TypeScript's compiler, and the types of Node's modules. */
import type {} from "npm:@types/node@22.20.5";
import type {} from "npm:typescript@7.0.2";

/** The compiler, as `deno run` starts it. */
export const TSC = "npm:typescript@7.0.2/tsc";
