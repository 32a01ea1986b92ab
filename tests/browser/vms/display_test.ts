/**
 * Protects the graphical console as people use it, in a real Chromium against VMs of a real QEMU, with SPICE and VNC:
 * the guest's screen is seen, what is typed and pasted reaches the guest, the keyboard finds its way out again, and
 * whatever is wrong is said in words with something to do. On a desk and on a phone, light and dark.
 */
import assert from "node:assert/strict";
import type { Page } from "../../support/packages/playwright.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import { soon } from "../../support/deadline.ts";
import { browser, browserTest, expectAccessibleEverywhere, SCREENS } from "../../support/browser/pages.ts";
import { freeDisplayPort } from "../../support/network/display.ts";
import { type DisplayProtocol, type Qemu, QEMU_PASSWORD, startQemu } from "../../support/network/qemu.ts";

const PLACES = [
  { protocol: "SPICE", screen: SCREENS[0] },
  { protocol: "VNC", screen: SCREENS[1] },
] as const satisfies readonly { protocol: DisplayProtocol; screen: unknown }[];

/** Makes a VM of the simulated NAS have this display; its id. */
async function show(
  { simulator, manager }: TestDashboard,
  attributes: Record<string, unknown>,
): Promise<number> {
  const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === "homeassistant");
  const display = [...simulator.store.devices.values()].find((it) =>
    it.vm === vm?.id && it.attributes.dtype === "DISPLAY"
  );
  assert.ok(vm !== undefined && display !== undefined, "the premise: a VM with a display runs");
  Object.assign(display.attributes, attributes);
  await manager.inventory.live.refreshNow(vm.id);
  return vm.id;
}

async function connected(page: Page): Promise<void> {
  await page.waitForSelector('#screen[data-state="connected"]');
}

async function said(page: Page, words: RegExp): Promise<void> {
  await page.locator("#screen-status", { hasText: words }).waitFor();
}

/** Waits until something is to be seen. */
function seen(page: Page): Promise<void> {
  return until(
    page,
    `(() => {
      const canvas = document.querySelector("#screen canvas");
      if (!canvas?.width) return false;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, index) => index % 4 !== 3 && value > 64);
    })()`,
  );
}

/** Waits for a condition of the page, asked from outside: its policy allows no text to become code. */
async function until(page: Page, expression: string): Promise<void> {
  const waiting = async () => {
    while (!await page.evaluate(expression)) await page.evaluate("new Promise(requestAnimationFrame)");
  };
  await soon(waiting(), expression);
}

/** Waits for what the guest shows in its first line. */
async function guestShows(page: Page, qemu: Qemu, line: string): Promise<void> {
  let shown = "";
  const waiting = async () => {
    while ((shown = await qemu.firstLine()) !== line) {
      await page.evaluate("new Promise(requestAnimationFrame)");
    }
  };
  await soon(waiting(), `the guest shows ${line}`).catch((error) =>
    assert.fail(`${error.message}; it shows ${shown}`)
  );
}

