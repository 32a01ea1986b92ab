/* The command palette, dialogs that buttons open, and the keys that lead to the site's places. */
"use strict";

/* Long enough to skip most letters of a word, short enough not to be noticed. */
const TYPING_MS = 80;
/* A `g` waits this long for its second key. */
const SECOND_KEY_MS = 1_500;

const palette = document.getElementById("palette");
const field = document.getElementById("palette-q");
const list = document.getElementById("palette-found");

const anyDialog = () => document.querySelector("dialog[open]") !== null;
/* Consoles and texts of several lines have a Ctrl+K of their own. */
const hasOwnKeys = (target) => target.closest("textarea, [contenteditable], #screen, #serial") !== null;
const isEntry = (target) =>
  hasOwnKeys(target) || target.closest("input:not([type=checkbox], [type=radio]), select") !== null;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-dialog]");
  if (button === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const dialog = document.getElementById(button.dataset.dialog);
  if (dialog === null) return;
  event.preventDefault();
  button.closest("details.menu")?.removeAttribute("open");
  if (dialog === palette) openPalette();
  else if (!dialog.open) dialog.showModal();
});

/* Places. */

let second = 0;

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key.toLowerCase() === "k") {
    if (palette === null || hasOwnKeys(target) || (anyDialog() && !palette.open)) return;
    event.preventDefault();
    return palette.open ? palette.close() : openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isEntry(target) || anyDialog()) return;
  const isSecond = Date.now() < second;
  second = key === "g" && !isSecond ? Date.now() + SECOND_KEY_MS : 0;
  if (!isSecond) return;
  const place = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
  if (place === null) return;
  event.preventDefault();
  location.assign(place.href);
});

/* The palette. */

let asked = null;
let timer;

function openPalette() {
  if (palette.open) return;
  field.value = "";
  list.replaceChildren();
  palette.showModal();
  search();
}

async function search() {
  asked?.abort();
  const own = asked = new AbortController();
  const url = new URL(palette.dataset.search, location.href);
  url.searchParams.set("q", field.value);
  try {
    const response = await fetch(url, {
      headers: { "hx-request": "true", accept: "text/html" },
      signal: own.signal,
    });
    const login = response.headers.get("hx-redirect");
    if (login !== null) return location.assign(login);
    if (!response.ok) throw new Error(`The search answered ${response.status}`);
    const text = await response.text();
    if (own.signal.aborted) return;
    list.innerHTML = text;
    say(list.querySelector("[data-count]")?.dataset.count ?? "");
    mark(options()[0]);
  } catch {
    if (own.signal.aborted) return;
    const words = "The dashboard does not answer. Check that it is running, then type again";
    const line = document.createElement("p");
    line.className = "none";
    line.textContent = words;
    list.replaceChildren(line);
    field.removeAttribute("aria-activedescendant");
    say(words);
  }
}

function say(words) {
  document.getElementById("palette-status").textContent = words;
}

const options = () => [...list.querySelectorAll("[role=option]")];
const marked = () => list.querySelector("[aria-selected=true]");

function mark(option) {
  marked()?.setAttribute("aria-selected", "false");
  if (option === undefined || option === null) return field.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const all = options();
  if (all.length === 0) return;
  const at = all.indexOf(marked());
  mark(all[(at + by + all.length) % all.length]);
}

/* The result for the text that is in the field now, not for an earlier one. */
async function choose() {
  if (timer !== undefined) {
    clearTimeout(timer);
    timer = undefined;
    await search();
  }
  marked()?.click();
}

if (palette !== null) {
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      search();
    }, TYPING_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) {
      event.preventDefault();
      return move(moves[event.key]);
    }
    if (event.key === "Escape") {
      event.preventDefault();
      palette.close();
    }
    if (event.key === "Enter") {
      event.preventDefault();
      choose();
    }
  });
  list.addEventListener("pointermove", ({ target }) => {
    const option = target.closest("[role=option]");
    if (option !== null && option !== marked()) mark(option);
  });
  palette.addEventListener("click", ({ target }) => {
    // The dialog itself is hit only beside its content.
    if (target === palette || target.closest(".close") !== null || target.closest("[role=option]") !== null) {
      palette.close();
    }
  });
  palette.addEventListener("close", () => {
    asked?.abort();
    clearTimeout(timer);
  });
}
