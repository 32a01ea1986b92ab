/*
 * Keeps the page up to date: applies live updates, shows a notice when they stop, and opens the sign-in page when the
 * session has ended. Browsers open at most six HTTP/1.1 connections to a host, so hidden tabs have no stream, and
 * visible tabs take turns when there are many.
 */
"use strict";

/* Leaves two connections free for pages and forms. */
const STREAMS_AT_ONCE = 4;
/* How long a tab keeps its stream while others wait; a newly opened tab gets one at once. */
const TURN_MS = 5_000;
/* A tab that has been silent for this long counts as closed. */
const TAB_GONE_MS = 5_000;
/* Other tabs answer within this time. */
const ANSWER_MS = 60;

/* The dashboard sends a heartbeat every 10 s; after this, two are missing. */
const SILENT_MS = 22_000;
const CONNECT_MS = 10_000;
/* A broken stream is often back in a moment, so the notice waits. */
const GRACE_MS = 5_000;
const RETRY = { leastMs: 500, mostMs: 5_000 };
const TICK_MS = 1_000;
/* A log scrolled to within about two lines of its end counts as being at the end. */
const NEAR_PX = 40;

const place = () => document.getElementById("page-stream");

/* The page. */

/* The time from which the page is shown as out of date, unless something arrives before. */
let fineUntil = Date.now() + GRACE_MS;
/* When something last arrived. */
let freshAt = Date.now();

/* The connection's state as the server sent it, while the badge says that the page is out of date. */
let parked = null;

function fresh() {
  freshAt = Date.now();
  fineUntil = freshAt + SILENT_MS;
  const notice = document.getElementById("stale");
  if (notice === null || notice.hidden) return;
  notice.hidden = true;
  const badge = document.getElementById("connection");
  // The server may have sent a new badge meanwhile; that one stays.
  if (badge !== null && badge.dataset.before !== undefined) {
    const before = JSON.parse(badge.dataset.before);
    delete badge.dataset.before;
    badge.dataset.connection = before.state;
    badge.querySelector(".state").replaceWith(parked);
  }
  say("The page is up to date again");
}

function stale() {
  const notice = document.getElementById("stale");
  if (notice === null) return;
  const badge = document.getElementById("connection");
  if (badge !== null && badge.dataset.before === undefined) {
    badge.dataset.before = JSON.stringify({ state: badge.dataset.connection });
    badge.dataset.connection = "offline";
    parked = badge.querySelector(".state");
    const state = document.createElement("span");
    state.className = "state bad";
    state.textContent = "Out of date";
    parked.replaceWith(state);
  }
  if (!notice.hidden) return;
  notice.querySelector("time").dateTime = new Date(freshAt).toISOString();
  notice.hidden = false;
  say("The page is out of date");
}

function signedOut() {
  close();
  document.dispatchEvent(new Event("signed-out"));
  const { login, here } = document.body.dataset;
  location.assign(`${login}?to=${encodeURIComponent(here)}`);
}

/* The stream. */

let stream = null;
/* The last event seen of a stream, to continue from when it reconnects. */
const seen = { url: "", id: "" };

function open() {
  stream ??= { failures: 0, isOpen: false, heardAt: Date.now() };
  if (stream.abort === undefined) follow(stream);
}

function close() {
  clearTimeout(stream?.retry);
  stream?.abort?.abort();
  stream = null;
}

async function follow(own) {
  const url = place().dataset.stream;
  if (seen.url !== url) Object.assign(seen, { url, id: "" });
  own.heardAt = Date.now();
  own.url = url;
  own.abort = new AbortController();
  try {
    await take(own, url);
  } catch {
    // A stream that breaks, stalls or is refused is retried below.
  }
  own.isOpen = false;
  if (stream !== own) return;
  // When an operation ends, its last message switches the page to another stream.
  if (place().dataset.stream !== url) return follow(own);
  fineUntil = Math.min(fineUntil, Date.now() + GRACE_MS);
  const ms = Math.min(RETRY.leastMs * 2 ** own.failures++, RETRY.mostMs);
  own.retry = setTimeout(() => follow(own), ms * (1 - Math.random() / 3));
}

/* A changed filter, and the end of an operation, give the page another stream. */
document.addEventListener("htmx:after:swap", () => {
  if (stream?.url !== undefined && place()?.dataset.stream !== stream.url) stream.abort?.abort();
});

