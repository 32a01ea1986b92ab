/** A headless Chromium for tests and screenshots. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "../packages/playwright.ts";

/** Where Debian and others put it. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** No network of its own, no sandbox (tests run as root in CI), nothing that a first start does. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A name that is no secure context, as dashboards on a LAN have.
  "--host-resolver-rules=MAP dash.lan 127.0.0.1",
];

/** Where it is. */
export function chromiumPath(): string {
  const path = PLACES.find((place) => existsSync(place));
  if (path !== undefined) return path;
  throw new Error(`There is no Chromium in ${PLACES.join(", ")}; install it: apt-get install chromium`);
}

/** Starts it, or what is given instead, with further flags. */
export function startBrowser(
  { executablePath = chromiumPath(), flags = [] }: {
    readonly executablePath?: string;
    readonly flags?: readonly string[];
  } = {},
): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags] });
}
