/* Messages at the edge of the page: good ones leave by themselves, bad ones stay until they are closed. */
"use strict";

/* Long enough to read two short sentences. */
const GOOD_MS = 6_000;
/* Older ones make room. */
const MOST = 4;

const place = document.getElementById("toasts");

/* A message that somebody points at or has the focus in stays. */
function leave(toast) {
  if (!toast.isConnected) return;
  if (toast.matches(":hover, :focus-within")) return setTimeout(leave, GOOD_MS, toast);
  toast.remove();
}

function added(toast) {
  if (toast.dataset.toast === "good") setTimeout(leave, GOOD_MS, toast);
  while (place.children.length > MOST) place.firstElementChild.remove();
}

if (place !== null) {
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node instanceof HTMLElement) added(node);
    }
  }).observe(place, { childList: true });
  place.addEventListener("click", (event) => {
    if (event.target.closest(".close") !== null) event.target.closest(".toast").remove();
  });
}
