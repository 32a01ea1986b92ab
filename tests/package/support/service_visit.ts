/**
 * What somebody does with the Debian package, inside a container: install it, open the page, connect a NAS, create VMs,
 * upgrade, go back, remove and purge; then the start-up script for TrueNAS with the self-extracting file, and the unit
 * for other machines.
 * `service_visit.ts FOLDER` with the packages in a folder prints what was seen as JSON.
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { ARCHITECTURE, end, type Ended, namesIn } from "./packages.ts";
import { createVms, settingsFor } from "./visit.ts";

/** Where the package's service listens. */
const URL_OF_SERVICE = "http://127.0.0.1:8080";
const SERVICE = "truenas-vm-manager";
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Where TrueNAS itself is reached without an account. */
const MIDDLEWARE_SOCKET = "/var/run/middleware/middlewared.sock";
/** The self-extracting file, by the name that the start-up script expects. */
const RUN_FILE = `truenas-vm-manager-${ARCHITECTURE}.run`;

/** What was seen. */
export interface ServiceVisit {
  /** From `apt install` to the page that asks for a NAS. */
  readonly pageMs: number;
  /** How the creation of VMs ended. */
  readonly status: string;
  /** Ids of the operations that the history lists: before, after the upgrade, after going back. */
  readonly histories: readonly (readonly string[])[];
  /** What is left of the package's files after its removal, and after it was purged. */
  readonly leftAfterRemoval: readonly string[];
  readonly leftAfterPurge: readonly string[];
  /** Whether the service ran after the removal. */
  readonly isActive: boolean;
  /** What the history lists when the start-up script ran, and when it ran again. */
  readonly scriptHistories: readonly (readonly string[])[];
  /** What is in the script's folder then. */
  readonly scriptFolder: readonly string[];
  /** What the history lists with the unit for other machines, and when its file was replaced. */
  readonly unitHistories: readonly (readonly string[])[];
  /** What is left of that service after its removal. */
  readonly leftAfterUnit: readonly string[];
}

