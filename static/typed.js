/*
 * Keeps form entries while the person signs in again. They stay in this tab; passwords and hidden fields are never
 * kept.
 */
"use strict";

const KEPT = "typed";
const NOT_KEPT = "[type=password], [type=hidden], [type=file], [type=submit], button";

const postForms = () => [...document.querySelectorAll("form[method=post]:not(.login, .logout, .themes)")];
const fieldsOf = (form) =>
  [...form.elements].filter((field) => field.name !== "" && !field.matches(NOT_KEPT));

function isTyped(field) {
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  if (field.matches("select")) return [...field.options].some((it) => it.selected !== it.defaultSelected);
  return field.value !== field.defaultValue;
}

/* Of a submitted form every entry is kept, including prefilled ones. */
function keep(sent) {
  const forms = postForms().flatMap((form, n) => {
    const fields = fieldsOf(form).map((field, at) => ({ field, at })).filter(({ field }) =>
      form === sent || isTyped(field)
    );
    if (fields.length === 0) return [];
    return [{
      n,
      action: form.getAttribute("action"),
      fields: fields.map(({ field: { name, value, checked }, at }) => ({ name, value, checked, at })),
    }];
  });
  if (forms.length === 0) return;
  sessionStorage.setItem(KEPT, JSON.stringify({ here: document.body.dataset.here, forms }));
}

function putBack({ forms }) {
  let count = 0;
  const all = postForms();
  for (const { n, action, fields } of forms) {
    const same = all.filter((form) => form.getAttribute("action") === action);
    const form = same.includes(all[n]) ? all[n] : same[0];
    if (form === undefined) continue;
    for (const { name, value, checked, at } of fields) {
      const field = fieldsOf(form)[at];
      if (field === undefined || field.name !== name) continue;
      if (field.matches("[type=checkbox], [type=radio]")) field.checked = checked;
      else field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
      count++;
    }
  }
  const notice = document.getElementById("typed");
  if (count > 0 && notice !== null) notice.hidden = false;
}

document.addEventListener("submit", ({ target }) => {
  if (postForms().includes(target)) keep(target);
});
document.addEventListener("signed-out", () => keep(null));

/* A part of a form that is asked for without a session leads to the sign-in as the page's own stream does. */
document.addEventListener("htmx:before:response", (event) => {
  const { login, here } = document.body.dataset;
  if (event.detail.ctx.response.status !== 401 || login === undefined) return;
  event.preventDefault();
  keep(null);
  location.assign(`${login}?to=${encodeURIComponent(here)}`);
});

const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
const isSignIn = document.querySelector("form.login") !== null;
if (isSignIn && kept !== null) {
  sessionStorage.setItem(KEPT, JSON.stringify({ ...kept, signsIn: true }));
} else if (kept !== null) {
  sessionStorage.removeItem(KEPT);
  if (kept.signsIn && kept.here === document.body.dataset.here) putBack(kept);
}
