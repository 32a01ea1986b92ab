/** What to do when a VM cannot be created, as the configuration and the command line name it. */

/** The choices. */
export const ON_FAILURE = ["roll-back", "keep", "stop"] as const;

/**
 * `roll-back`: its parts are removed and the other VMs continue. `keep`: its parts stay for inspection.
 * `stop`: its parts are removed and no further VM is started.
 */
export type OnFailure = (typeof ON_FAILURE)[number];
