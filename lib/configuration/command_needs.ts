/** Which commands need what. Pure data. */
import type { WorkerCommand } from "./permissions.ts";

/** The commands that read image files or write them. */
export const USES_IMAGES: readonly WorkerCommand[] = ["serve", "plan", "create", "replace", "images", "mcp"];

/** The commands that work without a password for displays. */
export const CREATES_NO_DISPLAY: readonly WorkerCommand[] = [
  "list",
  "plan",
  "destroy",
  "vm",
  "checkpoint",
  "images",
  "export",
  "inventory",
];

/** The commands that read what seeds are made from. */
export const MAKES_SEEDS: readonly WorkerCommand[] = [
  "serve",
  "demo",
  "plan",
  "create",
  "replace",
  "validate",
  "mcp",
];

/** The dashboard, and what reaches it for an agent. */
export const REACHES_AGENTS: readonly WorkerCommand[] = ["serve", "mcp"];
