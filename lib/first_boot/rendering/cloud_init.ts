/** The parts of a seed for cloud-init (NoCloud). Pure. */
import { stringify } from "../../configuration/yaml.ts";
import type { SeedKey, SeedSection } from "../types.ts";
import type { SeedFacts } from "./seed.ts";

/** The first line, by which cloud-init knows what a text is. */
export const CLOUD_CONFIG = "#cloud-config";

/** cloud-init reads YAML 1.1, where a bare off is a boolean and 12:30 a number, so texts are quoted. */
export function toYaml(value: unknown): string {
  return stringify(value, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 });
}

/** The values of the section as cloud-config: user, keys, time zone, packages and commands. */
export function plainValues(section: SeedSection, keys: readonly SeedKey[]): Record<string, unknown> {
  const { user, timezone, packages = [], run = [] } = section;
  const authorized = keys.map(({ key }) => key);
  return {
    ...(user === undefined
      ? authorized.length === 0 ? {} : { ssh_authorized_keys: authorized }
      : { users: [userEntry(user, authorized)] }),
    ...(timezone === undefined ? {} : { timezone }),
    // Images come without lists of packages, or with old ones.
    ...(packages.length === 0 ? {} : { package_update: true, packages }),
    ...(run.length === 0 ? {} : { runcmd: run }),
  };
}

/** Without a password nobody signs in but with a key, so sudo asks for none either. */
function userEntry(name: string, keys: readonly string[]): Record<string, unknown> {
  return {
    name,
    shell: "/bin/bash",
    lock_passwd: true,
    sudo: "ALL=(ALL) NOPASSWD:ALL",
    ...(keys.length === 0 ? {} : { ssh_authorized_keys: keys }),
  };
}

/** Who the guest is. */
export function metaData({ instanceId, hostname }: SeedFacts): string {
  return toYaml({ "instance-id": instanceId, "local-hostname": hostname });
}

/** Tries to report; cloud-init waits a few seconds between them. */
const PHONE_HOME_TRIES = 10;

/** What this program wants of the guest; what the person's user data says of the same wins. */
export function vendorData(
  { phoneHomeUrl }: SeedFacts,
  more: Readonly<Record<string, unknown>> = {},
): string {
  const phoneHome = {
    url: phoneHomeUrl,
    post: ["instance_id", "hostname", "pub_key_ed25519"],
    tries: PHONE_HOME_TRIES,
  };
  return cloudConfig({
    ...more,
    // cloud-init asks for its seed at each boot, and without this one that is gone would make it another machine.
    manual_cache_clean: true,
    ...(phoneHomeUrl === null ? {} : { phone_home: phoneHome }),
  });
}

/** A text of cloud-config. */
export function cloudConfig(values: Readonly<Record<string, unknown>>): string {
  return Object.keys(values).length === 0 ? `${CLOUD_CONFIG}\n{}\n` : `${CLOUD_CONFIG}\n${toYaml(values)}`;
}

/**
 * The network configuration, version 2; null when the guest's own choice (DHCP on its first card) is right. Cards are found
 * by MAC address, and named, because not every system's network configuration can do without a name.
 */
export function networkConfig({ macs, addresses }: SeedFacts): string | null {
  const networks = Object.entries(macs);
  if (networks.length < 2 && Object.keys(addresses).length === 0) return null;
  const ethernets = networks.map(([network, macaddress], index) => {
    const name = `eth${index}`;
    return [name, { match: { macaddress }, "set-name": name, ...cardOf(addresses[network], index) }] as const;
  });
  return toYaml({ version: 2, ethernets: Object.fromEntries(ethernets) });
}

function cardOf(address: SeedFacts["addresses"][string] | undefined, index: number): Record<string, unknown> {
  // The boot does not wait for an address on further cards.
  if (address === undefined) return { dhcp4: true, ...(index === 0 ? {} : { optional: true }) };
  const { address: ip, prefix, gateway, dns } = address;
  return {
    dhcp4: false,
    addresses: [`${ip}/${prefix}`],
    // `default` is not known to every cloud-init.
    ...(gateway === null ? {} : { routes: [{ to: "0.0.0.0/0", via: gateway }] }),
    ...(dns.length === 0 ? {} : { nameservers: { addresses: dns } }),
  };
}
