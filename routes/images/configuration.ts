/** The configuration, for pages that also work while it has errors. */
import type { Configuration } from "../../lib/configuration/configuration.ts";
import { parseConfigurationFile } from "../../lib/configuration/configuration_file.ts";
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

/** The same for images, which need no VM type yet, because they come first. */
export function configurationOfImages(dashboard: Dashboard): Configuration | null {
  const usable = usableConfiguration(dashboard);
  if (usable !== null) return usable;
  try {
    return parseConfigurationFile(dashboard.configurationStore.file(), null).configuration;
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}
