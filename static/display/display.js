/* The console page: connects the screen, says what happens, and sends keys that a browser keeps for itself. */
import { keysFor } from "./us_keyboard.js";

const element = (id) => document.getElementById(id);
const screen = element("screen");
const status = element("screen-status");
const passwordForm = element("screen-password");
const reconnect = element("screen-reconnect");
const { device, protocol, socket, password: passwordUrl } = screen.dataset;

/** A display that does not answer in its protocol says nothing at all. */
const PATIENCE_MS = 15_000;

/** Guests lose keys that come faster. */
const KEY_MS = 12;

const MAX_PASTED = 5_000;

/** Characters between two words on how far typing is. */
const TOLD_EACH = 100;

let session = null;
/** Counts connections, so that what comes late from an earlier one is ignored. */
let attempt = 0;

const words = (reason) =>
  element("display-words").querySelector(`[data-code="${reason}"]`)?.textContent ??
    element("display-words").querySelector('[data-code="lost"]').textContent;

function show(state, text) {
  screen.dataset.state = state;
  status.textContent = text;
  for (const mark of document.querySelectorAll("[data-when]")) mark.hidden = mark.dataset.when !== state;
  reconnect.hidden = state !== "closed";
  for (const button of document.querySelectorAll("[data-needs-screen]")) {
    button.disabled = state !== "connected";
  }
}

/** Ends what is open and says why. */
function close(reason) {
  attempt++;
  session?.close();
  session = null;
  const hadFocus = screen.contains(document.activeElement);
  element("screen-place").replaceChildren();
  show("closed", words(reason));
  const asks = ["password", "unknown-password", "no-password"].includes(reason);
  passwordForm.hidden = !asks;
  if (asks) passwordForm.querySelector("input").focus();
  else if (hadFocus) reconnect.focus();
}

/** The display's password, or the reason why there is none. */
async function readPassword() {
  // The audit log has one line for a screen and the password that opens it.
  const body = new URLSearchParams({ for: "screen" });
  const response = await fetch(passwordUrl, { method: "POST", headers: { accept: "application/json" }, body })
    .catch(() => null);
  if (response === null) return { reason: "lost" };
  if (response.redirected || response.status === 401 || response.status === 403) return { reason: "1008" };
  if (response.status === 404) return { reason: "4007" };
  if (!response.ok) return { reason: "no-password" };
  const { displays } = await response.json();
  const found = displays.find(({ deviceId }) => String(deviceId) === device);
  if (found === undefined) return { reason: "4007" };
  return found.password === null ? { reason: "unknown-password" } : { password: found.password };
}

/** Connects with a password that somebody typed, or with the one that the NAS tells. */
async function connect(typed) {
  const mine = ++attempt;
  session?.close();
  session = null;
  element("screen-place").replaceChildren();
  passwordForm.hidden = true;
  show("connecting", "Connecting…");
  const { password, reason } = typed === undefined ? await readPassword() : { password: typed };
  if (mine !== attempt) return;
  if (password === undefined) return close(reason);
  const timer = setTimeout(() => mine === attempt && close("protocol"), PATIENCE_MS);
  try {
    const { openScreen } = await (protocol === "VNC" ? import("./vnc.js") : import("./spice.js"));
    const opened = await openScreen({
      place: element("screen-place"),
      url: new URL(socket, location.href.replace(/^http/, "ws")).href,
      password,
      events: {
        connected: () => {
          clearTimeout(timer);
          if (mine === attempt) show("connected", "Connected");
        },
        closed: (why) => {
          clearTimeout(timer);
          if (mine !== attempt) return;
          session = null;
          // Without a code of the relay, the browser itself gave up what it did not understand.
          const isOwn = [1000, 1005].includes(why) && screen.dataset.state === "connecting";
          close(isOwn ? "protocol" : why ?? "lost");
        },
      },
    });
    if (mine === attempt) session = opened;
    else opened.close();
  } catch {
    clearTimeout(timer);
    if (mine === attempt) close("unsupported");
  }
}

function press(...keys) {
  for (const key of keys) session?.key(key, true);
  for (const key of keys.reverse()) session?.key(key, false);
}

const SHIFT = { code: "ShiftLeft", keysym: 0xffe1 };

/** Types keys, and says how far it is; it ends with the connection. */
async function type(keys, say) {
  const mine = attempt;
  for (const [index, key] of keys.entries()) {
    if (mine !== attempt) {
      return say(`Stopped after ${index} of ${keys.length} characters: the screen was closed`);
    }
    press(...key.shift ? [SHIFT, key] : [key]);
    if (index % TOLD_EACH === 0) say(`Typing ${keys.length} characters, ${keys.length - index} left`);
    await new Promise((resolve) => setTimeout(resolve, KEY_MS));
  }
  say(`Typed ${keys.length} ${keys.length === 1 ? "character" : "characters"}`);
}

