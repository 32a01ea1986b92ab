/**
 * Makes a picture of every page and state, at five widths and in both themes, from the demo's story: for looking. It
 * also names the pages that scroll sideways.
 *
 * `deno task gallery [FOLDER] [PART OF A NAME]`
 */
import type { Browser, Page } from "playwright-core";
import { print } from "../../../lib/command_line/process.ts";
import { startBrowser } from "./browser.ts";
import { PAGES, type Place } from "./places.ts";

const WIDTHS = [320, 390, 768, 1280, 1920] as const;
const THEMES = ["light", "dark"] as const;
const HEIGHT = 860;
/** Narrower ones are touched. */
const TOUCH_BELOW = 700;

const click = (selector: string) => (page: Page) => page.locator(selector).first().click();

const [folder = "gallery", only = ""] = Deno.args;
await Deno.mkdir(folder, { recursive: true });
const { url, stop } = await startStory();
const browser = await startBrowser();
const found: string[] = [];
try {
  const operations = await operationsOf(url);
  const known = operations.map(({ id, status }) => ({
    name: `operation-${status}`,
    path: `/operations/${id}`,
  }));
  await shootAll([...PAGES, ...known]);
  const running = await startCreation(browser, url);
  await shootAll([
    { name: "running-vms", path: "/" },
    { name: "running-operation", path: running },
    { name: "running-tasks", path: "/connection", state: click("#tasks > summary") },
    { name: "running-operations", path: "/operations" },
  ]);
} finally {
  await browser.close();
  await stop();
}
print(found.length === 0 ? "No page scrolls sideways" : `Scrolls sideways:\n${found.join("\n")}`);

async function shootAll(shots: readonly Place[]): Promise<void> {
  const wanted = shots.filter(({ name }) => name.includes(only));
  for (const width of WIDTHS) {
    for (const colorScheme of THEMES) {
      const viewport = { width, height: HEIGHT };
      const options = { baseURL: url, viewport, colorScheme, hasTouch: width < TOUCH_BELOW };
      const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
      const page = await context.newPage();
      for (const shot of wanted) {
        await shoot(page, shot, `${shot.name}-${width}-${colorScheme}`).catch((error) =>
          found.push(`${shot.name} at ${width} px could not be shown: ${String(error).split("\n")[0]}`)
        );
      }
      await context.close();
    }
  }
}

async function shoot(page: Page, { path, state }: Place, name: string): Promise<void> {
  page.setDefaultTimeout(10_000);
  await page.goto(path, { waitUntil: "load" });
  await state?.(page);
  await page.evaluate("document.fonts.ready");
  const over = await page.evaluate<number>(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  if (over > 0) found.push(`${name}: ${over} px`);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: state === undefined });
}

/** Creates what the example configuration asks for; the story lets one VM of it fail. */
async function startCreation(browser: Browser, baseURL: string): Promise<string> {
  const page = await browser.newPage({ baseURL });
  await page.goto("/create");
  await page.getByRole("button", { name: "Review the plan" }).first().click();
  await page.getByRole("button", { name: /^Create \d+ VMs?/ }).first().click();
  await page.waitForSelector("#operation");
  const { pathname } = new URL(page.url());
  await page.close();
  return pathname;
}

async function operationsOf(
  url: string,
): Promise<readonly { readonly id: string; readonly status: string }[]> {
  const response = await fetch(`${url}/operations`, { headers: { accept: "application/json" } });
  return (await response.json()).operations;
}

async function startStory() {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-all", "main.ts", "demo", "--story"],
    env: { PORT: "0", LOG_LEVEL: "ERROR" },
    stdout: "piped",
  }).spawn();
  const [read, rest] = child.stdout.tee();
  let said = "";
  let url: string | undefined;
  for await (const text of read.pipeThrough(new TextDecoderStream())) {
    said += text;
    url = /http:\/\/[^/\s]+/.exec(said)?.[0];
    if (url !== undefined) break;
  }
  if (url === undefined) throw new Error(`The demo did not start: ${said}`);
  const drained = rest.pipeTo(new WritableStream()).catch(() => {});
  const stop = async () => {
    child.kill("SIGTERM");
    await child.status;
    await drained;
  };
  return { url, stop };
}
