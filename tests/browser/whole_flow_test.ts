/**
 * Protects the whole story as one: from a program that knows no NAS to VMs of a type declared in the browser, watched,
 * opened, stopped, started and destroyed. Once on a phone without JavaScript, once on a desk in the dark with nothing but
 * the keyboard; axe looks at every page passed.
 */
import assert from "node:assert/strict";
import type { BrowserContextOptions, Page } from "../support/packages/playwright.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import { browser, expectAccessible, finished, WATCHABLE, WIDTHS } from "../support/browser/pages.ts";
import { focused, tabTo } from "../support/browser/keyboard.ts";
import { KEEPER_PASSWORD, NAS_CERTIFICATE, startUnset, withNas } from "../support/program/first_run.ts";
import { fingerprintOf } from "../support/network/certificates.ts";

const [DESK, PHONE] = WIDTHS;

/** How a person gets on. Everything is named as the page names it. */
interface Person {
  /** Presses a button or follows a link. */
  readonly press: (name: RegExp) => Promise<void>;
  /** Replaces what is in a field. */
  readonly type: (label: RegExp, text: string) => Promise<void>;
  readonly tick: (label: RegExp) => Promise<void>;
  /** Chooses the radio button that follows the chosen one. */
  readonly choose: (label: RegExp, chosen: RegExp) => Promise<void>;
  /** Waits until the operation on the page is done. */
  readonly untilDone: () => Promise<void>;
  /** Presses a button of a VM's page, and is there again when the VM has this state. */
  readonly act: (name: RegExp, state: string) => Promise<void>;
  /** Waits until this is there, and checks that nothing on the page as it is keeps anybody from using it. */
  readonly see: (selector: string) => Promise<void>;
}

async function story(
  { press, type, tick, choose, untilDone, act, see }: Person,
  nas: Simulator,
): Promise<void> {
  await see("#field-host");
  await type(/^Address of your NAS/, new URL(nas.url.replace(/^ws/, "http")).host);
  await press(/^Connect$/);
  await see(`[aria-label="SHA-256 fingerprint ${await fingerprintOf(NAS_CERTIFICATE)}"]`);
  await press(/^They match$/);
  await see("#field-username");
  await choose(/^User name and password/, /^API key/);
  await type(/^Account/, "keeper");
  await type(/^Password/, KEEPER_PASSWORD);
  await press(/^Sign in$/);
  await see('input[name="dataset"]');
  await press(/^Finish$/);
  await see('h1:text("Your NAS is connected")');
  await press(/^Open the dashboard$/);
  await see('#connection[data-connection="live"]');
  await press(/^Create$/);
  await see("#create-form");
  await press(/^All VM types$/);
  await see('[data-type="worker"]');
  await press(/^New type$/);
  await see("#field-name");
  await type(/^Name$/, "web");
  await type(/^How many/, "2");
  await press(/^Review/);
  await see('[data-diff="added"]');
  await press(/^Save config.yaml$/);
  await see('[data-type="web"]');
  await press(/^Create VMs$/);
  await see('[name="web.count"]');
  await press(/^Review the plan$/);
  await see('[data-plan-vm="web02"][data-action="create"]');
  const starting = Promise.withResolvers<void>();
  nas.addFault({ method: "vm.start", action: "hold", until: starting.promise });
  await press(/^Create 3 VMs$/);
  await see('#operation[data-status="running"]');
  starting.resolve();
  await untilDone();
  await see('#operation[data-status="done"]');
  await press(/^Open the VMs/);
  await see('tr[data-vm="web01"][data-state="RUNNING"]');
  await press(/^web01$/);
  await see("#vm-state");
  await act(/^Shut down$/, "STOPPED");
  await act(/^Start$/, "RUNNING");
  await press(/^VMs$/);
  await see("tr[data-vm]");
  for (const name of ["web01", "web02", "worker01"]) await tick(new RegExp(`^Select ${name}$`));
  await press(/^Destroy…$/);
  await see("#confirm-destroy");
  await type(/^Type “destroy/, "destroy 3 vms");
  await press(/^Destroy 3 VMs/);
  await untilDone();
  await see('#operation[data-status="done"]');
}

