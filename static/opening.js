/* Opens the part of the program that starts in place of this one, once it answers. */
"use strict";

/* The part that ends answers for another moment. */
const FIRST_MS = 2_000;
const AGAIN_MS = 500;

const opens = document.querySelector("[data-opens]")?.dataset.opens;

async function open() {
  try {
    await fetch(opens, { method: "HEAD", redirect: "manual", cache: "no-store" });
    location.replace(opens);
  } catch {
    setTimeout(open, AGAIN_MS);
  }
}

if (opens !== undefined) setTimeout(open, FIRST_MS);
