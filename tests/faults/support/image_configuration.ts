/** The configuration of the faults of images, also for the process that is killed. */
import type { Configuration } from "../../../lib/configuration/configuration.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";

/** The image. */
export const IMAGE = "/mnt/tank/images/debian.qcow2";

/** So many VMs whose first disk is made from it. */
export function imageConfiguration(count: number): Configuration {
  const text = `
storage: { pool_path: tank/vms }
images:
  debian: { path: ${IMAGE} }
web:
  count: ${count}
  memory: 256
  cpu: 1
  image: debian
  disk: { root: 20 }
  network: { lan: br0 }
`;
  return parseConfigurationFile({ text, source: "config.yaml" }).configuration;
}
