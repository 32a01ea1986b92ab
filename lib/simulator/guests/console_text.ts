/**
 * What cloud-init 22.4 prints on the serial console, recorded from a real guest of Debian 12: its stages, the tables `ci-info`,
 * the host's keys, and the last line. Pure.
 */
import { createHash } from "node:crypto";

/** A guest's network card. */
export interface ShownCard {
  readonly name: string;
  /** IPv4. */
  readonly address: string;
  readonly prefix: number;
  readonly mac: string;
}

/** Since the guest's kernel has started. */
export interface Moment {
  readonly upMs: number;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
}

/** A line that cloud-init's services print. */
export function serviceLine({ upMs }: Moment, text: string): string {
  return `[${(upMs / 1_000).toFixed(6).padStart(12)}] cloud-init[${300 + Math.floor(upMs / 500)}]: ${text}`;
}

/** The beginning of a stage: `init-local`, `init`, `modules:config`, `modules:final`. */
export function stageLine(moment: Moment, stage: string): string {
  return serviceLine(
    moment,
    `Cloud-init v. 22.4.2 running '${stage}' at ${rfc2822(moment)}. Up ${up(moment)} seconds.`,
  );
}

/** The last line of a boot. */
export function finishedLine(moment: Moment, source: string): string {
  return serviceLine(
    moment,
    `Cloud-init v. 22.4.2 finished at ${rfc2822(moment)}. Datasource ${source}.  Up ${up(moment)} seconds`,
  );
}

/** A warning with its time. */
export function warningLine(moment: Moment, text: string): string {
  const time = new Date(moment.at).toISOString().replace("T", " ").replace("Z", "").replace(".", ",");
  return serviceLine(moment, `${time} - ${text}`);
}

/** The tables of addresses and routes. */
export function networkTables(moment: Moment, cards: readonly ShownCard[], gateway: string | null): string[] {
  const devices = table("Net device info", ["Device", "Up", "Address", "Mask", "Scope", "Hw-Address"], [
    ...cards.map(({ name, address, prefix, mac }) => [name, "True", address, maskOf(prefix), "global", mac]),
    ["lo", "True", "127.0.0.1", "255.0.0.0", "host", "."],
    ["lo", "True", "::1/128", ".", "host", "."],
  ]);
  const [first] = cards;
  const routes = first === undefined || gateway === null
    ? []
    : table("Route IPv4 info", ["Route", "Destination", "Gateway", "Genmask", "Interface", "Flags"], [
      ["0", "0.0.0.0", gateway, "0.0.0.0", first.name, "UG"],
    ]);
  return [...devices, ...routes].map((line) => serviceLine(moment, line));
}

/** The keys that may sign in as a user. */
export function keyTable(user: string, keys: readonly string[]): string[] {
  const home = user === "root" ? "/root" : `/home/${user}`;
  const title = `Authorized keys from ${home}/.ssh/authorized_keys for user ${user}`;
  const rows = keys.map((key) => {
    const [type = "", bytes = "", ...comment] = key.split(" ");
    const digest = createHash("sha256").update(bytes, "base64").digest("hex").match(/../g)?.join(":") ?? "";
    return [type, digest, "-", comment.join(" ") || "-"];
  });
  return table(title, ["Keytype", "Fingerprint (sha256)", "Options", "Comment"], rows);
}

/** The host's key, which somebody who signs in compares. */
export function hostKeyLines(hostname: string, key: string): string[] {
  const [, bytes = ""] = key.split(" ");
  const digest = createHash("sha256").update(bytes, "base64").digest("base64").replace(/=+$/, "");
  return [
    "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
    `256 SHA256:${digest} root@${hostname} (ED25519)`,
    "-----END SSH HOST KEY FINGERPRINTS-----",
    "-----BEGIN SSH HOST KEY KEYS-----",
    `${key} root@${hostname}`,
    "-----END SSH HOST KEY KEYS-----",
  ];
}

/** As Python's PrettyTable draws it, with the title in the line above. */
function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, index) =>
    Math.max(head.length, ...rows.map((row) => row[index]?.length ?? 0))
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+`;
  const line = (cells: readonly string[]) =>
    `|${cells.map((cell, index) => ` ${centred(cell, widths[index] ?? 0)} `).join("|")}|`;
  const room = rule.length - title.length;
  const above = `${"+".repeat(Math.max(0, Math.floor(room / 2)))}${title}`.padEnd(rule.length, "+");
  return [above, rule, line(heads), rule, ...rows.map(line), rule].map((text) => `ci-info: ${text}`);
}

/** An odd room is shared as PrettyTable does: by whether the text itself is odd. */
function centred(text: string, width: number): string {
  const room = Math.max(0, width - text.length);
  const left = room % 2 === 1 && text.length % 2 === 0 ? Math.ceil(room / 2) : Math.floor(room / 2);
  return text.padStart(text.length + left).padEnd(width);
}

function maskOf(prefix: number): string {
  const bits = "1".repeat(prefix).padEnd(32, "0");
  return [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2)).join(".");
}

/** `Fri, 27 Nov 2026 08:25:14 +0000` */
function rfc2822({ at }: Moment): string {
  return new Date(at).toUTCString().replace("GMT", "+0000");
}

function up({ upMs }: Moment): string {
  return (upMs / 1_000).toFixed(2);
}
