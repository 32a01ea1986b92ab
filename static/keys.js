/* Conveniences that need a script: copy buttons, and keys. Everything works without. */
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button === null) return;
  const source = document.getElementById(button.dataset.copy);
  const text = button.dataset.text ?? source?.textContent ?? "";
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without a secure context there is no clipboard: the text is selected, to be copied by hand.
    if (source !== null) getSelection().selectAllChildren(source);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => button.textContent = label, 2_000);
});

const typing = (target) =>
  target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing(event.target)) return event.target.blur();
  if (typing(event.target)) return;
  if (event.key === "/") {
    const filter = document.getElementById("filter-q");
    if (filter === null) return;
    event.preventDefault();
    return filter.focus();
  }
  if (event.key === "?") {
    const help = document.getElementById("keys");
    if (help !== null && !help.open) help.showModal();
    return;
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    moveRow(event, event.key === "ArrowDown" ? 1 : -1);
  }
});

/* Arrows go from row to row; space then ticks, as it does on any tick box. */
function moveRow(event, by) {
  const boxes = [...document.querySelectorAll("#vm-list input[name=id]")];
  if (boxes.length === 0 || event.target.closest("#operation-log, .log") !== null) return;
  const at = boxes.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : boxes.length - 1) : Math.min(Math.max(at + by, 0), boxes.length - 1);
  event.preventDefault();
  boxes[next].focus();
}
