/** What the program may do in every way in which it is installed. */
import project from "../deno.json" with { type: "json" };

/**
 * What the program may do before it knows its settings: read the environment's own names, listen, connect, read and
 * write files, and see how full their disk is. Its dashboard gets less: see lib/configuration/permissions.ts. It never
 * asks, and runs no programs.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  ...project.tasks.start.command.split(" ").filter((word) => /^--(allow-|ignore-env)/.test(word)),
];
