/* The serial console: a terminal that reports its size and reconnects by itself. */
"use strict";

const place = document.getElementById("serial");
const words = document.getElementById("serial-words");

function show(state, text) {
  place.dataset.state = state;
  for (const mark of document.querySelectorAll("[data-when]")) mark.hidden = mark.dataset.when !== state;
  words.textContent = text;
}

/* The terminal creates style elements, which the content security policy allows only with the page's nonce. */
const createElement = document.createElement.bind(document);
document.createElement = (name, options) => {
  const element = createElement(name, options);
  if (String(name).toLowerCase() === "style") element.setAttribute("nonce", place.dataset.nonce);
  return element;
};

const terminal = new Terminal({ scrollback: 5_000, convertEol: false, fontSize: 14 });
const fit = new FitAddon.FitAddon();
terminal.loadAddon(fit);
terminal.open(place);

let socket = null;
let wait = 500;
/** Why the NAS did not open the console; empty when it did. */
let refusal = "";
const LONGEST_WAIT = 15_000;

const send = (message) => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
};

const resize = () => {
  fit.fit();
  send({ cols: terminal.cols, rows: terminal.rows });
};

function connect() {
  socket = new WebSocket(new URL(place.dataset.socket, location.href.replace(/^http/, "ws")));
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return terminal.write(new Uint8Array(data));
    const message = JSON.parse(data);
    if (message.type === "connected") {
      wait = 500;
      refusal = "";
      show("connected", "");
      resize();
      terminal.focus();
    }
    if (message.type === "failed") refusal = message.message;
  };
  socket.onclose = () => {
    show("closed", refusal || "The console was closed. Reconnecting…");
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };
}

terminal.onData((input) => send({ input }));
terminal.attachCustomKeyEventHandler((event) => {
  if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
  if (event.code === "KeyC" && terminal.hasSelection()) {
    navigator.clipboard?.writeText(terminal.getSelection());
    return false;
  }
  return event.code !== "KeyV";
});
new ResizeObserver(resize).observe(place);
connect();
