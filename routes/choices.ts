/** What forms show of the NAS: its bridges, datasets and install images to choose from, and what it has left. */
import type { Configuration } from "../lib/configuration/configuration.ts";
import { ConfigurationError, TrueNASError } from "../lib/errors/errors.ts";
import { usableConfiguration } from "./images/configuration.ts";
import { inTime } from "./in_time.ts";
import type { Dashboard } from "./server/dashboard.ts";
import type { Capacity } from "../lib/inventory/inventory.ts";
import type { CreateChoices } from "../templates/parts/vm/vm_forms.tsx";

/** No suggestions; the fields still take free text. */
export const NO_CHOICES: CreateChoices = { bridges: null, isos: null, datasets: null, images: [] };

/** The NAS's choices, none while it is not connected, and the images of the configuration. */
export async function readChoices(
  dashboard: Dashboard,
  configuration: Configuration,
): Promise<CreateChoices> {
  const { manager, logger } = dashboard;
  const images = Object.keys(usableConfiguration(dashboard)?.images ?? {});
  const none = { ...NO_CHOICES, images };
  if (manager.connection.state.kind !== "live") return none;
  try {
    const choices = await inTime(manager.inventory.choices(configuration));
    if (choices === null) return none;
    const { nicChoices, isos, datasets } = choices;
    return {
      images,
      bridges: nicChoices.known ? nicChoices.value : null,
      isos: isos.known ? isos.value : null,
      datasets: datasets.known ? datasets.value : null,
    };
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    logger.warning("Cannot read the choices for a form", { error: error.message });
    return none;
  }
}

/** The same for the current configuration, whose errors are reported where it is used. */
export async function readConfiguredChoices(dashboard: Dashboard): Promise<CreateChoices> {
  try {
    return await readChoices(dashboard, dashboard.configuration().configuration);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return NO_CHOICES;
  }
}

/** What the NAS has left; null while that is not known. */
export async function readCapacity(
  { manager, logger }: Dashboard,
  dataset: string,
): Promise<Capacity | null> {
  if (dataset === "" || manager.connection.state.kind !== "live") return null;
  try {
    return await inTime(manager.inventory.capacity(dataset));
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    logger.debug("Cannot read the capacity for a form", { error: error.message });
    return null;
  }
}
