/** Protects the page of an operation whose NAS goes away in the middle: it says so, counts, heals and ends. */
import assert from "node:assert/strict";
import {
  browserTest,
  createWorkers,
  expectAccessibleEverywhere,
  finished,
  SCREENS,
  type Session,
} from "../support/browser/pages.ts";

/** Creates workers and takes the NAS away in the middle: no VM has been started by then. */
async function takeAway({ page, dashboard: { simulator } }: Session): Promise<void> {
  const gone = Promise.withResolvers<void>();
  simulator.addFault({ method: "vm.start", action: "hold", until: gone.promise, times: Infinity });
  await createWorkers(page, 3);
  await simulator.goAway();
  simulator.clearFaults();
  gone.resolve();
}

for (const screen of SCREENS) {
  const { width } = screen.viewport;
  browserTest(
    `a NAS that goes away is waited for, and the page tells it, at ${width} px`,
    // Looking at every width takes a slow machine minutes.
    { manager: { waitMs: 3_600_000 } },
    async (session) => {
      const { page, dashboard: { simulator } } = session;
      await takeAway(session);
      await finished(page, "waiting");
      assert.match(
        await page.locator("#operation-notices").innerText(),
        /Waiting for the NAS since .+nothing is listening/s,
      );
      await page.getByRole("button", { name: "Stop waiting" }).waitFor();
      assert.equal(await page.locator("#waterfall line.wait.nas").count(), 3, "a gap in each lane");
      assert.match(await page.locator("#waterfall-axis").textContent() ?? "", /NAS away/);
      const elapsed = page.locator("[data-elapsed]");
      const before = await elapsed.innerText();
      await page.locator("[data-elapsed]", { hasNotText: before }).waitFor();
      await expectAccessibleEverywhere(page, "a waiting operation");
      await simulator.comeBack();
      await finished(page, "done");
      assert.ok(await page.locator("[data-healed]").count() > 0, "what healed is told");
      assert.match(await page.locator("#operation-log").innerText(), /The NAS answers again after/);
      assert.ok(await page.locator("#waterfall rect.healed").count() > 0, "what healed is drawn");
      // A VM that had nothing under way when the NAS went had nothing to heal.
      const outcomes = await page.locator("#waterfall .c-out").allInnerTexts();
      assert.ok(outcomes.some((it) => it.includes("Created, healed")), outcomes.join(" · "));
    },
    { screen, ignore: /./ },
  );
}

browserTest("an operation that waits can be ended, which leads to the decision", {}, async (session) => {
  const { page, dashboard: { simulator } } = session;
  await takeAway(session);
  await page.getByRole("button", { name: "Stop waiting" }).click();
  await finished(page, "interrupted");
  await page.getByRole("button", { name: /^Resume/ }).waitFor();
  await simulator.comeBack();
});
