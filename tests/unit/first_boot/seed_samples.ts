/** A type's seed, as tests of first boot need it. */
import type { SeedFacts } from "../../../lib/first_boot/rendering/seed.ts";

/** A public key of nobody. */
export const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@lab";

/** A VM with a static address and a MAC address that YAML 1.1 takes for a number. */
export const FACTS: SeedFacts = {
  name: "worker01",
  index: 1,
  type: "worker",
  count: 3,
  hostname: "worker01",
  instanceId: "5f3b1c8e-0d0a-4c52-9a43-1f2f5f3a7d10",
  ip: "10.0.0.21",
  macs: { lan: "12:00:50:10:00:01", "stor.x": "02:00:5e:10:00:02" },
  addresses: { lan: { address: "10.0.0.21", prefix: 24, gateway: "10.0.0.1", dns: ["10.0.0.1"] } },
  phoneHomeUrl: "http://10.0.0.5:8081/s/token/phone-home",
  installDisk: "/dev/vda",
};
