/**
 * Protects that pages show the truth: a page notices when the dashboard stops answering, leads to the sign-in and back
 * with the entries kept, stays usable in many tabs over plain HTTP, and shows times in the reader's time zone. In
 * Chromium, against processes that are stopped and frozen.
 */
import assert from "node:assert/strict";
import type { BrowserContext, Page } from "../support/packages/playwright.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { startDashboard, TEST_CONFIG, TEST_TIMES, type TestDashboard } from "../support/pages/dashboard.ts";
import { browser, createWorkers, finished } from "../support/browser/pages.ts";
import { type Program, startProgram, withFolder } from "../support/program/program.ts";
import { startTcpProxy } from "../support/network/tcp_proxy.ts";

/** A page says within this that it is not up to date. */
const NOTICED_MS = 30_000;

/** A test of this file; the browser lives longer than it, so the sanitizers are off. */
function liveTest(name: string, test: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, test);
}

async function inBrowser(
  options: Parameters<typeof browser.newContext>[0],
  test: (context: BrowserContext) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options);
  try {
    await test(context);
  } finally {
    await context.close();
  }
}

function connectionOf(page: Page) {
  return page.locator("#connection").getAttribute("data-connection");
}

async function expectNotUpToDate(page: Page): Promise<void> {
  const since = performance.now();
  await page.locator("#stale").waitFor({ timeout: NOTICED_MS });
  assert.ok(performance.now() - since < NOTICED_MS);
  assert.match(await page.locator("#connection").innerText(), /Out of date/);
  assert.equal(await connectionOf(page), "offline");
}

async function withProgram(
  test: (program: Program, page: Page, stop: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 2 });
  await withFolder(TEST_CONFIG, async (folder) => {
    const program = await startProgram(simulator, folder);
    let isStopped = false;
    const stop = async () => {
      isStopped = true;
      await program.stop("SIGTERM");
    };
    try {
      await inBrowser({ baseURL: program.url }, async (context) => {
        const page = await context.newPage();
        await page.goto("/");
        await page.waitForSelector('[data-connection="live"]');
        await test(program, page, stop);
      });
    } finally {
      if (!isStopped) await program.kill();
    }
  });
}

liveTest(
  "a page says that it is out of date when the dashboard freezes, and recovers (fault 31)",
  () =>
    withProgram(async (program, page) => {
      Deno.kill(program.pid, "SIGSTOP");
      try {
        await expectNotUpToDate(page);
      } finally {
        Deno.kill(program.pid, "SIGCONT");
      }
      await page.locator("#stale").waitFor({ state: "hidden", timeout: NOTICED_MS });
      assert.equal(await connectionOf(page), "live");
      assert.match(await page.locator("#connection").innerText(), /Connected/);
    }),
);

liveTest(
  "a page says that it is out of date when the dashboard stops (fault 31)",
  () =>
    withProgram(async (_program, page, stop) => {
      await stop();
      await expectNotUpToDate(page);
    }),
);

liveTest("a page says that it is out of date when a proxy in front stalls (fault 31)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 2 } });
  await using proxy = startTcpProxy(Number(new URL(dashboard.url).port));
  await inBrowser({ baseURL: `http://127.0.0.1:${proxy.port}` }, async (context) => {
    const page = await context.newPage();
    await page.goto("/");
    await page.waitForSelector('[data-connection="live"]');
    proxy.stall();
    await expectNotUpToDate(page);
  });
});

