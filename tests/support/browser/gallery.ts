/**
 * Makes a picture of every page and state, at five widths and in both themes: for looking. The NAS has the past of the
 * demo's story. It also names the pages that scroll sideways and the figures that a line's end parts from their unit, and ends with an
 * error when a state could not be shown.
 *
 * `deno task gallery [FOLDER] [PATTERN]`, where the pattern is a regular expression for the pictures' names, such as
 * `^vm-disks` or `768-dark`.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { BrowserContext, Page } from "../packages/playwright.ts";
import { print } from "../../../lib/command_line/process.ts";
import { STORY_VMS, tellStory } from "../../../lib/simulator/story.ts";
import { startDashboard, type TestDashboard } from "../pages/dashboard.ts";
import { startUnset } from "../program/first_run.ts";
import { startBrowser } from "./browser.ts";
import { EMPTY_PLACES, imagePlaces, withImages, withoutImages } from "./image_places.ts";
import { PAGES, type Place, type Shot } from "./places.ts";

const WIDTHS = [320, 390, 768, 1280, 1920] as const;
const THEMES = ["light", "dark"] as const;
const HEIGHT = 860;
/** Narrower ones are touched. */
const TOUCH_BELOW = 700;
/** So many readings of the NAS's load make a chart that can be read. */
const READINGS = 16;

/** Runs in the page: the figures whose unit is on the next line. */
const PARTED = `(() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (parentElement.closest("script, textarea, pre, .visually-hidden") !== null) continue;
    for (const match of data.matchAll(/\\d (?:[KMGTP]iB|B|ms|s|min|h|vCPUs?|%)(?![a-z])/g)) {
      const range = new Range();
      range.setStart(walker.currentNode, match.index);
      range.setEnd(walker.currentNode, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].filter(({ width }) => width > 0).map(({ top }) => Math.round(top)));
      if (lines.size > 1) found.push(data.trim().slice(0, 60) + " in " + parentElement.tagName + "." + parentElement.className);
    }
  }
  return found;
})()`;

const click = (selector: string) => (page: Page) => page.locator(selector).first().click();

const [folder = "gallery", pattern = ""] = Deno.args;
const only = new RegExp(pattern);
await Deno.mkdir(folder, { recursive: true });
const browser = await startBrowser();
const scrolling: string[] = [];
const parted: string[] = [];
const missing: string[] = [];
try {
  await withStory(async (dashboard) => {
    await shootAll(dashboard.url, [...PAGES, ...forms(dashboard), ...await operationsOf(dashboard.url)]);
    await whileCreating(dashboard, async (path) => {
      await shootAll(dashboard.url, [
        { name: "running-vms", path: "/" },
        { name: "running-operation", path },
        { name: "running-tasks", path: "/connection", state: click("#tasks > summary") },
        { name: "running-operations", path: "/operations" },
      ]);
    });
    await dashboard.simulator.stop();
    await shootAll(dashboard.url, [
      { name: "away-vms", path: "/" },
      { name: "away-vm", path: "/vms/1" },
      { name: "away-connection", path: "/connection" },
    ]);
  });
  await withoutImages((url) => shootAll(url, EMPTY_PLACES));
  await withImages(({ url, simulator }) => shootAll(url, imagePlaces(simulator)));
  await withSignIn((url) => shootAll(url, [{ name: "sign-in", path: "/" }]));
  await withSetUp((url) => shootAll(url, [{ name: "set-up", path: "/" }]));
} finally {
  await browser.close();
}
print(scrolling.length === 0 ? "No page scrolls sideways" : `Scrolls sideways:\n${scrolling.join("\n")}`);
if (parted.length > 0) print(`Figures parted from their unit:\n${parted.join("\n")}`);
if (missing.length > 0) {
  print(`Could not be shown:\n${missing.join("\n")}`);
  process.exitCode = 1;
}

/** Forms and menus that are not a page of their own. */
function forms({ simulator }: TestDashboard): readonly Shot[] {
  const ids = [...simulator.store.vms.values()].map(({ id }) => id);
  return [
    { name: "vms-menu", path: "/", state: click("tr[data-vm] details.menu > summary") },
    { name: "vms-more", path: "/", state: click(".page-head summary") },
    {
      name: "plan",
      path: "/create",
      state: async (page) => {
        await page.getByRole("button", { name: "Review the plan" }).first().click();
        await page.locator("[data-plan-vm]").first().waitFor();
      },
      isWhole: true,
    },
    { name: "create-one", path: "/create/one" },
    { name: "vm-settings", path: "/vms/2", state: click(".edit > summary"), isWhole: true },
    { name: "vm-clone", path: "/vms/2/clone" },
    { name: "vm-menu", path: "/vms/1", state: click("main details.menu > summary") },
    { name: "vm-created", path: `/vms/${Math.max(...ids)}` },
    { name: "types-edit", path: "/types/edit?name=worker" },
    { name: "types-remove", path: "/types/remove?name=worker" },
    { name: "types-versions", path: "/types/versions" },
    { name: "templates", path: "/types/templates" },
    { name: "template", path: "/types/templates/vm" },
  ];
}

