/** Guests that are not cloud-init's: what Talos and Ignition make of their seeds, as far as it is seen from outside. Pure. */
import { parseAllDocuments } from "../../configuration/yaml.ts";

/** What such a guest becomes. */
export interface OtherSystem {
  readonly hostname: string;
  /** Static addresses by the MAC address of the card, `10.0.0.21/24`. */
  readonly statics: ReadonlyMap<string, string>;
  /** Where it listens. */
  readonly ports: readonly number[];
  /** What its serial console shows. */
  readonly shows: readonly string[];
}

type Data = Readonly<Record<string, unknown>>;

const TALOS_API = 50_000;
const SSH = 22;

/** Null for user data of cloud-init. */
export function otherSystemOf(userData: string): OtherSystem | null {
  return userData.trimStart().startsWith("{") ? ignition(userData) : talos(userData);
}

function talos(text: string): OtherSystem | null {
  if (!/^machine:/m.test(text)) return null;
  const documents = parseAllDocuments(text, { prettyErrors: false });
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return null;
  const all = documents.map((document) => dataOf(document.toJS()));
  const machine = dataOf(all.find(({ machine }) => machine !== undefined)?.machine);
  if (typeof machine.type !== "string") return null;
  const network = dataOf(machine.network);
  const named = all.find(({ kind }) => kind === "HostnameConfig")?.hostname ?? network.hostname;
  const hostname = typeof named === "string" ? named : "talos";
  const statics = new Map([
    ...listOf(network.interfaces).flatMap((it): [string, string][] => {
      const { deviceSelector, addresses } = dataOf(it);
      return entry(dataOf(deviceSelector).hardwareAddr, listOf(addresses)[0]);
    }),
    ...all.filter(({ kind }) => kind === "LinkConfig").flatMap(({ name, addresses }): [string, string][] => {
      const alias = all.find((it) => it.kind === "LinkAliasConfig" && it.name === name);
      const [, mac] = /"([0-9a-f:]{17})"/i.exec(String(dataOf(alias?.selector).match)) ?? [];
      return entry(mac, dataOf(listOf(addresses)[0]).address);
    }),
  ]);
  const shows = [
    `[talos] this machine is reachable at its apid port ${TALOS_API}`,
    `[talos] hostname ${hostname}`,
  ];
  return { hostname, statics, ports: [TALOS_API], shows };
}

function ignition(text: string): OtherSystem | null {
  let config: Data;
  try {
    config = dataOf(JSON.parse(text));
  } catch {
    return null;
  }
  if (typeof dataOf(config.ignition).version !== "string") return null;
  const files = listOf(dataOf(config.storage).files).map(dataOf);
  const textOf = ({ contents }: Data) =>
    decodeURIComponent(String(dataOf(contents).source).replace(/^data:,/, ""));
  const name = files.find(({ path }) => path === "/etc/hostname");
  const hostname = name === undefined ? "localhost" : textOf(name).trim();
  const statics = new Map(
    files.filter(({ path }) => /^\/etc\/systemd\/network\/.*\.network$/.test(String(path))).flatMap(
      (file) => {
        const valueOf = (key: string) => new RegExp(`^${key}=(.+)$`, "m").exec(textOf(file))?.[1];
        return entry(valueOf("MACAddress"), valueOf("Address"));
      },
    ),
  );
  const shows = ["Ignition: ran on this boot", "", `Flatcar Container Linux ${hostname} ttyS0`, ""];
  return { hostname, statics, ports: [SSH], shows };
}

function entry(mac: unknown, address: unknown): [string, string][] {
  return typeof mac === "string" && typeof address === "string" ? [[mac.toLowerCase(), address]] : [];
}

function dataOf(value: unknown): Data {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Data : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
