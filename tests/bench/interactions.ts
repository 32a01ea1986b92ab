/**
 * (f) The list of 1,000 VMs in Chromium: how long after a key or a click the page shows its answer, as the browser
 * itself measures it (event timing, which interaction to next paint is made of).
 */
import { startBrowser } from "../support/browser/browser.ts";
import { startDashboard } from "../support/pages/dashboard.ts";
import type { Report } from "./report.ts";
import { percentile } from "./statistics.ts";

const VMS = 1_000;
const TYPED = "pihole12";
/** Rows whose box is ticked and whose menu is opened. */
const ROWS = [3, 40, 7, 25, 12, 31];

/** Keeps the longest event of each interaction; Chromium tells of those from 16 ms on. */
const WATCH = `
  globalThis.interactions = new Map();
  new PerformanceObserver((list) => {
    for (const { interactionId, duration } of list.getEntries()) {
      if (interactionId === 0) continue;
      interactions.set(interactionId, Math.max(interactions.get(interactionId) ?? 0, duration));
    }
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
`;

/** (f) Measures the interactions of the list; each kind has its own row. */
export async function benchInteractions(report: Report, quick: boolean): Promise<void> {
  report.title(`Interactions with the list of ${VMS} VMs: until the next paint (goal: p95 below 100 ms)`);
  report.head("interact", ["p50 ms", "p95 ms", "longest ms", "slower 16 ms"]);
  await using dashboard = await startDashboard({ simulator: { foreignVms: VMS } });
  for (const { live } = dashboard.manager.inventory; live.snapshot.vms === null;) await live.ready();
  const browser = await startBrowser();
  const page = await browser.newPage({ baseURL: dashboard.url, viewport: { width: 1280, height: 900 } });
  await page.addInitScript(WATCH);
  await page.goto("/");
  await page.waitForSelector('#connection[data-connection="live"]');
  const all: number[] = [];
  const kinds = {
    typing: async () => {
      await page.locator("#filter-q").click();
      await page.keyboard.type(TYPED, { delay: 200 });
      await page.waitForURL(new RegExp(`q=${TYPED}`));
      for (const _ of TYPED) await page.keyboard.press("Backspace", { delay: 120 });
      await page.waitForURL(/\/$/);
    },
    ticking: async () => {
      for (const row of ROWS) await page.locator("#vm-list input[name=id]").nth(row).click();
      await page.keyboard.press("Escape");
    },
    "opening a menu": async () => {
      for (const row of ROWS) {
        await page.locator("#vm-list [id^=more-]").nth(row).click();
        await page.locator("#vm-list details[open]").waitFor();
        await page.keyboard.press("Escape");
      }
    },
  };
  for (const [kind, act] of Object.entries(kinds)) {
    const times: number[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      await page.evaluate("interactions.clear()");
      await act();
      await page.waitForTimeout(500);
      times.push(...await page.evaluate<number[]>("[...interactions.values()]"));
    }
    all.push(...times);
    report.title(kind);
    report.row("interact", measure(times));
  }
  report.title("all of them");
  report.row("interact", measure(all));
  await browser.close();
}

function measure(times: readonly number[]): readonly number[] {
  return [percentile(times, 50), percentile(times, 95), percentile(times, 100), times.length];
}
