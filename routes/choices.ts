/** What forms offer beside free text: bridges, datasets and install images of the NAS. */
import type { Configuration } from "../lib/configuration/configuration.ts";
import { ConfigurationError, TrueNASError } from "../lib/errors/errors.ts";
import type { CreateChoices } from "../templates/props.ts";
import { inTime } from "./in_time.ts";
import type { Dashboard } from "./server/dashboard.ts";

/** Nothing to choose from: free text does. */
export const NO_CHOICES: CreateChoices = { bridges: null, isos: null, datasets: null };

/** What the NAS has; nothing without a connection. */
export async function readChoices(
  { manager, logger }: Dashboard,
  configuration: Configuration,
): Promise<CreateChoices> {
  if (manager.connection.state.kind !== "live") return NO_CHOICES;
  try {
    const choices = await inTime(manager.inventory.choices(configuration));
    if (choices === null) return NO_CHOICES;
    const { nicChoices, isos, datasets } = choices;
    return {
      bridges: nicChoices.known ? nicChoices.value : null,
      isos: isos.known ? isos.value : null,
      datasets: datasets.known ? datasets.value : null,
    };
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    logger.warning("Cannot read what the form offers", { error: error.message });
    return NO_CHOICES;
  }
}

/** The same by the configuration as it is; a file with mistakes is told of where it is used. */
export async function readConfiguredChoices(dashboard: Dashboard): Promise<CreateChoices> {
  try {
    return await readChoices(dashboard, dashboard.configuration().configuration);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return NO_CHOICES;
  }
}
