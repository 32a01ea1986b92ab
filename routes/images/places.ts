/** Where images go, and how. */
import { TrueNASError } from "../../lib/errors/errors.ts";
import type { ImageWays } from "../../lib/images/acquiring/ways.ts";
import { imageDataset } from "../../lib/images/planned_image.ts";
import type { Dashboard } from "../server/dashboard.ts";
import { configurationOfImages } from "./configuration.ts";

/** Why nothing can be added. */
export const NO_DATASET =
  "config.yaml has errors or is empty, so it is not known where images go. Fix it on the page VM types first";

/** The dataset of images; null without a configuration. */
export function datasetOf(dashboard: Dashboard): string | null {
  const configuration = configurationOfImages(dashboard);
  return configuration === null ? null : imageDataset(configuration.storage);
}

/** The ways to the NAS; null while it does not answer, or without a dataset. */
export async function waysOf({ manager }: Dashboard, dataset: string | null): Promise<ImageWays | null> {
  if (dataset === null || manager.connection.state.kind !== "live") return null;
  try {
    return await manager.images.ways(dataset);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return null;
  }
}
