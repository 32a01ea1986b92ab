/* Lets the timeline of a running operation move with time: bars grow, and the line of the present moves on. */
"use strict";

const TICK_MS = 1_000;
/* How much longer than what is known the axis becomes, so that it seldom changes. */
const HEADROOM = 1.3;
/* Of the area of steps at once, when the axis is as long as it was drawn for. */
const AREA_WIDTH = 1_000;

const percent = (part) => `${(Math.min(Math.max(part, 0), 1) * 100).toFixed(2)}%`;
const clock = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};

const operation = () => document.querySelector("#operation:is([data-status=running], [data-status=waiting])");
/* The dashboard's clock may differ from this computer's. */
const aheadMs = Date.now() - Number(operation()?.dataset.now ?? Date.now());

function tick() {
  const root = operation();
  if (root === null) return clearInterval(timer);
  const nowMs = Date.now() - aheadMs - Number(root.dataset.started);
  const elapsed = root.querySelector("[data-elapsed]");
  if (elapsed !== null) elapsed.textContent = clock(nowMs);
  countDown(root.querySelector("[data-left]"));
  const picture = document.getElementById("waterfall");
  if (picture === null) return;
  if (nowMs > Number(picture.dataset.length)) lengthen(picture, nowMs * HEADROOM);
  const lengthMs = Number(picture.dataset.length);
  const x = percent(nowMs / lengthMs);
  for (const line of picture.querySelectorAll("line.now")) {
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
  for (const line of picture.querySelectorAll("line[data-until]")) line.setAttribute("x2", x);
  const text = picture.querySelector("text.t-now");
  if (text !== null) {
    text.setAttribute("x", x);
    text.textContent = clock(nowMs);
  }
  for (const bar of picture.querySelectorAll("rect[data-from]")) {
    bar.setAttribute("width", percent((nowMs - Number(bar.dataset.from)) / lengthMs));
  }
}

/* An estimate that is used up says nothing more; its place stays. */
function countDown(left) {
  if (left === null) return;
  left.dataset.left = Math.max(Number(left.dataset.left) - TICK_MS, 0);
  left.textContent = clock(Number(left.dataset.left));
  left.closest(".planned").hidden = Number(left.dataset.left) < TICK_MS;
}

/* A step can last longer than was expected, with no news of it: the axis then goes on. */
function lengthen(picture, lengthMs) {
  picture.dataset.length = lengthMs;
  fitParts();
}

/* A part of the picture can arrive drawn on a longer or shorter axis than that of the page. */
function fitParts() {
  const picture = document.getElementById("waterfall");
  const lengthMs = picture?.dataset.length;
  for (const drawing of picture?.querySelectorAll("svg[data-length]") ?? []) {
    const ratio = Number(drawing.dataset.length) / Number(lengthMs);
    if (ratio === 1) continue;
    drawing.dataset.length = lengthMs;
    shrink(drawing, ratio);
  }
  const area = picture?.querySelector("svg[data-area]");
  const width = AREA_WIDTH * Number(lengthMs) / Number(area?.dataset.area);
  area?.setAttribute("viewBox", `0 0 ${width.toFixed(1)} 40`);
}

function shrink(drawing, ratio) {
  for (const part of drawing.querySelectorAll("rect, line, text")) {
    for (const name of ["x", "x1", "x2", "width"]) {
      const value = part.getAttribute(name);
      if (value !== null) part.setAttribute(name, percent(Number.parseFloat(value) / 100 * ratio));
    }
  }
}

const timer = setInterval(tick, TICK_MS);
document.addEventListener("htmx:after:swap", fitParts);