for (const { protocol, screen } of PLACES) {
  browserTest(
    `a ${protocol} screen of a real QEMU is seen, typed into, left by keyboard and pasted into`,
    {},
    async ({ page, dashboard }) => {
      await using qemu = await startQemu(protocol);
      const id = await show(dashboard, {
        type: protocol,
        port: qemu.port,
        bind: "0.0.0.0",
        password: QEMU_PASSWORD,
      });
      await page.goto(`/vms/${id}`);
      await page.locator("#action-console").click();
      await connected(page);
      await seen(page);
      await guestShows(page, qemu, ">");
      assert.ok(!(await page.content()).includes(QEMU_PASSWORD), "the password is not in the page");
      assert.deepEqual(
        dashboard.manager.audit.list().map(({ what, outcome }) => [what, outcome]),
        [["Open the screen", "begun, display password read"]],
        "one line of the audit log",
      );

      await page.locator("#screen").focus();
      await page.keyboard.press("Enter");
      await page.keyboard.press("Shift+KeyT");
      await page.keyboard.type("ab/", { delay: 30 });
      await page.keyboard.press("Shift+Slash");
      await guestShows(page, qemu, ">Tab/?");
      assert.ok(!await page.locator("#keys").isVisible(), "the page's own keys are silent");
      await page.keyboard.down("ControlLeft");
      await page.keyboard.down("AltLeft");
      await page.keyboard.up("AltLeft");
      await page.keyboard.up("ControlLeft");
      assert.equal(
        await page.evaluate("document.activeElement.textContent"),
        "Full screen",
        "the focus is outside",
      );
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate("document.activeElement.textContent"), "Ctrl+Alt+Del");

      await page.getByText("Paste as keys").click();
      const text = page.getByLabel("Text to type");
      await text.fill("grün");
      await page.getByRole("button", { name: "Type the text" }).click();
      await page.locator("#screen-paste-error", { hasText: "A US keyboard cannot type: ü" }).waitFor();
      assert.equal(await text.inputValue(), "grün", "what was entered is kept");
      await text.fill('A_z ("9")!');
      await page.getByRole("button", { name: "Type the text" }).click();
      await page.locator("#screen-paste-status", { hasText: "Typed 10 characters" }).waitFor();
      await guestShows(page, qemu, '>Tab/?A_z ("9")!');
      await expectAccessibleEverywhere(page, `a ${protocol} screen`);

      // The machine counts its start as one.
      const reset = qemu.resets(1);
      await page.getByRole("button", { name: "Ctrl+Alt+Del" }).click();
      await reset;
      await guestShows(page, qemu, ">");
      const box = await page.locator("#screen canvas").boundingBox();
      assert.ok(
        box !== null && box.width > 200 && box.x >= 0 && box.x + box.width <= screen.viewport.width,
        `it fits: ${JSON.stringify(box)}`,
      );
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
      await page.keyboard.type("x", { delay: 30 });
      await guestShows(page, qemu, ">x");
    },
    { screen },
  );

  browserTest(
    `what is wrong with a ${protocol} screen is said in words, with something to do`,
    {},
    async ({ page, dashboard }) => {
      const qemu = await startQemu(protocol);
      const id = await show(dashboard, {
        type: protocol,
        port: qemu.port,
        bind: "0.0.0.0",
        password: "another",
      });
      await page.goto(`/vms/${id}/console`);
      await said(page, /The display did not accept the password/);
      await page.getByLabel("Display password", { exact: true }).fill("wrong");
      await page.keyboard.press("Enter");
      await said(page, /Connecting/);
      await said(page, /The display did not accept the password/);
      await expectAccessibleEverywhere(page, "a screen that asks for its password");
      await page.getByLabel("Display password", { exact: true }).fill(QEMU_PASSWORD);
      await page.getByRole("button", { name: "Connect", exact: true }).click();
      await connected(page);
      await seen(page);

      await qemu.stop();
      await said(page, /The screen was closed at the NAS/);
      await page.getByRole("button", { name: "Reconnect" }).click();
      await said(page, /Nothing listens on port \d+ of 127\.0\.0\.1/);
      await show(dashboard, { password: "********" });
      await page.getByRole("button", { name: "Reconnect" }).click();
      await said(page, /The NAS does not show the display password/);
      const vm = dashboard.simulator.store.vms.get(id);
      assert.ok(vm);
      vm.state = "STOPPED";
      await show(dashboard, { password: QEMU_PASSWORD });
      await page.getByRole("button", { name: "Reconnect" }).click();
      await said(page, /homeassistant is not running, so it has no screen/);
      await page.reload();
      await page.getByRole("button", { name: "Start homeassistant" }).waitFor();
      await expectAccessibleEverywhere(page, "the console of a stopped VM");
    },
    { screen },
  );
}

