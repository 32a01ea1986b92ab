/* Converts times from UTC to the reader's time zone and names the zone. */
"use strict";

const two = (value) => String(value).padStart(2, "0");
const dayOf = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const timeOf = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;

/* Shared, because creating a formatter is slow and a log has many lines. */
const format = new Intl.DateTimeFormat("en", { timeZoneName: "short" });

/* The zone at that time, because summer and winter differ: CET, GMT+2. */
function zoneOf(date) {
  const parts = format.formatToParts(date);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

function convert(time) {
  const date = new Date(time.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const zone = zoneOf(date);
  const own = time.dataset.shows === "date"
    ? `${dayOf(date)} ${timeOf(date)} ${zone}`
    : `${timeOf(date)} ${zone}`;
  // Writing an unchanged text would trigger the observer again.
  if (time.textContent !== own) time.textContent = own;
  const whole = `${dayOf(date)} ${timeOf(date)} ${zone} (${time.dateTime})`;
  if (time.title !== whole) time.title = whole;
}

const convertAll = (within) => {
  for (const time of within.querySelectorAll("time[datetime]")) convert(time);
};

/* Converts only what changed, so that a long log is not converted again with every new line. */
new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes) {
    const changed = target instanceof Element ? target : target.parentElement;
    const time = changed?.closest("time[datetime]");
    if (time) convert(time);
    for (const node of addedNodes) {
      if (!(node instanceof Element)) continue;
      if (node.matches("time[datetime]")) convert(node);
      else convertAll(node);
    }
  }
}).observe(document.body, {
  childList: true,
  characterData: true,
  subtree: true,
  attributes: true,
  attributeFilter: ["datetime", "title"],
});
convertAll(document);
