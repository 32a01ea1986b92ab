/* Opens the part of the program that starts in place of this one, once it answers. */
"use strict";

const AGAIN_MS = 500;
/* Said by the part that ends. */
const NOT_YET = 503;

const opens = document.querySelector("[data-opens]")?.dataset.opens;

async function open() {
  try {
    const { status } = await fetch(opens, { method: "HEAD", redirect: "manual", cache: "no-store" });
    if (status !== NOT_YET) return location.replace(opens);
  } catch {
    // Between the two parts nothing answers.
  }
  setTimeout(open, AGAIN_MS);
}

if (opens !== undefined) setTimeout(open, AGAIN_MS);
