/* Optional conveniences: copy buttons, menus, keyboard shortcuts, and ticks for all VMs. */
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy], button[data-text], button.copy");
  if (button === null) return;
  const source = button.dataset.copy === undefined
    ? button.previousElementSibling
    : document.getElementById(button.dataset.copy);
  const text = button.dataset.text ?? source?.textContent ?? "";
  const words = button.querySelector("span") ?? button;
  const label = words.textContent;
  const isIcon = button.classList.contains("copy");
  try {
    await navigator.clipboard.writeText(text);
    if (isIcon) button.dataset.copied = "";
    else words.textContent = "Copied";
    say(`Copied ${isIcon ? text : ""}`);
  } catch {
    // Browsers offer no clipboard over plain HTTP, so the text is selected to be copied by hand.
    if (source !== null) {
      source.closest("details")?.setAttribute("open", "");
      getSelection().selectAllChildren(source);
    }
    if (!isIcon) words.textContent = "Press Ctrl+C";
    say("Text selected. Press Ctrl+C to copy it");
  }
  setTimeout(() => {
    delete button.dataset.copied;
    if (!isIcon) words.textContent = label;
  }, 2_000);
});

/* On a narrow page the tabs scroll sideways; the current one is in sight. */
document.querySelector('.tabs [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" });

/* Announces a text to screen readers, in the element that announces live updates. */
function say(words) {
  const place = document.getElementById("live-words");
  if (place !== null) place.textContent = words;
}

const boxes = () => [...document.querySelectorAll("#vm-list input[name=id]")];

/* Selects all VMs that match, also those without a row; not there where every VM has one. */
const matching = () => document.getElementById("select-matching");

/* Filters and removed VMs take their ticks with them, so the count is taken again each time. */
function count() {
  const all = boxes();
  // A live update may have brought other rows.
  if (matching()?.checked) { for (const box of all) box.checked = true; }
  const ticked = all.filter((box) => box.checked).length;
  const every = document.getElementById("select-all");
  if (every !== null) {
    every.checked = ticked > 0 && ticked === all.length;
    every.indeterminate = ticked > 0 && ticked < all.length;
  }
  const destroy = document.getElementById("destroy-vms");
  if (destroy !== null) {
    // The destroy page opens with the selected VMs.
    const chosen = matching()?.checked ? [matching()] : all.filter((box) => box.checked);
    destroy.search = new URLSearchParams(chosen.map(({ name, value }) => [name, value])).toString();
  }
}

document.addEventListener("change", (event) => {
  const { target } = event;
  if (target.id === "select-all") { for (const box of boxes()) box.checked = target.checked; }
  // Taking one VM out leaves those that are ticked.
  if ((target.id === "select-all" || target.name === "id") && !target.checked && matching() !== null) {
    matching().checked = false;
  }
  if (target.id === "select-all" || target.name === "id" || target === matching()) count();
});
document.addEventListener("htmx:after:swap", count);
/* A form is reset after its event. */
document.addEventListener("reset", () => setTimeout(count));

/* Browsers restore ticks after Back and Reload. */
addEventListener("pageshow", count);

/* Menus close with Esc, and with a click elsewhere. */
const openMenus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", ({ target }) => {
  for (const menu of openMenus()) if (!menu.contains(target)) menu.open = false;
});

function closeMenus() {
  const [menu] = openMenus();
  if (menu === undefined) return false;
  const hadFocus = menu.contains(document.activeElement);
  menu.open = false;
  if (hadFocus) menu.querySelector("summary")?.focus();
  return true;
}

const typing = (target) =>
  target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && closeMenus()) return event.preventDefault();
  if (event.key === "Escape" && typing(event.target)) return event.target.blur();
  if (typing(event.target)) return;
  if (event.key === "/") {
    const filter = document.getElementById("filter-q");
    if (filter === null) return;
    event.preventDefault();
    return filter.focus();
  }
  if (event.key === "?") {
    const help = document.getElementById("keys");
    if (help !== null && !help.open) help.showModal();
    return;
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    moveRow(event, event.key === "ArrowDown" ? 1 : -1);
  }
});

/* Arrow keys move between rows; Space then ticks the focused box. */
function moveRow(event, by) {
  const all = boxes();
  if (all.length === 0 || event.target.closest("#operation-log, .log") !== null) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  event.preventDefault();
  all[next].focus();
}

/* A part of a form that arrives with a new row puts the focus there, as a page would. */
document.addEventListener("htmx:after:swap", () => {
  const field = document.querySelector("form [autofocus]");
  if (field === null || field.dataset.focused !== undefined) return;
  field.dataset.focused = "";
  field.focus();
});

/* After Back, browsers restore what was typed, but not the totals beside it. */
addEventListener("pageshow", (event) => {
  const [navigation] = performance.getEntriesByType("navigation");
  if (!event.persisted && navigation?.type !== "back_forward") return;
  document.querySelector("#create-form, #type-form")?.dispatchEvent(new Event("change", { bubbles: true }));
});

/* The focus is never lost: where a live update takes away what has it, the nearest thing around it takes it over. */
let held = null;
let around = [];

document.addEventListener("focusin", ({ target }) => {
  held = target;
  around = [];
  for (let at = target.parentElement; at !== null; at = at.parentElement) around.push(at);
});
document.addEventListener("pointerdown", () => held = null);
document.addEventListener("htmx:after:swap", () => {
  const { activeElement } = document;
  if (held === null || held.isConnected || (activeElement !== null && activeElement !== document.body)) {
    return;
  }
  for (const at of around) {
    const now = at.isConnected ? at : document.getElementById(at.id);
    const heir = now?.matches("[tabindex='-1']") ? now : now?.matches("tr") ? moreOf(now) : null;
    if (heir) return heir.focus({ preventScroll: true });
  }
});

/* The menu of a row is always there. */
function moreOf(row) {
  return row.querySelector("a[id^=more-], details[id^=more-] > summary");
}