/** A finger, on pages whose scripts do not run; axe looks at a copy. */
function onAPhone(page: Page, copy: Page): Person {
  const press = (name: RegExp) =>
    page.getByRole("button", { name }).or(page.getByRole("link", { name })).first().click();
  const field = (label: RegExp) => page.getByLabel(label).filter({ visible: true }).first();
  const untilDone = async () => {
    while (await page.locator('#operation[data-status="running"]').count() > 0) await press(/^Reload$/);
    await finished(page, "done");
  };
  const see = async (selector: string) => {
    // The dashboard that has just opened is not connected yet.
    while (await page.locator('#connection:not([data-connection="live"])').count() > 0) {
      await press(/^Reload$/);
    }
    await page.locator(selector).first().waitFor();
  };
  return {
    press,
    type: (label, text) => field(label).fill(text),
    tick: (label) => field(label).check(),
    choose: (label) => page.getByRole("radio", { name: label }).check(),
    untilDone,
    act: async (name, state) => {
      await press(name);
      await page.waitForURL(/\/operations\//);
      await untilDone();
      await press(/^Open web01/);
      await see(`#vm-state[data-state="${state}"]`);
    },
    see: async (selector) => {
      await see(selector);
      await expectCopyAccessible(page, copy, selector);
    },
  };
}

/** axe cannot run where scripts do not: it looks at the same page where they could run, but are gone. */
async function expectCopyAccessible(page: Page, copy: Page, where: string): Promise<void> {
  const over = await page.evaluate<number>("document.scrollingElement.scrollWidth - innerWidth");
  assert.ok(over <= 0, `${where} scrolls sideways`);
  const html = (await page.content())
    .replaceAll(/<script\b[^]*?<\/script>|<meta http-equiv="refresh"[^>]*>/g, "")
    .replaceAll(/<(\/?)noscript/g, "<$1div");
  const answer = { contentType: "text/html", body: html };
  await copy.route(page.url(), (route) => route.fulfill(answer), { times: 1 });
  await copy.goto(page.url());
  await expectAccessible(copy, where);
}

/** Hands on the keyboard, and no mouse. */
function atTheKeyboard(page: Page): Person {
  const press = async (name: RegExp) => {
    await tabTo(page, name);
    await page.keyboard.press("Enter");
  };
  return {
    press,
    type: async (label, text) => {
      await tabTo(page, label);
      await page.keyboard.press("Control+a");
      await page.keyboard.type(text);
    },
    tick: async (label) => {
      await tabTo(page, label);
      await page.keyboard.press("Space");
    },
    choose: async (label, chosen) => {
      await tabTo(page, chosen);
      await page.keyboard.press("ArrowDown");
      assert.match((await focused(page)).name, label);
    },
    untilDone: async () => {
      await finished(page, "done");
    },
    act: async (name, state) => {
      await press(name);
      await page.waitForSelector(`#vm-state[data-state="${state}"]`);
    },
    see: async (selector) => {
      await page.locator(selector).first().waitFor();
      await expectAccessible(page, selector);
    },
  };
}

function flowTest(
  name: string,
  look: BrowserContextOptions,
  personIn: (page: Page, baseURL: string) => Promise<Person>,
): void {
  // The browser lives longer than a test, and its socket with it: only here the sanitizers are off.
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, () =>
    withNas(async (nas, folder) => {
      const program = await startUnset(folder);
      const context = await browser.newContext({ ...look, baseURL: program.url, reducedMotion: "reduce" });
      try {
        const page = await context.newPage();
        await page.goto("/");
        await story(await personIn(page, program.url), nas);
        assert.equal(nas.store.vms.size, 0);
        assert.deepEqual([...nas.store.datasets.values()].filter(({ type }) => type === "VOLUME"), []);
      } finally {
        await context.close();
        assert.equal(await program.stop(), 0);
      }
      assert.ok(!program.said().includes(KEEPER_PASSWORD));
    }, WATCHABLE));
}

const ON_A_PHONE = { viewport: PHONE, hasTouch: true } as const;

flowTest(
  "from the first run to VMs destroyed, on a phone without JavaScript",
  { ...ON_A_PHONE, javaScriptEnabled: false },
  async (page, baseURL) => {
    const copies = await browser.newContext({ ...ON_A_PHONE, baseURL });
    page.context().on("close", () => void copies.close());
    return onAPhone(page, await copies.newPage());
  },
);

flowTest(
  "from the first run to VMs destroyed, on a desk in the dark with nothing but the keyboard",
  { viewport: DESK, colorScheme: "dark" },
  (page) => Promise.resolve(atTheKeyboard(page)),
);