/** Every place at every width and in both themes. */
async function shootAll(baseURL: string, shots: readonly Shot[]): Promise<void> {
  for (const width of WIDTHS) {
    for (const colorScheme of THEMES) {
      const wanted = shots.filter(({ name }) => only.test(`${name}-${width}-${colorScheme}`));
      if (wanted.length === 0) continue;
      const viewport = { width, height: HEIGHT };
      const options = { baseURL, viewport, colorScheme, hasTouch: width < TOUCH_BELOW };
      const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
      for (const shot of wanted) {
        const name = `${shot.name}-${width}-${colorScheme}`;
        await shoot(context, shot, name).catch((error) =>
          missing.push(`${name}: ${String(error).split("\n")[0]}`)
        );
      }
      await context.close();
    }
  }
}

/** A page of its own for each, so that none has what the one before left. */
async function shoot(context: BrowserContext, { path, state, isWhole }: Shot, name: string): Promise<void> {
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  try {
    await page.goto(path, { waitUntil: "load" });
    await state?.(page);
    await page.evaluate("document.fonts.ready");
    const over = await page.evaluate<number>(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    if (over > 0) scrolling.push(`${name}: ${over} px`);
    for (const figure of await page.evaluate<string[]>(PARTED)) parted.push(`${name}: ${figure}`);
    if (state === undefined || isWhole) await makeRoom(page);
    await page.screenshot({ path: `${folder}/${name}.png` });
  } finally {
    await page.close();
  }
}

/** A window as high as the page: a picture of more than the window has bars in its middle, and no fingers. */
async function makeRoom(page: Page): Promise<void> {
  await page.evaluate("document.querySelector('main').style.minBlockSize = '0'");
  const height = await page.evaluate<number>("document.documentElement.scrollHeight");
  const width = page.viewportSize()?.width;
  if (width !== undefined) await page.setViewportSize({ width, height: Math.max(height, HEIGHT) });
}

/** A NAS under load, with a creation that failed in part and one that waits for a decision. */
async function withStory(look: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  const config = readFileSync(new URL("../../../config.yaml", import.meta.url), "utf8");
  await using dashboard = await startDashboard({
    config,
    simulator: { version: "27.0", foreignVms: STORY_VMS, screens: true },
    past: tellStory,
    manager: { waitMs: 3_600_000 },
  });
  // The list is open all the time, so the charts have a past in every picture.
  const page = await browser.newPage({ baseURL: dashboard.url });
  await page.goto("/");
  const charted = 'document.querySelector("#host-load .line").getAttribute("d").split("L").length';
  while (pattern === "" && await page.evaluate<number>(charted) < READINGS) await page.waitForTimeout(1_000);
  await look(dashboard);
}

/** Creates what the example configuration asks for. One VM fails, and the last is held as long as it is looked at. */
async function whileCreating(
  { url, simulator }: TestDashboard,
  look: (path: string) => Promise<void>,
): Promise<void> {
  const held = Promise.withResolvers<void>();
  simulator.addFault({
    method: "vm.device.create",
    matches: (params) => JSON.stringify(params).includes("worker03-disk1"),
    action: "hold",
    until: held.promise,
  });
  const page = await browser.newPage({ baseURL: url });
  try {
    await page.goto("/create");
    await page.getByRole("button", { name: "Review the plan" }).first().click();
    await page.getByRole("button", { name: /^Create \d/ }).first().click();
    await page.waitForSelector("#operation");
    const { pathname } = new URL(page.url());
    await page.waitForSelector('[data-vm="worker02"][data-status="rolled-back"]');
    await look(pathname);
    // A call that was held for three minutes is given up, so a very slow machine saw the end and not the middle.
    const isRunning = await page.locator("#operation[data-status=running]").count() === 1;
    if (!isRunning) missing.push("running-*: the creation ended before every picture was made");
  } finally {
    held.resolve();
    await page.waitForSelector("#operation:not([data-status=running])");
    await page.close();
  }
}

async function withSignIn(look: (url: string) => Promise<void>): Promise<void> {
  await using dashboard = await startDashboard({ access: { password: "of-the-dashboard" } });
  await look(dashboard.url);
}

async function withSetUp(look: (url: string) => Promise<void>): Promise<void> {
  const empty = await Deno.makeTempDir();
  const { url, stop } = await startUnset(empty);
  await look(url).finally(stop);
  await Deno.remove(empty, { recursive: true });
}

async function operationsOf(url: string): Promise<readonly Place[]> {
  const response = await fetch(`${url}/operations`, { headers: { accept: "application/json" } });
  const { operations }: { operations: readonly { id: string; status: string }[] } = await response.json();
  return operations.map(({ id, status }) => ({ name: `operation-${status}`, path: `/operations/${id}` }));
}
