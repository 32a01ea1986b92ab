/* The list: filters while typing, acts in place, and says what a selection would take. All of it works without, too. */
"use strict";

/* What changed on the page, as the server writes it: <hx-partial> elements, each with its target. */
async function apply(text) {
  const place = document.getElementById("page-stream");
  await htmx.swap({ text, sourceElement: place, target: place, swap: "none" });
}

/* Filtering while typing. */

/* Longer than between two letters: while an answer replaces the rows, the next letter would wait. */
const PAUSE_MS = 250;
const FILTER_FAILED = "filter-failed";
const form = () => document.getElementById("list-filter");
let pause;
let asking = null;

async function filter() {
  const at = form();
  if (at === null) return;
  asking?.abort();
  const own = asking = new AbortController();
  const filled = [...new FormData(at)].filter(([, value]) => value !== "");
  const search = new URLSearchParams(filled).toString();
  const url = search === "" ? at.action : `${at.action}?${search}`;
  try {
    const response = await fetch(url, {
      headers: { "hx-request": "true", "hx-target": "vm-list", accept: "text/html" },
      signal: own.signal,
    });
    if (response.status === 401) return location.assign(url);
    if (!response.ok) {
      return complain("The filter was not applied. Try again, or reload the page", FILTER_FAILED);
    }
    document.getElementById(FILTER_FAILED)?.remove();
    // Another filter matches other VMs; those that are ticked stay selected.
    if (matching() !== null) matching().checked = false;
    await apply(await response.text());
  } catch (error) {
    // A later letter asks again; without a connection the notice of lost updates says it.
    if (error.name === "AbortError" || error instanceof TypeError) return;
    throw error;
  }
  history.replaceState(null, "", url);
  document.body.dataset.here = search === "" ? "/" : `/?${search}`;
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "filter-q") return;
  clearTimeout(pause);
  pause = setTimeout(filter, PAUSE_MS);
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "list-filter") return;
  event.preventDefault();
  clearTimeout(pause);
  filter();
});

/* Esc takes away what was typed, and the filter with it; an empty field is left (static/keys.js). */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing) return;
  if (event.target.id !== "filter-q" || event.target.value === "") return;
  event.preventDefault();
  event.target.value = "";
  clearTimeout(pause);
  filter();
}, true);

/* A tick in the columns' menu shows or hides the column at once. */
document.addEventListener("change", (event) => {
  if (event.target.closest("#columns-form") !== null) event.target.form.requestSubmit();
});

/* Actions in place: the row follows by the stream, and a toast says what came of it. */

const sending = new Set();

document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  const undoes = event.target.closest("#toasts") !== null;
  if (!undoes && button?.getAttribute("formmethod") !== "post") return;
  event.preventDefault();
  const url = undoes ? event.target.action : button.formAction;
  const body = new URLSearchParams(!undoes && button.name !== "" ? [[button.name, button.value]] : []);
  closeMenu(button);
  // Not disabled, which would take the focus away.
  if (sending.has(button)) return;
  sending.add(button);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "hx-request": "true", accept: "text/html" },
      body,
    });
    if (response.status === 401) return location.reload();
    const text = await response.text();
    if (text.includes("<hx-partial")) await apply(text);
    else complain(text);
  } catch {
    complain("The dashboard did not answer. Look at the VM before you try again");
  } finally {
    sending.delete(button);
    if (undoes) event.target.closest(".toast")?.remove();
  }
});

/* What went wrong, as a toast that stays; it replaces the one that says the same. */
function complain(html, id = "") {
  const toast = document.createElement("div");
  document.getElementById(id)?.remove();
  if (id !== "") toast.id = id;
  toast.className = "toast bad";
  toast.dataset.toast = "bad";
  const words = document.createElement("div");
  words.textContent = new DOMParser().parseFromString(html, "text/html").body.textContent.trim();
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = "Close";
  toast.append(words, close);
  document.getElementById("toasts").append(toast);
}

/* On a narrow page the chips scroll sideways; the one that filters is in sight. */
const chips = document.getElementById("vm-chips");
const chosen = chips?.querySelector("[aria-current=true]")?.getBoundingClientRect();
if (chosen !== undefined) chips.scrollLeft += chosen.left - (chips.clientWidth - chosen.width) / 2;

/* Menus. */

function closeMenu(within) {
  const menu = within?.closest("details.menu");
  if (!menu) return;
  if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu.open = false;
}

/* In a long list a row has a link to its menu; the menu takes its place while it is open. */
const links = new WeakMap();

document.addEventListener("click", async (event) => {
  const link = event.target.closest("#vm-list a[id^=more-]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const response = await fetch(link.href, { headers: { "hx-request": "true", accept: "text/html" } });
    if (!response.ok) return location.assign(link.href);
    const menu = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("details");
    if (menu === null || !link.isConnected) return location.assign(link.href);
    links.set(menu, link);
    menu.open = false;
    // Live updates of the row leave the menu alone.
    link.parentElement.setAttribute("hx-morph-skip-children", "");
    link.replaceWith(menu);
    menu.open = true;
    menu.querySelector("summary").focus();
  } catch {
    location.assign(link.href);
  }
});
document.addEventListener("toggle", ({ target }) => {
  const link = links.get(target);
  if (link === undefined || target.open) return;
  const hadFocus = target.contains(document.activeElement);
  target.parentElement?.removeAttribute("hx-morph-skip-children");
  target.replaceWith(link);
  if (hadFocus) link.focus();
}, true);

