/* Lets the timeline of a running operation move with time: bars grow, and the line of the present moves on. */
"use strict";

const TICK_MS = 1_000;
/* How much longer than what is known the axis becomes, so that it seldom changes. */
const HEADROOM = 1.3;

const percent = (part) => `${(Math.min(Math.max(part, 0), 1) * 100).toFixed(2)}%`;
const clock = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};

const operation = () => document.querySelector("#operation[data-status=running]");
/* The dashboard's clock may differ from this computer's. */
const aheadMs = Date.now() - Number(operation()?.dataset.now ?? Date.now());

function tick() {
  const root = operation();
  if (root === null) return clearInterval(timer);
  const nowMs = Date.now() - aheadMs - Number(root.dataset.started);
  const elapsed = root.querySelector("[data-elapsed]");
  if (elapsed !== null) elapsed.textContent = clock(nowMs);
  const picture = document.getElementById("waterfall");
  if (picture === null) return;
  if (nowMs > Number(picture.dataset.length)) lengthen(picture, nowMs * HEADROOM);
  const lengthMs = Number(picture.dataset.length);
  const x = percent(nowMs / lengthMs);
  for (const line of picture.querySelectorAll("line.now")) {
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
  const text = picture.querySelector("text.t-now");
  if (text !== null) {
    text.setAttribute("x", x);
    text.textContent = clock(nowMs);
  }
  for (const bar of picture.querySelectorAll("rect[data-from]")) {
    bar.setAttribute("width", percent((nowMs - Number(bar.dataset.from)) / lengthMs));
  }
}

/* A step can last longer than was expected, with no news of it: the axis then goes on. */
function lengthen(picture, lengthMs) {
  const ratio = Number(picture.dataset.length) / lengthMs;
  picture.dataset.length = lengthMs;
  fitLanes();
  for (const axis of picture.querySelectorAll("svg[data-axis]")) shrink(axis, ratio);
  const area = picture.querySelector("svg[viewBox] > .area")?.parentElement;
  if (area) area.setAttribute("viewBox", `0 0 ${(area.viewBox.baseVal.width / ratio).toFixed(1)} 40`);
}

/* A lane can arrive drawn on a longer or shorter axis than that of the page. */
function fitLanes() {
  const picture = document.getElementById("waterfall");
  const lengthMs = picture?.dataset.length;
  for (const lane of picture?.querySelectorAll("svg[data-length]") ?? []) {
    const ratio = Number(lane.dataset.length) / Number(lengthMs);
    if (ratio === 1) continue;
    lane.dataset.length = lengthMs;
    shrink(lane, ratio);
  }
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
document.addEventListener("htmx:after:swap", fitLanes);
