/** The runtime that the program runs on; packages for other runtimes replace this file. */
export { runtime } from "./deno.ts";
