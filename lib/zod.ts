/** The schema library, named in full: a project that imports this library by path does not know our import map. */
export { z } from "npm:zod@4.6.7";