/** Signs in on a page that asks for it. */
async function signIn(page: Page): Promise<void> {
  await page.getByLabel("Dashboard password").fill("admin-secret");
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** A dashboard with a password, on a page of its own, and somebody who signs out elsewhere. */
async function withSignedIn(
  at: string,
  test: (page: Page, endSession: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await using dashboard = await startDashboard({ access: { password: "admin-secret" } });
  await using proxy = startTcpProxy(Number(new URL(dashboard.url).port));
  await inBrowser({ baseURL: `http://127.0.0.1:${proxy.port}` }, async (context) => {
    const page = await context.newPage();
    await page.goto(at);
    await signIn(page);
    await page.waitForURL(`**${at}`);
    const endSession = async () => {
      await context.clearCookies();
      proxy.cut();
    };
    await test(page, endSession);
  });
}

liveTest(
  "an ended session leads to the sign-in, and back to the page with the entries kept (fault 31)",
  () =>
    withSignedIn("/create?from=test", async (page, endSession) => {
      const count = page.getByRole("region", { name: "worker", exact: true }).getByLabel("How many");
      await count.fill("7");
      await endSession();
      // The stream and the totals beside the form both lead there; the later one replaces the earlier.
      await page.getByLabel("Dashboard password").waitFor({ timeout: NOTICED_MS });
      assert.match(page.url(), /\/login\?to=%2Fcreate%3Ffrom%3Dtest$/);
      await signIn(page);
      await page.waitForURL("**/create?from=test");
      assert.equal(await count.inputValue(), "7");
      assert.ok(await page.locator("#typed").isVisible(), "it says so");
    }),
);

liveTest(
  "a form sent without a session is filled in again after the sign-in (fault 31)",
  () =>
    withSignedIn("/create", async (page) => {
      const count = page.getByRole("region", { name: "worker", exact: true }).getByLabel("How many");
      await count.fill("5");
      await page.context().clearCookies();
      await page.getByRole("button", { name: "Review the plan" }).click();
      // The totals beside the form are asked for as well; whichever answer comes first leads to the sign-in.
      await page.getByLabel("Dashboard password").waitFor();
      await signIn(page);
      await page.waitForURL("**/create");
      assert.equal(await count.inputValue(), "5");
      await page.goto("/create");
      assert.notEqual(await count.inputValue(), "5", "it comes back once");
    }),
);

/** Tabs that a browser has open at once, more than it opens connections to a host. */
const TABS = 9;

function changeMemory({ simulator, manager }: TestDashboard, memory: number): void {
  const [vm] = simulator.store.vms.values();
  assert.ok(vm);
  simulator.store.vms.set(vm.id, { ...vm, config: { ...vm.config, memory } });
  manager.inventory.live.refresh(vm.id);
}

liveTest("nine tabs over plain HTTP all open and stay up to date (fault 32)", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 2 },
    access: { allowedHosts: ["dash.lan"] },
  });
  // Not a secure context, as on a LAN.
  const url = dashboard.url.replace("127.0.0.1", "dash.lan");
  await inBrowser({ baseURL: url }, async (context) => {
    const pages: Page[] = [];
    for (let n = 0; n < TABS; n++) {
      const page = await context.newPage();
      await page.goto("/", { timeout: 5_000 });
      pages.push(page);
    }
    assert.equal(await pages[0]?.evaluate("isSecureContext"), false, "the premise");
    changeMemory(dashboard, 12_345);
    await Promise.all(
      pages.map((page) => page.locator("td.c-mem", { hasText: "12.1 GiB" }).waitFor({ timeout: NOTICED_MS })),
    );
    for (const page of pages) assert.ok(!await page.locator("#stale").isVisible(), "none is out of date");
    const metrics = await (await fetch(`${dashboard.url}/metrics`)).text();
    const streams = Number(/^truenas_vm_manager_streams (\d+)$/m.exec(metrics)?.[1]);
    assert.ok(streams >= 1 && streams <= 5, `${streams} streams`);
    // A page opened while all are open loads at once.
    await pages[0]?.goto("/operations", { timeout: 5_000 });
  });
});

liveTest("a tab opened in the background has no stream until it is visible (fault 32)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 2 } });
  await inBrowser({ baseURL: dashboard.url }, async (context) => {
    const [seen, hidden] = [await context.newPage(), await context.newPage()];
    await hidden.addInitScript("Object.defineProperty(document, 'hidden', { get: () => !window.isSeen })");
    const asked: string[] = [];
    hidden.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await hidden.goto("/");
    // Another tab opens, is live and shows a change meanwhile.
    await seen.goto("/");
    changeMemory(dashboard, 12_345);
    await seen.locator("td.c-mem", { hasText: "12.1 GiB" }).waitFor();
    assert.ok(!asked.includes("/events"), asked.join(" "));
    await hidden.evaluate("window.isSeen = true; document.dispatchEvent(new Event('visibilitychange'))");
    await hidden.locator("td.c-mem", { hasText: "12.1 GiB" }).waitFor();
    assert.ok(asked.includes("/events"));
  });
});

