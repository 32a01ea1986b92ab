/** What the sweeps over images with an address fetch and create. */
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import type { NewImage } from "../../../lib/images/acquiring/images.ts";

/** The image by itself. */
export function newImage(url: string, sha256: string): NewImage {
  return { dataset: "tank/images", name: "debian", url, sha256 };
}

/** Two VMs from it. */
export function fetchedConfiguration(url: string, sha256: string) {
  const text = `
storage: { pool_path: tank/vms }
images: { debian: { url: "${url}", sha256: ${sha256} } }
web: { count: 2, memory: 256, cpu: 1, image: debian, disk: { root: 20 } }
`;
  return parseConfigurationFile({ text, source: "config.yaml" }).configuration;
}
