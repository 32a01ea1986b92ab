/** Seeds of Ignition (Flatcar, Fedora CoreOS): the person's file with host name, keys and addresses. Pure. */
import { parseDocument } from "../../configuration/yaml.ts";
import type { SeedKey, SeedSection } from "../types.ts";
import { seedError, type Source } from "./places.ts";
import type { SeedFacts } from "./seed.ts";
import { MAX_FILE_BYTES } from "./seed_texts.ts";
import { fillIn, type Variables } from "./template.ts";

/** The user that gets the keys where none is named: the one that the images come with. */
const DEFAULT_USER = "core";
const HOST_NAME_FILE = "/etc/hostname";
/** -rw-r--r-- */
const READABLE = 0o644;
/** NetworkManager reads connections only from files of root alone. */
const PRIVATE = 0o600;

type Json = Record<string, unknown>;

/**
 * The Ignition file of a VM.
 *
 * @throws {ConfigurationError} with line and column where the file is not JSON.
 */
export function ignitionFile(
  { user = DEFAULT_USER }: Pick<SeedSection, "user">,
  facts: SeedFacts,
  { source, keys }: { readonly source: Source; readonly keys: readonly SeedKey[] },
  variables: Variables,
): string {
  const config = parsed(source, variables);
  const files = [...hostNameFile(facts), ...networkFiles(facts)];
  const storage = objectAt(source, config, "storage");
  const there = listAt(source, storage, "files");
  const added = files.filter(({ path }) => !there.some((file) => isObject(file) && file.path === path));
  const rendered: Json = {
    ...config,
    storage: { ...storage, files: [...there, ...added] },
    ...(keys.length === 0
      ? {}
      : { passwd: withKeys(source, objectAt(source, config, "passwd"), user, keys) }),
  };
  const text = `${JSON.stringify(rendered)}\n`;
  const size = new TextEncoder().encode(text).length;
  if (size <= MAX_FILE_BYTES.ignition) return text;
  throw seedError(source, [{
    message: `The file has ${size} bytes; the maximum is ${MAX_FILE_BYTES.ignition}`,
  }]);
}

/** JSON is YAML, so variables are quoted as in YAML. */
function parsed(source: Source, variables: Variables): Json {
  const { file, text } = source;
  if (/^\s*(variant|version):/m.test(text) && !/^\s*\{/.test(text)) {
    const message = "This is a Butane file; convert it with butane, and name the file that it writes";
    throw seedError(source, [{ message, offset: 0 }]);
  }
  const filled = fillIn(source, variables, "yaml");
  const config = json({ file, text: filled });
  const ignition = isObject(config) ? config.ignition : undefined;
  if (isObject(config) && isObject(ignition) && /^3\.\d+\.\d+$/.test(String(ignition.version))) return config;
  const message = 'This is no Ignition file of version 3: it begins with {"ignition": {"version": "3.4.0"}}';
  throw seedError(source, [{ message, offset: 0 }]);
}

/** The runtime's own message repeats the text, so the place is found by the parser of YAML, of which JSON is a part. */
function json(source: Source): unknown {
  try {
    return JSON.parse(source.text);
  } catch {
    const [error] = parseDocument(source.text, { prettyErrors: false, schema: "json" }).errors;
    const offset = error === undefined ? {} : { offset: error.pos[0] };
    throw seedError(source, [{ message: "This is not valid JSON", ...offset }]);
  }
}

interface IgnitionFile extends Json {
  readonly path: string;
}

function fileOf(path: string, text: string, mode = READABLE): IgnitionFile {
  return { path, mode, overwrite: true, contents: { source: `data:,${encodeURIComponent(text)}` } };
}

function hostNameFile({ hostname }: SeedFacts): IgnitionFile[] {
  return [fileOf(HOST_NAME_FILE, `${hostname}\n`)];
}

/** Static addresses, for the two programs that configure networks: Flatcar has one, Fedora CoreOS the other. */
function networkFiles({ macs, addresses }: SeedFacts): IgnitionFile[] {
  return Object.entries(addresses).flatMap(([network, { address, prefix, gateway, dns }]) => {
    const mac = macs[network];
    if (mac === undefined) return [];
    const networkd = [
      "[Match]",
      `MACAddress=${mac}`,
      "[Network]",
      `Address=${address}/${prefix}`,
      ...(gateway === null ? [] : [`Gateway=${gateway}`]),
      ...dns.map((server) => `DNS=${server}`),
    ];
    const v4 = dns.filter((server) => !server.includes(":"));
    const manager = [
      "[connection]",
      `id=${network}`,
      "type=ethernet",
      "[ethernet]",
      `mac-address=${mac}`,
      "[ipv4]",
      "method=manual",
      `address1=${address}/${prefix}${gateway === null ? "" : `,${gateway}`}`,
      ...(v4.length === 0 ? [] : [`dns=${v4.join(";")};`]),
    ];
    return [
      fileOf(`/etc/systemd/network/00-${network}.network`, `${networkd.join("\n")}\n`),
      fileOf(
        `/etc/NetworkManager/system-connections/${network}.nmconnection`,
        `${manager.join("\n")}\n`,
        PRIVATE,
      ),
    ];
  });
}

function withKeys(source: Source, passwd: Json, user: string, keys: readonly SeedKey[]): Json {
  const users = listAt(source, passwd, "users");
  const own = keys.map(({ key }) => key);
  const isOwn = (entry: unknown) => isObject(entry) && entry.name === user;
  if (!users.some(isOwn)) return { ...passwd, users: [...users, { name: user, sshAuthorizedKeys: own }] };
  const merged = users.map((entry) => {
    if (!isObject(entry) || !isOwn(entry)) return entry;
    const there = listAt(source, entry, "sshAuthorizedKeys");
    return { ...entry, sshAuthorizedKeys: [...new Set([...there, ...own])] };
  });
  return { ...passwd, users: merged };
}

function objectAt(source: Source, json: Json, key: string): Json {
  const value = json[key] ?? {};
  if (isObject(value)) return value;
  throw seedError(source, [{ message: `${key} must be an object, as Ignition's specification has it` }]);
}

function listAt(source: Source, json: Json, key: string): readonly unknown[] {
  const value = json[key] ?? [];
  if (Array.isArray(value)) return value;
  throw seedError(source, [{ message: `${key} must be a list, as Ignition's specification has it` }]);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