liveTest(
  "times are shown in the reader's time zone with its name, and in UTC without JavaScript (fault 34)",
  async () => {
    await using dashboard = await startDashboard();
    await inBrowser({ baseURL: dashboard.url, timezoneId: "Asia/Kolkata" }, async (context) => {
      const page = await context.newPage();
      await createWorkers(page, 2);
      await finished(page, "done");
      const own = /^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d GMT\+5:30$/;
      const log = await page.locator("#operation-log time").allInnerTexts();
      assert.ok(log.length > 3, "lines came while the page was open");
      for (const text of [...log, await page.locator("time[data-shows=date]").first().innerText()]) {
        assert.match(text, own);
      }
      const { started, shown } = await page.evaluate(
        "({ started: document.querySelector('time[data-shows=date]').dateTime, shown: document.querySelector('time[data-shows=date]').textContent })",
      ) as { started: string; shown: string };
      const here = new Date(Date.parse(started) + 5.5 * 3_600_000).toISOString();
      assert.equal(shown, `${here.slice(0, 10)} ${here.slice(11, 19)} GMT+5:30`);
      await page.goto("/operations");
      assert.match(await page.locator("td time").first().innerText(), own);
    });
    await inBrowser(
      { baseURL: dashboard.url, timezoneId: "Asia/Kolkata", javaScriptEnabled: false },
      async (context) => {
        const page = await context.newPage();
        await page.goto("/operations");
        assert.match(
          await page.locator("td time").first().innerText(),
          /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/,
        );
      },
    );
  },
);

const CONDITION_MS = 20_000;

/** Waits for a condition of the page, evaluated from outside, because the page's policy forbids evaluating text in it. */
async function untilTrue(page: Page, expression: string): Promise<void> {
  const late = AbortSignal.timeout(CONDITION_MS);
  while (await page.evaluate(expression) !== true) {
    late.throwIfAborted();
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(resolve))");
  }
}

liveTest(
  "the log of a running operation scrolls to its end, unless the reader has scrolled up (fault 36)",
  async () => {
    const times = { callMs: 40, zvolMs: 100, startMs: 60 };
    await using dashboard = await startDashboard({ simulator: { times } });
    await inBrowser({ baseURL: dashboard.url, viewport: { width: 1280, height: 700 } }, async (context) => {
      const page = await context.newPage();
      await createWorkers(page, 12);
      const left = "(() => { const log = document.getElementById('operation-log');" +
        "return log.scrollHeight - log.scrollTop - log.clientHeight; })()";
      const isLong = "document.getElementById('operation-log').scrollHeight > 500";
      await untilTrue(page, isLong);
      // The log is scrolled in the frame after the one in which a line is added.
      await untilTrue(page, `${left} < 40`);
      await page.evaluate("document.getElementById('operation-log').scrollTop = 0");
      await finished(page, "done");
      assert.equal(
        await page.evaluate("document.getElementById('operation-log').scrollTop"),
        0,
        "the reader stays",
      );
    });
  },
);

liveTest("a node that answers, and one that stops answering, show without a reload", async () => {
  const config = TEST_CONFIG.replace("worker:\n  count: 3", "worker:\n  ready: agent\n  count: 1");
  const options = { config, simulator: { version: "27.0" }, manager: { checkMs: 20 } } as const;
  await using dashboard = await startDashboard(options);
  const { manager, simulator } = dashboard;
  const agents = (agent: boolean) => {
    for (const vm of simulator.store.vms.values()) vm.agent = agent;
  };
  await inBrowser({ baseURL: dashboard.url }, async (context) => {
    const [list, operation] = [await context.newPage(), await context.newPage()];
    await list.goto("/");
    const { configuration } = dashboard.configuration();
    const creation = manager.create({ configuration, types: [{ type: "worker", startPort: 5920 }] });
    await list.locator('[data-vm="worker01"]', { hasText: "First boot" }).waitFor();
    await operation.goto(`/operations/${manager.operations.store.list()[0]?.id}`);
    await operation.locator(".chain", { hasText: "until its guest agent answers" }).waitFor();
    agents(true);
    await creation;
    await list.locator('[data-vm="worker01"] [data-ready="ready"]').waitFor();
    await list.locator('[data-group="worker"]', { hasText: "All 1 ready" }).waitFor();
    await operation.locator(".chain", { hasText: /answered, 192\.168\.1\.\d+/ }).waitFor();
    await operation.locator("#operation-summary", { hasText: "1 of 1 VM ready" }).waitFor();
    agents(false);
    await manager.readiness.check();
    await list.locator('[data-vm="worker01"] [data-ready="lost"]').waitFor();
    await list.locator('[data-group="worker"]', { hasText: "0 of 1 ready" }).waitFor();
  });
});
