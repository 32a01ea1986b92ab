/**
 * What somebody does with the Debian package, inside a container: install it, open the page, connect a NAS, create VMs,
 * upgrade, go back, remove and purge. `service_visit.ts PACKAGE NEXT_PACKAGE` prints what was seen as JSON.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { TEST_TIMES } from "../../support/dashboard.ts";
import { end, type Ended } from "./packages.ts";
import { createVms, settingsFor } from "./visit.ts";

/** Where the package's service listens. */
const URL_OF_SERVICE = "http://127.0.0.1:8080";
const SERVICE = "truenas-vm-manager";

/** What was seen. */
export interface ServiceVisit {
  /** From `dpkg --install` to the page that asks for a NAS. */
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
}

async function succeed(command: string, ...args: string[]): Promise<string> {
  const { code, out, err }: Ended = await end(command, args);
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${out}${err}`);
  return out;
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

async function visitService(first: string, next: string): Promise<ServiceVisit> {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const installedAt = performance.now();
  await succeed("dpkg", "--install", first);
  await pageWith(/Connect your NAS/);
  const pageMs = Math.round(performance.now() - installedAt);

  const settings = Object.entries(settingsFor(simulator.url)).map(([name, value]) => `${name}=${value}\n`);
  await Deno.writeTextFile(`/etc/${SERVICE}/.env`, settings.join(""));
  await succeed("systemctl", "restart", SERVICE);
  await pageWith(/<title>VMs/);
  const status = await createVms(URL_OF_SERVICE);
  const histories = [await operationIds()];

  for (const file of [next, first]) {
    await succeed("dpkg", "--install", file);
    histories.push(await operationIds());
  }
  await succeed("dpkg", "--remove", SERVICE);
  const isActive = (await end("systemctl", ["is-active", "--quiet", SERVICE])).code === 0;
  const leftAfterRemoval = await filesLeft();
  await succeed("dpkg", "--purge", SERVICE);
  return { pageMs, status, histories, leftAfterRemoval, leftAfterPurge: await filesLeft(), isActive };
}

if (import.meta.main) {
  const [first = "", next = ""] = Deno.args;
  process.stdout.write(JSON.stringify(await visitService(first, next)));
  Deno.exit(0);
}
