/** Protects signing in and out in Chromium: a page that reveals nothing, and the way back to what was asked for. */
import assert from "node:assert/strict";
import { browserTest, expectAccessibleEverywhere } from "../support/browser/pages.ts";

browserTest("signing in and out works on a page that reveals nothing about the NAS", {
  access: { password: "open sesame", viewerPassword: "just looking" },
}, async ({ page }) => {
  await page.goto("/?q=pihole");
  await expectAccessibleEverywhere(page, "the sign-in");
  await page.getByLabel("Dashboard password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector("#login-message");
  await page.getByLabel("Dashboard password").fill("open sesame");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\?q=pihole$/);
  assert.equal(await page.locator("tr[data-vm]").count(), 1);
  await page.getByLabel("Signed in as administrator").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/login/);
}, { ignore: /401/ });
