/** Node, as npm publishes it for this machine, and its types. */
import process from "node:process";

/** The oldest release that is still maintained. */
export const NODE = `node-linux-${process.arch}@22.23.3`;
/** The types of its modules. */
export const NODE_TYPES = "@types/node@22.20.5";
