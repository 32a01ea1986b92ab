/*
 * Tells what became of the running operations that this tab has seen, also when they end between two of its pages:
 * with a toast, and in a hidden tab with a notification of the browser if somebody has allowed it.
 */
"use strict";

const KNOWN = "tasks";
const OPEN = "tasks-open";
/* Shorter ones end before somebody looks elsewhere. */
const LONG_SECONDS = 10;
/* Hidden tabs have no stream. */
const HIDDEN_MS = 5_000;
/* More than run at once. */
const MOST = 20;

const known = () => JSON.parse(sessionStorage.getItem(KNOWN) ?? "[]");
const keep = (ids) => sessionStorage.setItem(KNOWN, JSON.stringify(ids.slice(-MOST)));

/* The operation whose own page this is. */
const own = () => document.querySelector("#operation[data-operation]");
/* The list has toasts of its own for what was begun there. */
const isShown = (id) =>
  document.querySelector(`main [data-operation="${CSS.escape(id)}"], #toast-${CSS.escape(id)}`) !== null;
const canNotify = () => "Notification" in self && Notification.permission === "granted";

const isActive = (status) => status === "running" || status === "waiting";

/* A hidden tab goes on showing what has ended as running. */
const told = new Set();

let asking = false;

async function check() {
  const docked = [...document.querySelectorAll("#tasks-dock [data-task]")].map(({ dataset }) => dataset.task);
  if (isActive(own()?.dataset.status)) docked.push(own().dataset.operation);
  const all = [...new Set([...known(), ...docked])].filter((id) => !told.has(id));
  keep(all);
  const gone = document.hidden ? all : all.filter((id) => !docked.includes(id));
  if (gone.length === 0 || asking) return;
  asking = true;
  try {
    const response = await fetch(
      `${document.body.dataset.tasks}?${new URLSearchParams(gone.map((id) => ["id", id]))}`,
      { headers: { "hx-request": "true" }, cache: "no-store" },
    );
    if (response.ok) tell(await response.text());
  } catch {
    // Asked again with the next change.
  } finally {
    asking = false;
  }
}

function tell(html) {
  const { content } = Object.assign(document.createElement("template"), { innerHTML: html });
  const ended = [...content.querySelectorAll("[data-ended]")];
  const ids = ended.map(({ dataset }) => dataset.ended);
  for (const id of ids) told.add(id);
  keep(known().filter((id) => !told.has(id)));
  for (const { dataset, firstElementChild: toast } of ended) {
    if (toast === null) continue;
    const words = toast.querySelector("p").firstChild.textContent;
    if (document.hidden && canNotify() && Number(dataset.seconds) >= LONG_SECONDS) notify(words, toast);
    if (!isShown(dataset.ended)) document.getElementById("toasts")?.append(toast);
  }
}

function notify(words, toast) {
  const link = toast.querySelector("a").href;
  const shown = new Notification(words, { tag: link });
  shown.addEventListener("click", () => {
    focus();
    location.assign(link);
    shown.close();
  });
}

/* The drawer stays open from page to page. */
document.addEventListener("toggle", ({ target }) => {
  if (target.id !== "tasks") return;
  if (target.open) sessionStorage.setItem(OPEN, "yes");
  else if (target.isConnected) sessionStorage.removeItem(OPEN);
}, true);

function reopen() {
  const drawer = document.getElementById("tasks");
  if (drawer !== null && sessionStorage.getItem(OPEN) === "yes") drawer.open = true;
}

/* The permission is asked only by this button. */
const button = document.getElementById("notify");

let shownStatus;

/* Asking for the permission takes the browser a moment, so it is asked when the status changes and not with each step. */
function showButton() {
  if (button === null || !("Notification" in self) || !isSecureContext) return;
  const { status } = own()?.dataset ?? {};
  if (status === shownStatus) return;
  shownStatus = status;
  if (!isActive(status) || Notification.permission === "denied") {
    button.hidden = true;
    return;
  }
  button.hidden = false;
  if (Notification.permission !== "granted") return;
  button.querySelector("span").textContent = "You will be notified when it ends";
  button.disabled = true;
}

button?.addEventListener("click", async () => {
  await Notification.requestPermission();
  shownStatus = undefined;
  showButton();
});

const TICK_MS = 1_000;
const clock = (ms) => {
  const seconds = Math.floor(ms / 1_000);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};

/* Between two messages nothing else says that time passes. */
setInterval(() => {
  for (const { dataset, firstChild: words } of document.querySelectorAll("#tasks-dock [data-passed]")) {
    dataset.passed = Number(dataset.passed) + TICK_MS;
    dataset.left = Math.max(Number(dataset.left) - TICK_MS, 0);
    words.data = Number(dataset.left) < TICK_MS
      ? `${clock(Number(dataset.passed))} so far`
      : `about ${clock(Number(dataset.left))} left`;
  }
}, TICK_MS);

let timer;
document.addEventListener("visibilitychange", () => {
  clearInterval(timer);
  if (document.hidden && canNotify()) timer = setInterval(check, HIDDEN_MS);
  else if (!document.hidden) check();
});
document.addEventListener("htmx:after:swap", () => {
  reopen();
  showButton();
  check();
});
addEventListener("pageshow", check);
reopen();
showButton();
