/**
 * Protects people who use the dashboard from another machine: the program on a non-loopback address, and behind nginx
 * as documented, in Chromium. Browsers treat 127.0.0.1 as secure and other plain HTTP addresses as not, so features
 * that work there may fail here.
 */
import assert from "node:assert/strict";
import type { Browser, Page } from "../support/packages/playwright.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { startBrowser } from "../support/browser/browser.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { addSecondMachine, startNginx } from "../support/network/network.ts";
import { type Program, startProgram, withFolder } from "../support/program/program.ts";

const PASSWORD = "open sesame";

/** Chromium has processes and sockets that outlive a page. */
const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

async function withProgram(
  env: Record<string, string>,
  test: (program: Program, port: number) => Promise<void>,
): Promise<void> {
  await withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 1 });
    const program = await startProgram(simulator, folder, { env: { DASHBOARD_PASSWORD: PASSWORD, ...env } });
    const { port } = new URL(program.url);
    try {
      await test(program, Number(port));
    } finally {
      await program.stop("SIGTERM");
    }
  });
}

async function withPage(browser: Browser, test: (page: Page) => Promise<void>): Promise<void> {
  try {
    await test(await (await browser.newContext()).newPage());
  } finally {
    await browser.close();
  }
}

async function signIn(page: Page, site: string): Promise<void> {
  await page.goto(`${site}/`);
  await page.getByLabel("Dashboard password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector('#connection[data-connection="live"]');
}

/** Signs in, sends a form about a VM, and signs out, as a person does. */
async function useIt(page: Page, site: string, action: "Suspend" | "Resume"): Promise<void> {
  await signIn(page, site);
  await page.goto(`${site}/vms/1`);
  const button = page.getByRole("button", { name: action, exact: true });
  // Resume is a next step of the head; Suspend is in the menu.
  if (!await button.isVisible()) await page.getByLabel(/^More for /).click();
  await button.click();
  const toast = page.locator(".toast", { hasText: / was (suspended|resumed)/ });
  await toast.getByRole("link", { name: "View" }).click();
  await page.waitForSelector('#operation[data-status="done"]');
  assert.match(page.url(), /\/operations\/[0-9a-f]{8}$/);
  await page.getByLabel("Signed in as administrator").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

Deno.test(
  "over plain HTTP on a LAN address, a browser signs in, acts and signs out (fault 20)",
  OPTIONS,
  async () => {
    await using machine = await addSecondMachine();
    await withProgram({ HOST: machine.here }, async (_, port) => {
      await withPage(
        await startBrowser({ executablePath: await machine.chromium() }),
        (page) => useIt(page, `http://${machine.here}:${port}`, "Suspend"),
      );
    });
  },
);

Deno.test(
  "behind the documented nginx, on any port, a browser signs in, acts and signs out (fault 20)",
  OPTIONS,
  async () => {
    await using machine = await addSecondMachine();
    const env = {
      HOST: "::",
      BASE_PATH: "/vms",
      ALLOWED_HOSTS: "vms.lan",
      TRUSTED_PROXIES: machine.there,
    };
    await withProgram(env, async (_, port) => {
      const upstream = `http://${machine.here}:${port}`;
      await using _nginx = await startNginx(machine, { upstream, ports: [80, 8081] });
      const flags = [`--host-resolver-rules=MAP vms.lan ${machine.there}`];
      await withPage(await startBrowser({ flags }), async (page) => {
        await useIt(page, "http://vms.lan/vms", "Suspend");
        await useIt(page, "http://vms.lan:8081/vms", "Resume");
        await signIn(page, "http://vms.lan/vms");
        await page.goto("http://vms.lan/vms/operations/audit");
        assert.ok(await page.getByText(machine.here).count() > 0, "it tells the client, not the proxy");
        assert.equal(await page.getByText("::ffff:").count(), 0, "an IPv4 address is written as one");
      });
    });
  },
);
