/** Every page of the program and how to make its states: for pictures, and for tests that apply to each. */
import type { Page } from "../packages/playwright.ts";

/** A page, and what makes its state. */
export interface Place {
  readonly name: string;
  readonly path: string;
  readonly state?: (page: Page) => Promise<unknown>;
}

/** A place whose picture shows the whole page, although something is done on it first. */
export interface Shot extends Place {
  readonly isWhole?: boolean;
}

const click = (selector: string) => (page: Page) => page.locator(selector).first().click();

/** VM 1 is running, VM 2 is another. */
export const PAGES: readonly Place[] = [
  { name: "vms", path: "/" },
  { name: "vms-none", path: "/?q=nothing-like-this" },
  {
    name: "vms-selected",
    path: "/",
    state: async (page) => {
      for (const n of [0, 1]) await page.locator("#vm-list input[name=id]").nth(n).check();
    },
  },
  { name: "menu", path: "/", state: click("#site-menu > summary") },
  {
    name: "palette",
    path: "/",
    state: async (page) => {
      await page.locator(".search-open").first().click();
      await page.locator("#palette-found .found-item").first().waitFor();
    },
  },
  { name: "keys", path: "/operations", state: (page) => page.keyboard.press("?") },
  { name: "search", path: "/search?q=web" },
  { name: "search-none", path: "/search?q=nothing-like-this" },
  { name: "create", path: "/create" },
  { name: "types", path: "/types" },
  { name: "types-new", path: "/types/new" },
  { name: "types-yaml", path: "/types/yaml" },
  { name: "vm", path: "/vms/1" },
  ...["disks", "network", "boot", "console", "history"].map((tab) => ({
    name: `vm-${tab}`,
    path: `/vms/1/${tab}`,
  })),
  { name: "vm-destroy", path: "/vms/2/destroy" },
  { name: "act", path: "/vms/act?action=start&id=2&id=1" },
  { name: "destroy", path: "/destroy?prefixes=web" },
  { name: "images", path: "/images" },
  { name: "images-new", path: "/images/new?from=talos" },
  { name: "images-upload", path: "/images/upload" },
  { name: "images-adopt", path: "/images/adopt" },
  { name: "operations", path: "/operations" },
  { name: "operations-none", path: "/operations?state=cancelled" },
  { name: "orphans", path: "/orphans" },
  { name: "audit", path: "/operations/audit" },
  { name: "audit-none", path: "/operations/audit?q=nothing-like-this" },
  { name: "connection", path: "/connection" },
  { name: "export", path: "/export" },
  { name: "not-found", path: "/nowhere" },
];
