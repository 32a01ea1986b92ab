/* Shows how much of a file was sent; without this script the browser shows that it is loading. */
"use strict";

const form = document.getElementById("upload-form");
const place = document.getElementById("upload-progress");
const words = document.getElementById("upload-words");
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function size(bytes) {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${Number(value.toFixed(1))} ${UNITS[unit]}`;
}

function show(text, percent = null) {
  words.textContent = text;
  if (percent !== null) place.querySelector("progress").value = percent;
}

/** Whole seconds between two changes of the words, so that they can be read out. */
const PAUSE_MS = 1_000;

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const started = performance.now();
  let last = 0;
  const button = form.querySelector("#upload");
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("accept", "text/html");
  request.upload.onprogress = ({ loaded, total }) => {
    const now = performance.now();
    if (now - last < PAUSE_MS && loaded < total) return;
    last = now;
    const rate = loaded / Math.max(0.001, (now - started) / 1_000);
    show(`${size(loaded)} of ${size(total)}, ${size(rate)}/s`, (100 * loaded) / total);
  };
  request.onload = () => {
    if (request.status < 400) return location.assign(request.responseURL);
    /* The page says what is wrong; its scripts are those of this one. */
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const main = page.getElementById("main");
    if (main === null) return failed();
    document.getElementById("main").replaceWith(main);
    document.getElementById("error-summary")?.focus();
  };
  const failed = () => {
    button.disabled = false;
    place.hidden = false;
    show("The upload broke off. Check the network, then upload the file again.");
  };
  request.onerror = failed;
  button.disabled = true;
  place.hidden = false;
  show("Sending…", 0);
  form.elements.size.value = form.elements.file.files[0]?.size ?? "";
  request.send(new FormData(form));
});
