/**
 * Protects every page from text of any size, length and direction: at 200 % text and zoom, with names and errors as long
 * as they can be, and with Arabic and Hebrew among the words, nothing scrolls sideways, is covered, cut, or reordered.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import { startBrowser } from "../support/browser/browser.ts";
import { browser } from "../support/browser/pages.ts";
import { faultsOf } from "../support/browser/measure.ts";
import { PAGES, type Place } from "../support/browser/places.ts";
import { FORM, post } from "../support/pages/http.ts";
import { startDashboard, type TestDashboard } from "../support/pages/dashboard.ts";

/** The last character turns what follows it, unless it is isolated. */
const HEBREW = "שרת 12 (בדיקה) \u202E";
const ARABIC = "خادم 7 الاختبار";
const LONG = "x".repeat(10_000);
/** The longest name that TrueNAS takes for a VM, and a configuration for a type. */
const [LONGEST, LONGEST_TYPE] = ["n".repeat(150), "t".repeat(100)];
const LONGEST_PART = "p".repeat(64);

const CONFIG = `
storage:
  pool_path: tank/vms
  cdrom_path: /mnt/tank/iso/${"ש".repeat(40)}.iso
${LONGEST_TYPE}:
  count: 1
  memory: 2048
  cpu: 2
  description: ${"d".repeat(800)}
  disk: { root: 20, data: 50 }
  network: { ${LONGEST_PART}: br0, storage: br1 }
controlplane:
  count: 0
  memory: 2048
  cpu: 2
  disk: { root: 20 }
  network: { lan: br0 }
worker:
  count: 2
  memory: 2048
  cpu: 2
  description: ${ARABIC}
  disk: { root: 20 }
  network: { lan: br0 }
`;

const PLANTED = [HEBREW.trim(), ARABIC];

interface Screen {
  readonly name: string;
  readonly viewport: { readonly width: number; readonly height: number };
}

const LARGE = [{ name: "text at 200 %", viewport: { width: 1280, height: 900 } }] as const satisfies Screen[];
/** A desk zoomed to 200 %, and a phone. */
const SMALL = [
  { name: "a zoom of 200 %", viewport: { width: 640, height: 450 } },
  { name: "a phone", viewport: { width: 360, height: 780 } },
] as const satisfies Screen[];

/** Names and texts that only another program could have put there, an error of that kind, and what was left behind. */
async function poison({ simulator, manager, configuration }: TestDashboard): Promise<void> {
  const names = [LONGEST, HEBREW, ARABIC];
  for (const [index, vm] of [...simulator.store.vms.values()].entries()) {
    const name = names[index] ?? vm.config.name;
    const description = [LONG, ARABIC, HEBREW][index] ?? "";
    simulator.store.vms.set(vm.id, { ...vm, config: { ...vm.config, name, description } });
    for (const device of simulator.store.devices.values()) {
      if (device.vm !== vm.id) continue;
      if (device.attributes.dtype === "NIC") {
        device.attributes["nic_attach"] = index === 0 ? "b".repeat(60) : HEBREW;
      }
      if (device.attributes.dtype === "CDROM") {
        device.attributes["path"] = `/mnt/tank/iso/${index === 0 ? LONG : HEBREW}.iso`;
      }
    }
    await manager.inventory.live.refreshNow(vm.id);
  }
  const fault = (method: string, reason: string) =>
    simulator.addFault({ method, action: "fail", times: 1, error: { errno: 28, errname: "ENOSPC", reason } });
  for (const reason of [`[ENOSPC] ${LONG}`, `[ENOSPC] ${HEBREW}`]) {
    fault("vm.poweroff", reason);
    await manager.changes.act("poweroff", [
      { action: "poweroff", id: 1, name: LONGEST, state: "RUNNING", overcommit: false },
    ]).finished;
  }
  fault("vm.device.create", `[ENOSPC] ${ARABIC} ${LONG}`);
  const { configuration: parsed } = configuration();
  await manager.createVmType(parsed, "worker", 5910);
}

