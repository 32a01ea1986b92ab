/** What cloud-init 22.4 makes of a seed: its configuration, and the warnings that it prints. Pure. */
import { LineCounter, parseDocument } from "../../configuration/yaml.ts";
import { portsOf } from "./ports.ts";

/** What a guest becomes of its seed. */
export interface GuestSetup {
  readonly instanceId: string;
  readonly hostname: string;
  /** Trusts at the next boot what it got at the first. */
  readonly keepsSeed: boolean;
  readonly phoneHome: PhoneHomeSection | null;
  readonly users: readonly GuestUser[];
  readonly packages: readonly string[];
  /** Where it listens. */
  readonly ports: readonly number[];
  /** Printed on the console. */
  readonly warnings: readonly string[];
}

/** `phone_home` */
export interface PhoneHomeSection {
  readonly url: string;
  readonly post: readonly string[];
  readonly tries: number;
}

/** A user with the keys that may sign in. */
export interface GuestUser {
  readonly name: string;
  readonly keys: readonly string[];
}

type Data = Readonly<Record<string, unknown>>;

/** Of a NoCloud seed without an instance id. */
const NO_INSTANCE_ID = "nocloud";
const ALL_FIELDS = [
  "pub_key_dsa",
  "pub_key_rsa",
  "pub_key_ecdsa",
  "pub_key_ed25519",
  "instance_id",
  "hostname",
  "fqdn",
];
const DEFAULT_TRIES = 10;

/** Reads a seed; the person's user data is merged over vendor data, key by key. */
export function readSetup(seed: ReadonlyMap<string, string>): GuestSetup {
  const warnings: string[] = [];
  const meta = loadYaml(seed.get("meta-data") ?? "", warnings);
  const user = cloudConfig(seed.get("user-data") ?? "", warnings);
  const vendor = cloudConfig(seed.get("vendor-data") ?? "", warnings);
  const config = { ...vendor, ...user };
  const hostname = textOf(config.hostname) ?? textOf(meta["local-hostname"]) ?? "localhost";
  const packages = listOf(config.packages).flatMap((it) => textOf(it) ?? []);
  return {
    instanceId: textOf(meta["instance-id"]) ?? NO_INSTANCE_ID,
    hostname: hostname.split(".")[0] ?? hostname,
    keepsSeed: config.manual_cache_clean === true,
    phoneHome: phoneHomeOf(config.phone_home),
    users: usersOf(config),
    packages,
    ports: portsOf(packages, JSON.stringify(config.runcmd ?? [])),
    warnings,
  };
}

/** Static addresses by the MAC address of the card, `10.0.0.21/24`, in a network configuration of version 2. */
export function staticAddresses(networkConfig: string): ReadonlyMap<string, string> {
  const { ethernets } = loadYaml(networkConfig, []);
  return new Map(
    Object.values(dataOf(ethernets)).flatMap((card): [string, string][] => {
      const { match, addresses } = dataOf(card);
      const mac = textOf(dataOf(match).macaddress);
      const address = textOf(listOf(addresses)[0]);
      return mac === null || address === null ? [] : [[mac.toLowerCase(), address]];
    }),
  );
}

/** Only what begins with cloud-config's own line is one; a part that is no YAML is left out, and the rest still counts. */
function cloudConfig(text: string, warnings: string[]): Data {
  if (text.trim() === "") return {};
  if (!/^#cloud-config\s*$/m.test(text.split("\n")[0] ?? "")) {
    if (!text.startsWith("#")) {
      warnings.push(
        `__init__.py[WARNING]: Unhandled non-multipart (text/x-not-multipart) userdata: '${
          text.slice(0, 24)
        }...'`,
      );
    }
    return {};
  }
  const before = warnings.length;
  const data = loadYaml(text, warnings);
  if (warnings.length > before) {
    warnings.push(
      "cloud_config.py[WARNING]: Failed at merging in cloud config part from part-001: empty cloud config",
    );
  }
  return data;
}

function loadYaml(text: string, warnings: string[]): Data {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { version: "1.1", lineCounter, prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    warnings.push(
      `util.py[WARNING]: Failed loading yaml blob. Invalid format at line ${line} column ${col}: "${error.message}"`,
    );
    return {};
  }
  return dataOf(document.toJS());
}

function phoneHomeOf(value: unknown): PhoneHomeSection | null {
  const { url, post, tries } = dataOf(value);
  const address = textOf(url);
  if (address === null) return null;
  const fields = post === "all" || post === undefined
    ? ALL_FIELDS
    : listOf(post).flatMap((it) => textOf(it) ?? []);
  return { url: address, post: fields, tries: typeof tries === "number" ? tries : DEFAULT_TRIES };
}

function usersOf({ users, ssh_authorized_keys: common }: Data): GuestUser[] {
  const named = listOf(users).flatMap((it): GuestUser[] => {
    const { name, ssh_authorized_keys: keys } = dataOf(it);
    const user = textOf(name);
    return user === null ? [] : [{ name: user, keys: listOf(keys).flatMap((key) => textOf(key) ?? []) }];
  });
  const all = listOf(common).flatMap((key) => textOf(key) ?? []);
  return named.length > 0 || all.length === 0 ? named : [{ name: "debian", keys: all }];
}

function dataOf(value: unknown): Data {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Data : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : null;
}
