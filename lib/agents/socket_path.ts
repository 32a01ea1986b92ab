/** Where the dashboard and the command mcp meet. */
import { join, resolve } from "node:path";

/** Where the dashboard listens; the operating system allows no longer paths. */
const MAX_PATH_BYTES = 107;

/** The socket of a STATE_DIR; null if its path is too long for one. */
export function dashboardSocket(stateDir: string): string | null {
  const path = resolve(join(stateDir, "agents.sock"));
  return new TextEncoder().encode(path).length > MAX_PATH_BYTES ? null : path;
}