/** What a person can type, and the status that tells it right; the page is the answer. */
function typed(
  text: string,
): readonly (readonly [path: string, status: number, fields?: Readonly<Record<string, string>>])[] {
  const q = encodeURIComponent(text);
  return [
    [`/?q=${q}`, 200],
    [`/search?q=${q}`, 200],
    [`/operations/audit?q=${q}`, 200],
    [`/operations?state=${q}`, 200],
    [`/destroy?prefixes=${q}`, 200],
    [`/vms/act?action=start&id=${q}`, 200],
    [`/types/edit?name=${q}`, 404],
    [`/types/templates/${q}`, 404],
    [`/operations/${q}`, 404],
    ["/create/plan", 422, {
      ...FORM,
      "worker.count": text,
      "worker.disk.0.name": text,
      "storage.pool_path": text,
    }],
    ["/create/one/plan", 422, { name: text, memory: text, cpu: text }],
    ["/types/review", 422, { change: "type", name: text, memory: text, cpu: text, count: text }],
    ["/types/review", 422, { yaml: text }],
    ["/destroy", 409, { prefixes: text, phrase: text }],
    ["/vms/1/settings", 422, { name: text, description: text, memory: text, cpu: text }],
    ["/vms/1/disks", 422, { size: text }],
  ];
}

/** No page of their own: streams, files, and parts of pages. */
const NO_PAGE = /[*:]|events|static|healthz|readyz|metrics|favicon|download|tasks|\.(?:json|vv)$/;

/** Pages that the app has and the list of places does not: a new one is tested from its first day. */
async function others({ app, url }: TestDashboard): Promise<Place[]> {
  const known = new Set(PAGES.map(({ path }) => new URL(path, url).pathname));
  const found: Place[] = [];
  for (const { method, path } of app.routes) {
    if (method !== "GET" || NO_PAGE.test(path) || known.has(path)) continue;
    known.add(path);
    const response = await fetch(url + path, { redirect: "manual" });
    await response.body?.cancel();
    if (response.status === 200) found.push({ name: path, path });
  }
  return found;
}

function operationsOf({ manager }: TestDashboard): Place[] {
  return manager.operations.store.list().map(({ id }, index) => ({
    name: `operation ${index}`,
    path: `/operations/${id}`,
  }));
}

/** Every fault of a page in every look. */
type Look = (place: Place) => Promise<string[]>;

/** Twice as large text is the browser's own setting, to which pages adapt as they do to a narrow window. */
async function inEveryLook(dashboard: TestDashboard, test: (look: Look, pages: Page[]) => Promise<void>) {
  const large = await startBrowser({
    flags: ["--blink-settings=defaultFontSize=32,defaultFixedFontSize=26"],
  });
  const pages: Page[] = [];
  for (const from of [large, browser]) {
    const page = await from.newPage({ baseURL: dashboard.url, reducedMotion: "reduce" });
    page.setDefaultTimeout(10_000);
    pages.push(page);
  }
  const [big, usual] = pages;
  assert.ok(big && usual);
  const shown = [[big, LARGE], [usual, SMALL]] as const;
  const look = async ({ name, path, state }: Place) => {
    const found: string[] = [];
    for (const [page, screens] of shown) {
      await page.setViewportSize(screens[0].viewport);
      await page.goto(path);
      await state?.(page);
      for (const screen of screens) {
        await page.setViewportSize(screen.viewport);
        const faults = await faultsOf(page, PLANTED);
        found.push(...faults.map((fault) => `${name}, ${screen.name}: ${fault}`));
      }
    }
    return found;
  };
  try {
    await test(look, pages);
  } finally {
    for (const page of pages) await page.context().close();
    await large.close();
  }
}

function hostileTest(
  name: string,
  test: (dashboard: TestDashboard, look: Look, pages: Page[]) => Promise<void>,
) {
  // The browser lives longer than a test, and its socket with it: only here the sanitizers are off.
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, async () => {
    await using dashboard = await startDashboard({ config: CONFIG, simulator: { foreignVms: 5 } });
    await inEveryLook(dashboard, (look, pages) => test(dashboard, look, pages));
  });
}

hostileTest("every page holds text of any size, length and direction", async (dashboard, look) => {
  await poison(dashboard);
  const found: string[] = [];
  for (const place of [...PAGES, ...await others(dashboard), ...operationsOf(dashboard)]) {
    found.push(...await look(place));
  }
  assert.deepEqual(found, []);
});

hostileTest(
  "what is typed may have any length and direction, and is answered plainly",
  async (dashboard, look, pages) => {
    let answer = "";
    for (const page of pages) {
      await page.route("**/answered", (route) => route.fulfill({ contentType: "text/html", body: answer }));
    }
    const found: string[] = [];
    for (const text of [LONG, HEBREW.trim()]) {
      for (const [path, status, fields] of typed(text)) {
        const response = fields === undefined
          ? await fetch(dashboard.url + path)
          : await post(dashboard, path, fields);
        answer = await response.text();
        const name = `${text === LONG ? "long" : "turned"} ${path.slice(0, 24)}`;
        assert.equal(response.status, status, name);
        found.push(...await look({ name, path: "/answered" }));
      }
    }
    assert.deepEqual(found, []);
  },
);
