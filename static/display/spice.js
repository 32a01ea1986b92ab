/* A SPICE display, shown by spice-html5. Keys and pointer are sent from here: its own handling knows neither a scaled
   canvas nor other keyboards, and takes the focus from whoever passes with the pointer. */

const at = (path) => import(new URL(path, import.meta.url).href);

/** A ticket takes as many bytes as the server's key has, and spice-html5 leaves out its leading zeros: one in 256 is too short. */
const TICKET_BYTES = 128;

/** The ticket at its whole length. */
export function wholeTicket(bytes) {
  return [...new Array(Math.max(0, TICKET_BYTES - bytes.length)).fill(0), ...bytes];
}

const load = async () => {
  const [main, conn, display, playback, messages, enums, webm, random, scancodes] = await Promise.all([
    at("./spice/src/main.js"),
    at("./spice/src/spiceconn.js"),
    at("./spice/src/display.js"),
    at("./spice/src/playback.js"),
    at("./spice/src/spicemsg.js"),
    at("./spice/src/enums.js"),
    at("./spice/src/webm.js"),
    at("./spice/src/thirdparty/rng.js"),
    at("./novnc/core/input/xtscancodes.js"),
  ]);
  const { SpiceConn } = conn;
  // The page says what goes wrong; the browser's console need not.
  for (const log of ["log_info", "log_warn", "log_err"]) SpiceConn.prototype[log] = () => {};
  // A channel that fails is followed by the end of the main one.
  SpiceConn.prototype.report_error = function (error) {
    this.onerror?.(error);
  };
  if (SpiceConn.prototype.sendTicket === undefined) {
    SpiceConn.prototype.sendTicket = SpiceConn.prototype.send_ticket;
    SpiceConn.prototype.send_ticket = function (ticket) {
      this.sendTicket(wholeTicket(ticket));
    };
  }
  // Its own random numbers come from the clock.
  random.SecureRandom.prototype.nextBytes = (bytes) =>
    crypto.getRandomValues(new Uint8Array(bytes.length)).forEach((byte, index) => bytes[index] = byte);
  // Sound and video streams would need sources that the page's policy forbids; pictures come as pictures then.
  playback.SpicePlaybackConn.prototype.process_channel_message = () => true;
  webm.Constants.SPICE_VP8_CODEC = "video/none";
  display.SpiceDisplayConn.prototype.hook_events = () => {};
  display.SpiceDisplayConn.prototype.unhook_events = () => {};
  return {
    SpiceMainConn: main.SpiceMainConn,
    messages,
    constants: enums.Constants,
    scancodes: scancodes.default,
  };
};