async function succeed(command: string, ...args: string[]): Promise<string> {
  const { code, out, err }: Ended = await end(command, args);
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${out}${err}`);
  return out;
}

function apt(command: string, ...args: string[]): Promise<string> {
  return succeed("apt-get", command, "--yes", "--no-install-recommends", ...args);
}

/** The page's text, as soon as it answers with these words. */
async function pageWith(words: RegExp): Promise<string> {
  for (;;) {
    const page = await fetch(URL_OF_SERVICE).then((answer) => answer.text(), () => "");
    if (words.test(page)) return page;
  }
}

async function operationIds(): Promise<string[]> {
  await pageWith(/<title>VMs/);
  const page = await (await fetch(`${URL_OF_SERVICE}/operations`)).text();
  return [...new Set([...page.matchAll(/data-operation="([^"]+)"/g)].map(([, id]) => id ?? ""))].sort();
}

async function filesLeft(): Promise<string[]> {
  const found = await succeed(
    "find",
    "/etc",
    "/usr",
    "/var",
    "-path",
    `*/${SERVICE}*`,
    "-not",
    "-path",
    "*/doc/*",
  );
  return found.split("\n").filter((path) => path !== "" && !path.startsWith("/var/lib/dpkg/")).sort();
}

async function visitService(folder: string): Promise<ServiceVisit> {
  await using one = await startSimulator({ times: TEST_TIMES });
  await Deno.mkdir(dirname(MIDDLEWARE_SOCKET), { recursive: true });
  await using _local = await startSimulator({ times: TEST_TIMES, unixPath: MIDDLEWARE_SOCKET });
  await using third = await startSimulator({ times: TEST_TIMES });
  const service = await visitPackage(one.url, folder);
  const script = await visitScript(folder);
  return { ...service, ...script, ...await visitUnit(third.url, folder) };
}

async function visitPackage(
  nas: string,
  folder: string,
): Promise<Omit<ServiceVisit, keyof ScriptVisit | keyof UnitVisit>> {
  const [first, next] = [`${folder}/first.deb`, `${folder}/next.deb`];
  const installedAt = performance.now();
  await apt("install", first);
  await pageWith(/Connect your NAS/);
  const pageMs = Math.round(performance.now() - installedAt);

  await Deno.writeTextFile(`/etc/${SERVICE}/.env`, settingsFile(nas));
  await succeed("systemctl", "restart", SERVICE);
  await pageWith(/<title>VMs/);
  const status = await createVms(URL_OF_SERVICE);
  const histories = [await operationIds()];

  await apt("install", next);
  histories.push(await operationIds());
  await apt("install", "--allow-downgrades", first);
  histories.push(await operationIds());
  await apt("remove", SERVICE);
  const isActive = (await end("systemctl", ["is-active", "--quiet", SERVICE])).code === 0;
  const leftAfterRemoval = await filesLeft();
  await apt("purge", SERVICE);
  return { pageMs, status, histories, leftAfterRemoval, leftAfterPurge: await filesLeft(), isActive };
}

type ScriptVisit = Pick<ServiceVisit, "scriptHistories" | "scriptFolder">;

/** The steps of docs/install.md, but for the NAS's own page that runs the script. */
async function visitScript(folder: string): Promise<ScriptVisit> {
  const place = "/opt/vm-manager";
  await Deno.mkdir(place, { mode: 0o700 });
  await succeed("cp", `${folder}/${RUN_FILE}`, `${ROOT}docs/install/start.sh`, `${ROOT}config.yaml`, place);
  const settings = `TRUENAS_HOST=unix:${MIDDLEWARE_SOCKET}\nVNC_PASSWORD=display-secret\n`;
  await Deno.writeTextFile(`${place}/.env`, settings);
  const scriptHistories: string[][] = [];
  for (const isFirst of [true, false]) {
    await succeed(`${place}/start.sh`);
    await pageWith(/<title>VMs/);
    if (isFirst) await createVms(URL_OF_SERVICE);
    scriptHistories.push(await operationIds());
  }
  await succeed("systemctl", "stop", SERVICE);
  return { scriptHistories, scriptFolder: await namesIn(place) };
}

type UnitVisit = Pick<ServiceVisit, "unitHistories" | "leftAfterUnit">;

/** The steps of docs/install.md for other machines. */
async function visitUnit(nas: string, folder: string): Promise<UnitVisit> {
  const [place, settings, unit] = [`/usr/local/lib/${SERVICE}`, `/etc/${SERVICE}`, `${SERVICE}.service`];
  const file = `${place}/${RUN_FILE}`;
  await Promise.all([place, settings].map((path) => Deno.mkdir(path)));
  await succeed("cp", `${folder}/${RUN_FILE}`, place);
  await succeed(file, "version");
  await succeed("ln", "-s", file, `/usr/local/bin/${SERVICE}`);
  await succeed("cp", `${ROOT}config.yaml`, settings);
  await Deno.writeTextFile(`${settings}/.env`, settingsFile(nas), { mode: 0o600 });
  await succeed("cp", `${ROOT}docs/install/${unit}`, "/etc/systemd/system/");
  await succeed("systemctl", "daemon-reload");
  await succeed("systemctl", "enable", "--now", SERVICE);
  await pageWith(/<title>VMs/);
  await createVms(URL_OF_SERVICE);
  const unitHistories = [await operationIds()];

  await succeed("cp", "--remove-destination", `${folder}/${RUN_FILE}`, place);
  await succeed(file, "version");
  await succeed("systemctl", "restart", SERVICE);
  unitHistories.push(await operationIds());

  await succeed("systemctl", "disable", "--now", SERVICE);
  const paths = [`/etc/systemd/system/${unit}`, `/usr/local/bin/${SERVICE}`, place, settings];
  await succeed("rm", "-r", ...paths, `/var/lib/private/${SERVICE}`, `/var/lib/${SERVICE}`);
  return { unitHistories, leftAfterUnit: await filesLeft() };
}

function settingsFile(nas: string): string {
  return Object.entries(settingsFor(nas)).map(([name, value]) => `${name}=${value}\n`).join("");
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await visitService(Deno.args[0] ?? "")));
  Deno.exit(0);
}
