/* Completion in the YAML tab: the keys and values that fit where the cursor is, from the JSON Schema of the file. */
"use strict";

const MOST = 12;
const text = document.querySelector("textarea[data-schema]");
const bar = document.getElementById("yaml-keys");

/* The names of the sections that a line is in, outermost first, by their indentation. */
function pathTo(lines, indent) {
  const path = [];
  let within = indent;
  for (const line of lines.toReversed()) {
    const [, spaces, name] = /^( *)([\w.-]+):/.exec(line) ?? [];
    if (spaces === undefined || spaces.length >= within) continue;
    path.unshift(name);
    within = spaces.length;
  }
  return path;
}

function schemaAt(schema, path) {
  return path.reduce((at, name) => at?.properties?.[name] ?? at?.additionalProperties, schema);
}

/* What can stand at the cursor, and the letters of it that are typed already. */
function choicesAt(schema) {
  const before = text.value.slice(0, text.selectionStart);
  const lines = before.split("\n");
  const line = lines.pop();
  const [, indent, key, typed] = /^( *)(?:([\w.-]+): +)?([\w-]*)$/.exec(line) ?? [];
  if (indent === undefined) return { typed: "", choices: [] };
  const path = pathTo(lines, indent.length);
  if (key === undefined) {
    const properties = schemaAt(schema, path)?.properties ?? {};
    return {
      typed,
      choices: Object.entries(properties).map(([name, it]) => [name, `${name}: `, it.description]),
    };
  }
  const at = schemaAt(schema, [...path, key]);
  const values = at?.enum ?? (at?.type === "boolean" ? ["true", "false"] : []);
  return { typed, choices: values.map((value) => [value, value, ""]) };
}

function show(schema) {
  const { typed, choices } = choicesAt(schema);
  const fitting = choices.filter(([name]) => name.startsWith(typed) && name !== typed).slice(0, MOST);
  bar.replaceChildren(...fitting.map(([name, inserted, help]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn sm";
    button.tabIndex = -1;
    button.textContent = name;
    button.title = help ?? "";
    button.dataset.insert = inserted.slice(typed.length);
    return button;
  }));
  bar.dataset.typed = typed;
}

function insert(added) {
  text.focus();
  // Unlike setting the value, this can be undone.
  if (document.execCommand("insertText", false, added)) return;
  text.setRangeText(added, text.selectionStart, text.selectionEnd, "end");
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

async function start() {
  const response = await fetch(text.dataset.schema);
  if (!response.ok) return;
  const schema = await response.json();
  bar.hidden = false;
  for (const event of ["input", "click", "keyup", "focus"]) text.addEventListener(event, () => show(schema));
  bar.addEventListener("click", ({ target }) => {
    if (target.dataset.insert !== undefined) insert(target.dataset.insert);
  });
  text.addEventListener("keydown", (event) => {
    // Without a word to complete, and after Escape, Tab leaves the field as everywhere.
    const first = bar.querySelector("button");
    if (event.key === "Escape") bar.replaceChildren();
    if (event.key !== "Tab" || event.shiftKey || first === null || bar.dataset.typed === "") return;
    event.preventDefault();
    insert(first.dataset.insert);
  });
}

if (text !== null && bar !== null) start();
