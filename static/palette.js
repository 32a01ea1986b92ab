/* Dialogs that buttons open. */
"use strict";

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-dialog]");
  if (button === null) return;
  button.closest("details.menu")?.removeAttribute("open");
  document.getElementById(button.dataset.dialog)?.showModal();
});