browserTest(
  "on a phone a button opens the keyboard, and what its field gets is typed into the VM",
  {},
  async ({ page, dashboard }) => {
    await using qemu = await startQemu("VNC");
    const id = await show(dashboard, {
      type: "VNC",
      port: qemu.port,
      bind: "0.0.0.0",
      password: QEMU_PASSWORD,
    });
    await page.goto(`/vms/${id}/console`);
    await connected(page);
    assert.match(await page.locator("#screen-keys").innerText(), /^Tap the screen/);
    await page.getByRole("button", { name: "Keyboard" }).tap();
    assert.equal(await page.evaluate("document.activeElement.id"), "screen-typed");
    // As keyboards on a screen do it: text without keys.
    await page.keyboard.insertText("Abc");
    await guestShows(page, qemu, ">Abc");
    await page.keyboard.press("Backspace");
    await page.keyboard.insertText("ü_/");
    await page.locator("#screen-typed-error", { hasText: "A US keyboard cannot type: ü" }).waitFor();
    await guestShows(page, qemu, ">Ab_/");
    // The guest only moves its cursor back. What it never got is not removed from it.
    for (let n = 0; n < 3; n++) await page.keyboard.press("Backspace");
    await page.keyboard.insertText("!");
    await guestShows(page, qemu, ">A!_/");
    await page.getByRole("button", { name: "Keyboard" }).tap();
    assert.notEqual(await page.evaluate("document.activeElement.id"), "screen-typed", "it closes again");
    await expectAccessibleEverywhere(page, "a screen for fingers");
  },
  { screen: { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true } },
);

browserTest(
  "a screen comes back by 'Reconnect', and goes full with its buttons",
  {},
  async ({ page, dashboard }) => {
    await using qemu = await startQemu("VNC");
    const id = await show(dashboard, {
      type: "VNC",
      port: qemu.port,
      bind: "0.0.0.0",
      password: QEMU_PASSWORD,
    });
    dashboard.simulator.addFault({ method: "vm.device.query", action: "fail", times: 1 });
    await page.goto(`/vms/${id}/console`);
    await said(page, /could not read the display password/);
    await page.getByRole("button", { name: "Reconnect" }).click();
    await connected(page);
    await page.getByRole("button", { name: "Full screen" }).click();
    await until(page, "document.fullscreenElement?.id === 'console'");
    assert.ok(await page.getByRole("button", { name: "Ctrl+Alt+Del" }).isVisible());
    await page.getByRole("button", { name: "Full screen" }).click();
    await until(page, "document.fullscreenElement === null");
    await connected(page);
  },
  { ignore: /502/ },
);

browserTest("the demo's VMs have a screen that echoes what is typed, while they run", {
  simulator: { screens: true },
}, async ({ page, dashboard }) => {
  const picture = () => page.evaluate("document.querySelector('#screen canvas').toDataURL()");
  const { changes } = dashboard.manager;
  const vm = { id: 1, name: "homeassistant", overcommit: false };
  const act = (action: "poweroff" | "start", state: "RUNNING" | "STOPPED") =>
    changes.act(action, [{ ...vm, action, state }]).finished;
  // A demo on the same machine may have the usual port, and the simulator leaves a taken port alone.
  await show(dashboard, { port: freeDisplayPort() });
  await act("poweroff", "RUNNING");
  await act("start", "STOPPED");
  await page.goto("/vms/1/console");
  await connected(page);
  await seen(page);
  const before = await picture();
  await page.locator("#screen").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("root", { delay: 20 });
  await until(page, `document.querySelector('#screen canvas').toDataURL() !== ${JSON.stringify(before)}`);
  await act("poweroff", "RUNNING");
  await said(page, /The screen was closed at the NAS/);
  await act("start", "STOPPED");
  await page.getByRole("button", { name: "Reconnect" }).click();
  await connected(page);
});

browserTest("without JavaScript the console page leads to the .vv file", {}, async ({ dashboard }) => {
  const id = await show(dashboard, { port: 5999, bind: "0.0.0.0" });
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
  try {
    const page = await context.newPage();
    await page.goto(`/vms/${id}/console`);
    await page.locator("noscript p").waitFor();
    assert.ok(!await page.locator("#console").isVisible());
    const waiting = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download .vv file" }).click();
    assert.match((await waiting).suggestedFilename(), /homeassistant\.vv/);
  } finally {
    await context.close();
  }
});
