/** What is wrong with how a page lies on the screen, as a person would see it. */
import type { Page } from "../packages/playwright.ts";

/**
 * One line for each fault: sideways scrolling, controls that something covers or that are cut, words above words, and
 * planted text that could turn the words around it.
 */
export function faultsOf(page: Page, planted: readonly string[] = []): Promise<string[]> {
  return page.evaluate(`(${MEASURE})(${JSON.stringify(planted)})`);
}

/** Runs in the page: it is a text, because its types are the browser's. */
const MEASURE = `(planted) => {
  const faults = [];
  const root = document.scrollingElement;
  const describe = (node) => {
    const words = (node.getAttribute("aria-label") ?? node.textContent ?? "").replaceAll(/\\s+/g, " ").trim().slice(0, 40);
    return node.tagName.toLowerCase() + (node.id ? "#" + node.id : "") + (node.className && typeof node.className === "string" ? "." + node.className.split(" ").join(".") : "") + " “" + words + "”";
  };
  const inFront = document.querySelector("dialog:modal, [popover]:popover-open, details.menu[open] > .panel") ?? document.body;
  const shown = (node) => inFront.contains(node) && node.checkVisibility({ visibilityProperty: true }) && node.closest("[inert], .visually-hidden, .skip, .vms thead") === null;
  if (root.scrollWidth > root.clientWidth) faults.push("the page scrolls sideways by " + (root.scrollWidth - root.clientWidth) + " px");

  const clipOf = (node) => {
    let box = { left: -1e6, top: -1e6, right: 1e6, bottom: 1e6 };
    for (let at = node; at !== null && at !== document.documentElement; at = at.parentElement) {
      const { overflowX, overflowY, position } = getComputedStyle(at);
      if (overflowX !== "visible" || overflowY !== "visible") {
        const it = at.getBoundingClientRect();
        if (overflowX !== "visible") box = { ...box, left: Math.max(box.left, it.left), right: Math.min(box.right, it.right) };
        if (overflowY !== "visible") box = { ...box, top: Math.max(box.top, it.top), bottom: Math.min(box.bottom, it.bottom) };
      }
      if (position === "fixed") break;
    }
    return box;
  };
  const scrolls = (node) => {
    for (let at = node; at !== null && at !== document.documentElement; at = at.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth) return true;
    }
    return false;
  };

  const controls = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter(shown);
  for (const control of controls) {
    control.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    const [box] = control.getClientRects();
    if (box === undefined || box.width < 2 || box.height < 2) continue;
    const clip = clipOf(control.parentElement);
    const [left, right] = [Math.max(box.left, clip.left, 0), Math.min(box.right, clip.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, clip.top, 0), Math.min(box.bottom, clip.bottom, innerHeight)];
    if (right - left < 1 || bottom - top < 1) { faults.push("cannot be seen: " + describe(control)); continue; }
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const label = control.labels?.[0];
    const fits = hit !== null && (control.contains(hit) || label?.contains(hit) || (control.matches("input") && hit.contains(control) && hit.matches("label")));
    if (!fits) faults.push("covered: " + describe(control) + " by " + (hit === null ? "nothing" : describe(hit)));
    if (box.right > innerWidth + 1 && !scrolls(control)) faults.push("cut at the edge: " + describe(control));
    if (control.matches("button, .btn, summary.btn") && control.scrollWidth > control.clientWidth + 1 && getComputedStyle(control).display !== "inline") {
      faults.push("its words do not fit: " + describe(control) + " " + control.scrollWidth + " > " + control.clientWidth);
    }
  }
  scrollTo(0, 0);

  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let text = walker.nextNode(); text !== null; text = walker.nextNode()) {
    const at = text.parentElement;
    if (text.data.trim() === "" || at.closest("script, style, noscript, svg, option, textarea") !== null || !shown(at)) continue;
    const clip = clipOf(at);
    range.selectNodeContents(text);
    const limited = [...range.getClientRects()].slice(0, 8);
    for (const it of limited) {
      if (it.right > innerWidth + 1 && !scrolls(at) && clip.right > innerWidth + 1) faults.push("leaves the page: " + describe(at));
      const line = { at, left: Math.max(it.left, clip.left), right: Math.min(it.right, clip.right), top: Math.max(it.top, clip.top), bottom: Math.min(it.bottom, clip.bottom) };
      if (line.right - line.left > 2 && line.bottom - line.top > 2) lines.push(line);
    }
  }
  const floats = (node) => { for (let at = node; at !== null; at = at.parentElement) if (/fixed|sticky/.test(getComputedStyle(at).position)) return true; return false; };
  lines.sort((a, b) => a.top - b.top);
  const pairs = new Set();
  for (const [index, a] of lines.entries()) {
    for (let n = index + 1; n < lines.length && lines[n].top < a.bottom - 4; n++) {
      const b = lines[n];
      if (a.at === b.at || Math.min(a.right, b.right) - Math.max(a.left, b.left) < 4) continue;
      if (Math.min(a.bottom, b.bottom) - b.top < 0.4 * Math.min(a.bottom - a.top, b.bottom - b.top)) continue;
      if (floats(a.at) || floats(b.at)) continue;
      const words = describe(a.at) + " lies above " + describe(b.at);
      if (!pairs.has(words)) faults.push(words);
      pairs.add(words);
    }
  }

  const isInline = (style) => style.display === "inline" || style.display === "contents";
  const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = all.nextNode(); text !== null; text = all.nextNode()) {
    const found = planted.find((it) => text.data.includes(it));
    if (found === undefined || text.parentElement.closest("script, style, noscript, option, textarea, svg, pre, .visually-hidden") !== null) continue;
    let at = text.parentElement;
    for (let style = getComputedStyle(at); isInline(style) && !/isolate|plaintext/.test(style.unicodeBidi);) {
      at = at.parentElement;
      style = getComputedStyle(at);
    }
    if (/[\p{L}\p{N}]/u.test(at.textContent.replaceAll(found, ""))) {
      faults.push("not isolated: " + describe(text.parentElement) + " in " + describe(at));
    }
  }
  return faults;
}`;
