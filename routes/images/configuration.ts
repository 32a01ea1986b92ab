/** The configuration, for pages that also work while it has errors. */
import type { Configuration } from "../../lib/configuration/configuration.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import type { Dashboard } from "../server/dashboard.ts";

/** The configuration; null when it has errors. */
export function usableConfiguration({ configuration }: Dashboard): Configuration | null {
  try {
    return configuration().configuration;
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}