async function take(own, url) {
  const headers = { accept: "text/event-stream", ...(seen.id === "" ? {} : { "last-event-id": seen.id }) };
  const response = await fetch(url, { headers, cache: "no-store", signal: own.abort.signal });
  if (response.status === 401) return signedOut();
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  if (!response.ok || !isStream) throw new Error(`The stream was refused with ${response.status}`);
  own.isOpen = true;
  own.failures = 0;
  const onBytes = () => {
    own.heardAt = Date.now();
    if (stream === own) fresh();
  };
  onBytes();
  for await (const { event, id, text } of messages(response.body, onBytes)) {
    if (stream !== own) return;
    if (id !== null) seen.id = id;
    if (event === "end") return own.abort.abort();
    followLog();
    await htmx.swap({ text, sourceElement: place(), target: place(), swap: "none" });
  }
}

const log = () => document.getElementById("operation-log");
let isFollowing = false;

/* The log stays at its last line, unless the reader has scrolled up. Once a frame: each look lays the page out. */
function followLog() {
  const it = log();
  if (isFollowing || it === null || it.scrollHeight - it.scrollTop - it.clientHeight >= NEAR_PX) return;
  isFollowing = true;
  requestAnimationFrame(() => {
    isFollowing = false;
    showLastLine();
  });
}

function showLastLine() {
  const it = log();
  if (it !== null) it.scrollTop = it.scrollHeight;
}

/* Parses server-sent events in the form the dashboard writes them. */
async function* messages(body, onBytes) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const values = (name) =>
        lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
      const data = values("data: ");
      if (data.length === 0) continue;
      yield {
        event: values("event: ").at(-1) ?? "",
        id: values("id: ").at(-1) ?? null,
        text: data.join("\n"),
      };
    }
  }
}

/* Taking turns among tabs. */

const channel = "BroadcastChannel" in self ? new BroadcastChannel("truenas-vm-manager-streams") : null;
/* crypto.randomUUID() does not exist over plain HTTP. */
const me = `${Date.now()}-${Math.random()}`;
/* `isNew`: the tab was just opened or just became visible. */
let mine = { role: "none", since: 0, isNew: false };
let decidesAt = 0;
const others = new Map();
let tick;

/* HTTP/2 and later carry all streams over one connection, so there is no limit. */
const isLimited = () => {
  const [navigation] = performance.getEntriesByType("navigation");
  return channel !== null && !/^h[23]/.test(navigation?.nextHopProtocol ?? "");
};

function become(role, isNew = false) {
  mine = { role, since: Date.now(), isNew };
  post();
  if (role === "holding") open();
  else close();
}

function post(asks = false) {
  channel?.postMessage({ id: me, ...mine, asks });
}

const inOrder = (a, b) => Number(b.isNew) - Number(a.isNew) || a.since - b.since || (a.id < b.id ? -1 : 1);

function decide() {
  const now = Date.now();
  if (mine.role === "none" || now < decidesAt) return;
  const all = [{ id: me, ...mine }];
  for (const [id, other] of others) {
    if (now - other.heardAt > TAB_GONE_MS) others.delete(id);
    else all.push({ id, ...other });
  }
  const holders = all.filter(({ role }) => role === "holding").sort((a, b) =>
    a.since - b.since || inOrder(a, b)
  );
  const waiting = all.filter(({ role }) => role === "waiting").sort(inOrder);
  const free = STREAMS_AT_ONCE - holders.length;
  if (mine.role === "waiting") {
    if (waiting.findIndex(({ id }) => id === me) < free) become("holding");
    return;
  }
  const rank = holders.findIndex(({ id }) => id === me);
  const wanted = (now - mine.since < TURN_MS ? waiting.filter(({ isNew }) => isNew) : waiting).length;
  // Tabs that have held their stream longest make room.
  if (rank < wanted - free || rank < -free) become("waiting");
}

channel?.addEventListener("message", ({ data: { id, asks, ...other } }) => {
  if (other.role === "none") others.delete(id);
  else others.set(id, { ...other, heardAt: Date.now() });
  if (asks && mine.role !== "none") post();
  decide();
});

function start() {
  if (mine.role !== "none" || document.hidden || place() === null) return;
  fineUntil = Date.now() + GRACE_MS;
  tick = setInterval(check, TICK_MS);
  if (!isLimited()) return become("holding");
  // By then, all other tabs have answered.
  decidesAt = Date.now() + ANSWER_MS;
  become("waiting", true);
  post(true);
  setTimeout(decide, ANSWER_MS + 1);
}

function stop() {
  clearInterval(tick);
  become("none");
}

/* Each second: announces this tab and checks that updates still arrive. */
function check() {
  post();
  decide();
  const now = Date.now();
  const limit = stream?.isOpen ? SILENT_MS : CONNECT_MS;
  if (stream !== null && now - stream.heardAt > limit) stream.abort?.abort();
  if (now > fineUntil) stale();
}

document.addEventListener("visibilitychange", () => document.hidden ? stop() : start());
addEventListener("pagehide", stop);
addEventListener("pageshow", start);
if (document.querySelector("#operation:is([data-status=running], [data-status=waiting])") !== null) {
  showLastLine();
}
start();