/* A link to a VM without a row shows all rows. */
function reach() {
  const all = document.querySelector("#vm-list .rest a");
  if (all === null || !/^#vm-\d+$/.test(location.hash)) return;
  if (document.getElementById(location.hash.slice(1)) !== null) return;
  const url = new URL(all.href);
  url.hash = location.hash;
  location.replace(url);
}
addEventListener("hashchange", reach);
reach();

/* The selection: what it takes, ranges, and Esc. */

const boxes = () => [...document.querySelectorAll("#vm-list input[name=id]")];
const matching = () => document.getElementById("select-matching");
const ticked = () => [...document.querySelectorAll("#vm-list input[name=id]:checked")];
let last = null;

/* Shift and a click tick everything between. */
document.addEventListener("click", (event) => {
  const box = event.target.closest("#vm-list input[name=id]");
  if (box === null) return;
  const all = boxes();
  const [from, to] = [all.findIndex(({ id }) => id === last), all.indexOf(box)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) {
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }
  last = box.id;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog") !== null) return;
  if (ticked().length > 0) document.getElementById("vm-form").reset();
});

const UNITS = ["MiB", "GiB", "TiB"];

function sizeOf(mib) {
  let [value, unit] = [mib, 0];
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${Number(value.toFixed(1))} ${UNITS[unit]}`;
}

/*
 * Marks what is ticked, for the stylesheet, and counts it; live updates take the marks away with the rows. The marks
 * stand where few elements are below them, because the browser looks through all of those.
 */
function mark() {
  const rows = new Set(ticked().map((box) => box.closest("tr")));
  for (const row of document.querySelectorAll("#vm-list .is-ticked")) {
    if (!rows.has(row)) row.classList.remove("is-ticked");
  }
  for (const row of rows) row.classList.add("is-ticked");
  for (const marked of document.querySelectorAll("main, .bulk")) {
    marked.classList.toggle("is-selecting", rows.size > 0);
    marked.classList.toggle("is-cut", matching() !== null);
  }
  const count = document.querySelector(".bulk .ticked");
  if (count !== null) count.textContent = matching()?.checked ? matching().dataset.count : rows.size;
  for (const fold of document.querySelectorAll("#vm-list .fold-group > input")) {
    fold.closest("tbody").classList.toggle("is-folded", fold.checked);
  }
}

/* The bright button is what the selection can do: VMs that all run are not started. */
function offer(starts) {
  for (const [action, isFirst] of [["start", starts], ["stop", !starts]]) {
    const button = document.querySelector(`.bulk > button[value=${action}]`);
    button?.classList.toggle("primary", isFirst);
    button?.classList.toggle("wide-only", !isFirst);
  }
}

/* What the selected VMs that are off would take, beside the bar and in the picture of the memory. */
function weigh() {
  mark();
  const { off, running, mib } = matching()?.checked ? numbers(matching().dataset) : sums(ticked());
  offer(off > 0 || running === 0);
  const beside = document.getElementById("bulk-memory");
  if (beside !== null) beside.textContent = mib === 0 ? "" : ` · ${sizeOf(mib)} when started`;
  const gauge = document.getElementById("memory-gauge");
  if (gauge !== null) drawPlan(gauge, mib, off);
}

function sums(selected) {
  const having = (state) => selected.filter((box) => box.closest("tr").dataset.state === state);
  const off = having("STOPPED");
  const mib = off.reduce((sum, box) => sum + Number(box.dataset.mib), 0);
  return { off: off.length, running: having("RUNNING").length, mib };
}

function numbers({ off, running, mib }) {
  return { off: Number(off), running: Number(running), mib: Number(mib) };
}

const MIB = 1_048_576;
let before = [];

function drawPlan(gauge, mib, count) {
  const [whole, free] = [Number(gauge.dataset.whole) / MIB, Number(gauge.dataset.free) / MIB];
  const bar = gauge.querySelector("#memory-plan");
  const at = Number(bar.dataset.at);
  bar.setAttribute("width", `${Math.max(0, Math.min(1 - at, mib / whole)) * 100}%`);
  const item = gauge.querySelector("#memory-planned");
  item.hidden = mib === 0;
  item.querySelector("b").textContent = sizeOf(mib);
  const words = gauge.querySelector("#memory-free");
  // A live update takes the mark away with what is drawn.
  const isDrawn = words.dataset.drawn === "true";
  if (mib === 0) {
    if (isDrawn) words.replaceChildren(...before);
    delete words.dataset.drawn;
    return;
  }
  if (!isDrawn) before = [...words.childNodes].map((it) => it.cloneNode(true));
  words.dataset.drawn = "true";
  const left = free - mib;
  const number = document.createElement("b");
  number.textContent = sizeOf(Math.abs(left));
  const tone = document.createElement("span");
  tone.className = left < 0 ? "tone bad" : "tone planned";
  const wide = document.createElement("span");
  wide.className = "wide-only";
  wide.textContent = ` after starting ${count}`;
  tone.append(...(left < 0 ? ["Short by ", number] : [number, " left"]), wide);
  const of = document.createElement("span");
  of.className = "of";
  of.textContent = `${sizeOf(free)} free, `;
  words.replaceChildren(of, tone);
}

document.addEventListener("change", (event) => {
  const { name, id, parentElement } = event.target;
  if (name === "id" || id === "select-all" || id === "select-matching") weigh();
  if (parentElement?.classList.contains("fold-group")) mark();
});
/* A form is reset after its event, so the ticks are counted then. */
document.addEventListener("reset", () => setTimeout(weigh));
document.addEventListener("htmx:after:swap", weigh);
addEventListener("pageshow", weigh);
