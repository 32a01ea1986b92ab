/* The plan of a creation: the button and the phrase name what is ticked. Without a script the server checks it. */
"use strict";

const ticked = (form, name) => [...form.querySelectorAll(`input[name=${name}]:checked`)];

function describe(work) {
  const parts = Object.entries(work).filter(([, count]) => count > 0);
  if (parts.length === 0) return "Nothing is ticked";
  const words = parts.length === 1
    ? `${parts[0][0]} ${count(parts[0][1], "VM")}`
    : parts.map(([verb, number]) => `${verb} ${number}`).join(", ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

function update() {
  const button = document.getElementById("confirm-create");
  const words = document.getElementById("confirm-words");
  if (button === null || words === null) return;
  const { form } = button;
  const [change, replace] = [ticked(form, "change"), ticked(form, "replace")];
  const completed = change.filter((box) => box.dataset.completes === "yes").length;
  const work = {
    create: Number(button.dataset.creates) - completed,
    change: change.length,
    replace: replace.length,
  };
  words.textContent = describe(work);
  const phrase = document.getElementById("phrase-words");
  if (phrase !== null) phrase.textContent = `destroy ${count(Math.max(1, replace.length), "vm")}`;
  const typed = document.getElementById("field-phrase")?.value.trim().toLowerCase();
  const isWaiting = replace.length > 0 && typed !== phrase?.textContent;
  const isNothing = Object.values(work).every((number) => number === 0);
  button.classList.toggle("waits", isWaiting || isNothing);
  for (const all of form.querySelectorAll("input[data-all]")) {
    const own = [...all.closest("tbody").querySelectorAll("input[name=change]")];
    all.checked = own.every((box) => box.checked);
    all.indeterminate = !all.checked && own.some((box) => box.checked);
  }
}

document.addEventListener("change", ({ target }) => {
  if (target.dataset.all !== undefined) {
    const boxes = target.closest("tbody").querySelectorAll("input[name=change]");
    for (const box of boxes) box.checked = target.checked;
  }
  if (target.form?.id === "create-form") update();
});
document.addEventListener("input", ({ target }) => {
  if (target.id === "field-phrase") update();
});
/* What is missing is shown, without a way to the server and back. */
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#confirm-create.waits");
  const phrase = document.getElementById("field-phrase");
  if (!button || phrase === null || ticked(button.form, "replace").length === 0) return;
  event.preventDefault();
  phrase.focus();
});
/* The Enter key presses the first button of the form, which only shows the plan again. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || event.target.id !== "field-phrase") return;
  event.preventDefault();
  document.getElementById("confirm-create")?.click();
});
document.addEventListener("htmx:after:swap", update);
addEventListener("pageshow", update);
update();
