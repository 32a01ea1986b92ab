/** A person without a mouse: goes from one thing to the next with Tab. */
import assert from "node:assert/strict";
import type { Page } from "../packages/playwright.ts";

/** What has the focus: its name as people know it, and whether it can be seen that it has it. */
export interface Focus {
  /** Nothing has it: Tab left the page's last element and is about to begin again. */
  readonly isBody: boolean;
  readonly name: string;
  readonly id: string;
  readonly isSeen: boolean;
}

const FOCUS = `(() => {
  const it = document.activeElement;
  if (it === document.body) return { isBody: true, name: "", id: "", isSeen: false };
  const label = it.getAttribute("aria-label") ?? it.labels?.[0]?.textContent ?? it.textContent ?? "";
  const looks = [it, it.parentElement, it.nextElementSibling].filter(Boolean).map((at) => getComputedStyle(at));
  const { width, height } = it.getBoundingClientRect();
  return {
    isBody: false,
    name: label.replaceAll(/\\s+/g, " ").trim(),
    id: it.id,
    isSeen: width > 0 && height > 0
      && looks.some((look) => look.outlineStyle !== "none" && look.outlineWidth !== "0px"),
  };
})()`;

/** What has the focus now. */
export async function focused(page: Page): Promise<Focus> {
  return await page.evaluate(FOCUS) as Focus;
}

/** More than any page has to go through. */
const MOST_TABS = 120;

/** Goes on with Tab until what has the focus has this name; everything on the way has to show that it has it. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  const passed: string[] = [];
  for (let n = 0; n < MOST_TABS; n++) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    if (at.isBody) continue;
    assert.ok(at.isSeen, `${at.name} (${at.id}) does not show its focus`);
    if (name.test(at.name)) return;
    passed.push(at.name);
  }
  assert.fail(`Tab does not reach ${name}: ${passed.join(" · ")}`);
}