reconnect.addEventListener("click", () => connect());
passwordForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = passwordForm.querySelector("input");
  const typed = field.value;
  field.value = "";
  connect(typed);
});
for (const button of document.querySelectorAll("[data-keys]")) {
  button.addEventListener("click", () => {
    press(...JSON.parse(button.dataset.keys));
    if (button.closest("details") === null) session?.focus();
  });
}
element("screen-full").hidden = !document.fullscreenEnabled;
element("screen-full").addEventListener("click", async () => {
  if (document.fullscreenElement !== null) return document.exitFullscreen();
  await element("console").requestFullscreen().catch(() => {});
  session?.focus();
});

const paste = element("screen-paste");
paste.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = paste.querySelector("textarea");
  const error = element("screen-paste-error");
  const { keys, unknown } = keysFor(field.value);
  const shown = unknown.slice(0, 10).join(" ");
  error.textContent = unknown.length > 0
    ? `A US keyboard cannot type: ${shown}${
      unknown.length > 10 ? " …" : ""
    }. Nothing was typed. Remove these characters`
    : keys.length > MAX_PASTED
    ? `This text has ${keys.length} characters, and at most ${MAX_PASTED} can be typed at once. Nothing was typed`
    : "";
  if (error.textContent !== "" || keys.length === 0) return field.focus();
  const button = paste.querySelector("button");
  button.disabled = true;
  await type(keys, (text) => element("screen-paste-status").textContent = text);
  button.disabled = screen.dataset.state !== "connected";
});

/* An on-screen keyboard opens only for a field, and many send no keys but change its text. */
const typed = element("screen-typed");
const BACKSPACE = { code: "Backspace", keysym: 0xff08 };
/** Always in the field, so that Backspace has something to remove. */
const FILLER = "_".repeat(10);
/** A longer text is cleared, unless the keyboard is still composing a word. */
const MAX_TYPED = 200;
let seen = "";
let sent = Promise.resolve();

function clearTyped() {
  seen = typed.value = FILLER;
  typed.setSelectionRange(FILLER.length, FILLER.length);
}

typed.addEventListener("focus", clearTyped);
typed.addEventListener("input", ({ isComposing }) => {
  const now = typed.value;
  let same = 0;
  while (same < seen.length && seen[same] === now[same]) same++;
  const { keys, unknown } = keysFor(now.slice(same));
  const changes = [...new Array(seen.length - same).fill(BACKSPACE), ...keys];
  sent = sent.then(() => type(changes, () => {}));
  element("screen-typed-error").textContent = unknown.length > 0
    ? `A US keyboard cannot type: ${unknown.slice(0, 10).join(" ")}`
    : "";
  seen = now;
  // What was not typed is not in the guest either, so Backspace must not find it.
  const isOff = unknown.length > 0 || now.length < FILLER.length || now.length > MAX_TYPED;
  if (isOff && !isComposing) clearTyped();
});

const keyboard = element("screen-keyboard");
let wasOpen = false;
keyboard.addEventListener("pointerdown", () => wasOpen = document.activeElement === typed);
keyboard.addEventListener("click", () => {
  if (wasOpen) typed.blur();
  else typed.focus({ preventScroll: true });
  wasOpen = false;
});

/* Into the screen by Enter, out of it by the left Ctrl and Alt alone: every other key belongs to the guest. */
screen.addEventListener("keydown", (event) => {
  if (event.target === screen && event.key === "Enter") {
    event.preventDefault();
    session?.focus();
  }
});
let leaving = false;
screen.addEventListener("keydown", ({ code, ctrlKey, altKey }) => {
  leaving = (code === "AltLeft" && ctrlKey) || (code === "ControlLeft" && altKey);
}, { capture: true });
screen.addEventListener("keyup", ({ code }) => {
  if (!leaving || !["AltLeft", "ControlLeft"].includes(code)) return;
  leaving = false;
  // Both keys are up in the guest before the focus goes.
  session?.key({ code: "AltLeft", keysym: 0xffe9 }, false);
  session?.key({ code: "ControlLeft", keysym: 0xffe3 }, false);
  session?.blur();
  document.querySelector("#console [role=group] button:enabled:not([hidden])").focus();
}, { capture: true });

addEventListener("pagehide", () => session?.close());
connect();
