/**
 * Protects the first run in a real browser: every step on a desk and on a phone, with and without JavaScript, without
 * accessibility violations or sideways scrolling, and with nothing but the keyboard.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import { browser, expectAccessible, expectAccessibleEverywhere, SCREENS } from "../support/browser/pages.ts";
import { API_KEY, startSetup, type TestSetup } from "../support/pages/setup.ts";

const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true } as const;
const LOOKS = [
  { name: "on a desk", context: { ...SCREENS[0], javaScriptEnabled: true } },
  { name: "on a phone without JavaScript", context: { ...PHONE, javaScriptEnabled: false } },
] as const;

function setupTest(
  name: string,
  options: Parameters<typeof browser.newContext>[0],
  test: (page: Page, setup: TestSetup) => Promise<void>,
): void {
  // The browser lives longer than a test, and its socket with it: only here the sanitizers are off.
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, async () => {
    await using setup = await startSetup();
    const context = await browser.newContext({ ...options, baseURL: setup.url });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    try {
      await test(page, setup);
      assert.deepEqual(complaints.filter((text) => !/status of 422/.test(text)), []);
    } finally {
      await context.close();
    }
  });
}

for (const { name, context } of LOOKS) {
  setupTest(`a NAS is connected in four steps ${name}`, context, async (page, setup) => {
    const check = (where: string) =>
      context.javaScriptEnabled ? expectAccessibleEverywhere(page, where) : expectNoOverflow(page, where);
    await page.goto("/");
    await check("the address");
    await page.getByLabel("Address of your NAS").fill("no-such-host.invalid");
    await page.getByRole("button", { name: "Connect" }).click();
    await page.getByText("has no address in DNS").first().waitFor();
    await check("a wrong address");
    await page.getByLabel("Address of your NAS").fill(setup.nas);
    await page.getByRole("button", { name: "Connect" }).click();
    assert.equal(
      await page.getByRole("img", { name: "SHA-256 fingerprint" }).getAttribute("aria-label"),
      `SHA-256 fingerprint ${setup.fingerprint}`,
    );
    await check("the certificate");
    await page.getByRole("link", { name: "They differ" }).click();
    await page.getByText("Do not go on.").waitFor();
    await check("fingerprints that differ");
    await page.getByRole("link", { name: /^Change\s*: Find your NAS$/ }).click();
    await page.getByRole("button", { name: "Connect" }).click();
    await page.getByRole("button", { name: "They match" }).click();
    await page.getByRole("radio", { name: "User name and password" }).check();
    assert.ok(
      !await page.getByLabel("API key", { exact: true }).isVisible(),
      "only the chosen secret is asked for",
    );
    await page.getByLabel("Account").fill("some");
    await page.getByLabel("Password", { exact: true }).fill("some-secret");
    await check("the account");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("7 rights are missing.").waitFor();
    await check("missing rights");
    await page.getByRole("link", { name: "Use another account" }).click();
    await page.getByRole("radio", { name: "API key" }).check();
    await page.getByLabel("Account").fill("keeper");
    await page.getByLabel("API key", { exact: true }).last().fill(API_KEY);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("radio", { name: "tank/vms 4 TiB free", exact: true }).waitFor();
    await check("the places");
    await page.getByRole("radio", { name: "Another dataset" }).check();
    assert.ok(await page.getByLabel("Dataset", { exact: true }).isVisible());
    await page.getByRole("radio", { name: "tank/vms 4 TiB free", exact: true }).check();
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { name: "Your NAS is connected" }).waitFor();
    await check("the end");
    await page.getByRole("button", { name: "Open the dashboard" }).click();
    await page.getByRole("link", { name: "Open it now" }).waitFor();
    assert.ok(setup.opened());
  });
}

setupTest("set-up works with nothing but the keyboard", SCREENS[0], async (page, setup) => {
  await page.goto("/setup");
  await page.getByLabel("Address of your NAS").focus();
  await page.keyboard.type(setup.nas);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "They match" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("radio", { name: "API key" }).focus();
  await page.keyboard.press("Tab");
  await page.keyboard.type("keeper");
  await page.keyboard.press("Tab");
  await page.keyboard.type(API_KEY);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Finish" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Open the dashboard" }).waitFor();
  await expectAccessible(page, "the end");
});

async function expectNoOverflow(page: Page, where: string): Promise<void> {
  for (const width of [320, PHONE.viewport.width]) {
    await page.setViewportSize({ width, height: PHONE.viewport.height });
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assert.equal(overflow, 0, `${where} at ${width} px does not scroll sideways`);
  }
}
