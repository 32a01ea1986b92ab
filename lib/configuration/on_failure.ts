/** What is done when a VM cannot be made, as the configuration and the command line call it. */

/** What can be done when a VM cannot be made. */
export const ON_FAILURE = ["roll-back", "keep", "stop"] as const;

/**
 * `roll-back`: what was made of it is removed, and the other VMs go on. `keep`: it is left as it is, to be looked at.
 * `stop`: it is rolled back, and no further VM is begun.
 */
export type OnFailure = (typeof ON_FAILURE)[number];