/** Opens a display below `place`; events as in vnc.js. */
export async function openScreen({ place, url, password, events }) {
  const { SpiceMainConn, messages, constants, scancodes } = await load();
  const surface = document.createElement("div");
  surface.id = "spice-screen";
  surface.tabIndex = -1;
  place.append(surface);
  let reason = null;
  let isOver = false;
  const over = (why) => {
    if (isOver) return;
    isOver = true;
    listening.abort();
    connection?.stop();
    surface.remove();
    events.closed(why);
  };
  const listening = new AbortController();
  const connection = new SpiceMainConn({
    uri: url,
    password,
    screen_id: surface.id,
    onsuccess: events.connected,
    onerror: ({ message }) => {
      if (message === "Permission denied.") reason = "password";
      if (/magic mismatch|link error/.test(message)) reason = "protocol";
      if (reason !== null) over(reason);
    },
  });
  connection.ws.addEventListener("close", ({ code }) => over(reason ?? code));

  const send = (type, message) => {
    if (connection.inputs?.state !== "ready") return;
    const packet = new messages.SpiceMiniData();
    packet.build_msg(type, message);
    connection.inputs.send_msg(packet);
  };
  const held = new Set();
  const key = ({ code }, down) => {
    const scancode = scancodes[code];
    if (scancode === undefined) return;
    if (down) held.add(code);
    else held.delete(code);
    const message = down ? new messages.SpiceMsgcKeyDown() : new messages.SpiceMsgcKeyUp();
    // An extended key is 0xe0 and then the key; a release has the highest bit.
    const own = scancode & 0xff | (down ? 0 : 0x80);
    message.code = scancode > 0xff ? 0xe0 | own << 8 : own;
    send(down ? constants.SPICE_MSGC_INPUTS_KEY_DOWN : constants.SPICE_MSGC_INPUTS_KEY_UP, message);
  };
  const on = (type, listener) => surface.addEventListener(type, listener, { signal: listening.signal });
  for (const type of ["keydown", "keyup"]) {
    on(type, (event) => {
      // Windows presses Ctrl along with AltGr.
      if (event.key === "AltGraph" && held.has("ControlLeft")) key({ code: "ControlLeft" }, false);
      key(event, type === "keydown");
      // The page has keys of its own.
      event.stopPropagation();
      event.preventDefault();
    });
  }
  on("blur", () => {
    for (const code of [...held]) key({ code }, false);
  });

  const moved = ({ clientX, clientY }) => {
    const canvas = surface.querySelector("canvas");
    if (canvas === null || connection.inputs === undefined) return;
    const box = canvas.getBoundingClientRect();
    // The picture is scaled as a whole and stands in the middle.
    const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
    const within = (fromMiddle, size) =>
      Math.max(0, Math.min(size - 1, Math.round(fromMiddle / scale + size / 2)));
    const place = {
      offsetX: within(clientX - box.left - box.width / 2, canvas.width),
      offsetY: within(clientY - box.top - box.height / 2, canvas.height),
    };
    if (connection.inputs.waiting_for_ack >= 2 * constants.SPICE_INPUT_MOTION_ACK_BUNCH) return;
    connection.inputs.waiting_for_ack++;
    if (connection.mouse_mode === constants.SPICE_MOUSE_MODE_CLIENT) {
      const position = new messages.SpiceMsgcMousePosition(connection, place);
      send(constants.SPICE_MSGC_INPUTS_MOUSE_POSITION, position);
    } else {
      send(constants.SPICE_MSGC_INPUTS_MOUSE_MOTION, new messages.SpiceMsgcMouseMotion(connection, place));
    }
  };
  const pressed = (event, down) => {
    const message = down ? new messages.SpiceMsgcMousePress() : new messages.SpiceMsgcMouseRelease();
    const bit = 1 << event.button;
    connection.buttons_state = down
      ? (connection.buttons_state ?? 0) | bit
      : (connection.buttons_state ?? 0) & ~bit;
    message.button = event.button + 1;
    message.buttons_state = connection.buttons_state;
    send(down ? constants.SPICE_MSGC_INPUTS_MOUSE_PRESS : constants.SPICE_MSGC_INPUTS_MOUSE_RELEASE, message);
  };
  connection.buttons_state = 0;
  on("pointermove", moved);
  on("pointerdown", (event) => {
    surface.setPointerCapture(event.pointerId);
    surface.focus({ preventScroll: true });
    moved(event);
    pressed(event, true);
    event.preventDefault();
  });
  on("pointerup", (event) => pressed(event, false));
  on("contextmenu", (event) => event.preventDefault());
  on("wheel", (event) => {
    const button = event.deltaY < 0 ? constants.SPICE_MOUSE_BUTTON_UP : constants.SPICE_MOUSE_BUTTON_DOWN;
    for (const down of [true, false]) {
      const message = down ? new messages.SpiceMsgcMousePress() : new messages.SpiceMsgcMouseRelease();
      message.button = button;
      message.buttons_state = connection.buttons_state;
      send(
        down ? constants.SPICE_MSGC_INPUTS_MOUSE_PRESS : constants.SPICE_MSGC_INPUTS_MOUSE_RELEASE,
        message,
      );
    }
    event.preventDefault();
  });

  return {
    key,
    focus: () => surface.focus({ preventScroll: true }),
    blur: () => surface.blur(),
    close: () => over(null),
  };
}
