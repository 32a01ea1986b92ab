/* A VNC display, shown by noVNC. */

const moduleAt = (path) => import(new URL(`./novnc/core/${path}`, import.meta.url).href);

/**
 * Opens a display below `place`. `events.connected()` is called once; `events.closed(reason)` once at the end, with
 * "password", the WebSocket's close code, or null.
 */
export async function openScreen({ place, url, password, events }) {
  const [{ default: RFB }, { initLogging }] = await Promise.all([
    moduleAt("rfb.js"),
    moduleAt("util/logging.js"),
  ]);
  // The page says what goes wrong; the browser's console need not.
  initLogging("none");
  const socket = new WebSocket(url, "binary");
  let refused = false;
  let code = null;
  const ended = new Promise((resolve) =>
    socket.addEventListener("close", (event) => {
      code = event.code;
      resolve();
    })
  );
  const rfb = new RFB(place, socket, { credentials: { password } });
  // noVNC misses a place that returns to the size it had when the guest's screen last changed its own.
  const resizing = new ResizeObserver(() => rfb.scaleViewport = true);
  resizing.observe(place);
  rfb.background = "black";
  const refuse = () => {
    refused = true;
    rfb.disconnect();
  };
  rfb.addEventListener("connect", events.connected);
  rfb.addEventListener("credentialsrequired", refuse);
  rfb.addEventListener("securityfailure", () => refused = true);
  rfb.addEventListener("disconnect", async () => {
    resizing.disconnect();
    await ended;
    events.closed(refused ? "password" : code);
  });
  return {
    key: ({ code, keysym }, down) => rfb.sendKey(keysym, code, down),
    focus: () => rfb.focus({ preventScroll: true }),
    blur: () => rfb.blur(),
    close: () => rfb.disconnect(),
  };
}
