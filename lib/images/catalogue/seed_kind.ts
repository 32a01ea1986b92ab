/** How the first boot of an image's VMs is configured. */
export type SeedKind = "cloud-init" | "ignition" | "talos";
