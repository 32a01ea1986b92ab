/** Pages in Chromium: a test with its own dashboard, and checks that apply to every page. */
import assert from "node:assert/strict";
import { AXE } from "../packages/axe.ts";
import type { Browser, Page } from "../packages/playwright.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { startBrowser } from "./browser.ts";
import { type DashboardOptions, startDashboard, type TestDashboard } from "../pages/dashboard.ts";

/** A desk and a phone. */
export const WIDTHS = [{ width: 1280, height: 900 }, { width: 360, height: 780 }] as const;
/** The narrowest that is cared for: a zoom of 400 % on a desk. */
const NARROWEST = { width: 320, height: 780 } as const;

/** How a page is looked at. */
export interface Screen {
  readonly viewport: { readonly width: number; readonly height: number };
  readonly colorScheme: "light" | "dark";
  /** Fingers in place of a mouse; default false. */
  readonly hasTouch?: boolean;
}

/** A desk by day, a phone by night. */
export const SCREENS = [
  { viewport: WIDTHS[0], colorScheme: "light" },
  { viewport: WIDTHS[1], colorScheme: "dark" },
] as const satisfies readonly Screen[];

/** Each flow on a desk by day and on a phone by night, and on the oldest and the newest release that matters most. */
export const PLACES = [
  { version: "25.10", screen: SCREENS[0] },
  { version: "27.0", screen: SCREENS[1] },
] as const satisfies readonly { version: SimulatedVersion; screen: Screen }[];

/** Slow enough that a page can be watched while it moves. */
export const WATCHABLE = {
  callMs: 30,
  zvolMs: 80,
  startMs: 60,
  shutdownMs: 10,
  deleteRunningMs: 20,
} as const;

/** One browser for all tests of a file. */
export const browser: Browser = await startBrowser();
addEventListener("unload", () => void browser.close());

/** A page and the dashboard that it shows. */
export interface Session {
  readonly page: Page;
  readonly dashboard: TestDashboard;
  /** What the browser complained of. */
  readonly complaints: string[];
}

/** A test in a page of its own. */
export function browserTest(
  name: string,
  options: DashboardOptions,
  test: (session: Session) => Promise<void>,
  { ignore, screen = SCREENS[0] }: { readonly ignore?: RegExp; readonly screen?: Screen } = {},
): void {
  // The browser lives longer than a test, and its socket with it: only here the sanitizers are off.
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, async () => {
    await using dashboard = await startDashboard({
      ...options,
      simulator: { times: WATCHABLE, foreignVms: 5, ...options.simulator },
    });
    const context = await browser.newContext({ ...screen, baseURL: dashboard.url });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    try {
      await test({ page, dashboard, complaints });
      assert.deepEqual(complaints.filter((text) => !ignore?.test(text)), []);
    } finally {
      await context.close();
    }
  });
}

/** No accessibility violation on the page as it is. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  // Playwright's evaluate is not bound by the page's policy, so axe can be put there without loosening it.
  await page.evaluate(AXE);
  const found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })") as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  const violations = found.violations.map(({ id, nodes }) =>
    `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`
  );
  assert.deepEqual(violations, [], where);
}

/** Every width, light and dark. */
export async function expectAccessibleEverywhere(page: Page, where: string): Promise<void> {
  const before = page.viewportSize();
  for (const viewport of WIDTHS) {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await expectAccessible(page, `${where} at ${viewport.width} px, ${colorScheme}`);
    }
  }
  for (const viewport of [...WIDTHS, NARROWEST]) {
    await page.setViewportSize(viewport);
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assert.equal(overflow, 0, `${where} at ${viewport.width} px does not scroll sideways`);
  }
  if (before !== null) await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
}

/** Fills in the form and creates workers. */
export async function createWorkers(page: Page, count: number): Promise<void> {
  await page.goto("/create");
  await page.getByRole("region", { name: "controlplane", exact: true }).getByLabel("How many").fill("0");
  await page.getByRole("region", { name: "worker", exact: true }).getByLabel("How many").fill(String(count));
  await page.getByRole("button", { name: "Review the plan" }).click();
  await page.getByRole("button", { name: `Create ${count} VMs` }).click();
  await page.waitForSelector("#operation");
}

/** Waits for the end of the operation that the page shows. */
export function finished(page: Page, status: string) {
  return page.waitForSelector(`#operation[data-status="${status}"]`, { timeout: 20_000 });
}

/** A VM's row in the list. */
export function row(page: Page, name: string) {
  return page.locator(`tr[data-vm="${name}"]`);
}

/** Opens the menu of a VM, in its row or on its page. */
export function openMenu(page: Page, name: string) {
  return page.locator(`summary[aria-label="More for ${name}"]`).click();
}

/** A value of each element of a selector. */
export function evaluateAll(page: Page, selector: string, expression: string): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll('${selector}')].map((node) => ${expression})`);
}

/** The status of each step that the page shows. */
export function stepStatuses(page: Page): Promise<string[]> {
  return evaluateAll(page, "#operation [data-step]", "node.dataset.status");
}
