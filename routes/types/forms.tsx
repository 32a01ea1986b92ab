/** The forms of VM types, storage and the text, empty, filled in, or as they were typed. */
import { keyHelp } from "../../lib/configuration/editing/json_schema.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { paths } from "../../templates/paths.ts";
import { StoragePage } from "../../templates/pages/types/storage_page.tsx";
import { type TypeForm, TypePage } from "../../templates/pages/types/type_page.tsx";
import { TypesPage } from "../../templates/pages/types/types_page.tsx";
import { YamlPage } from "../../templates/pages/types/yaml_page.tsx";
import { readCapacity, readChoices } from "../choices.ts";
import { readForm } from "../forms/read_form.ts";
import { showAdoptForm } from "../images/adopt.tsx";
import type { AppContext } from "../server/context.ts";
import { type Dashboard, pageFrame, sendPage } from "../server/dashboard.ts";
import type { Change, StorageForm } from "./changes.ts";
import { type ConfigurationView, sectionIn, viewConfiguration } from "./configuration_view.ts";
import { changedForm, changeOf, filledForm, newForm, totalsOf } from "./type_forms.ts";

/** What a form shows beside what was typed. */
export interface FormState {
  readonly view: ConfigurationView;
  /** The fingerprint of the text that the form was filled from; default the present one. */
  readonly shown?: string;
  readonly problems?: readonly Problem[];
  readonly notice?: string | null;
  readonly status?: 200 | 409 | 422;
}

function storageOf({ configuration }: ConfigurationView): StorageForm {
  const { pool_path = "", cdrom_path = "" } = configuration?.storage ?? {};
  return { pool_path, cdrom_path };
}

/** GET /types/new: empty, or as a copy. */
export async function showNew(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const view = viewConfiguration(dashboard);
  const from = c.req.query("from") ?? "";
  const { autostart } = dashboard.manager.templates.defaults;
  const source = sectionIn(view, from);
  const storage = storageOf(view);
  if (view.problems.length > 0) return c.redirect(paths.types(), 303);
  if (source === undefined) {
    const { bridges } = await choicesFor(dashboard, storage);
    const form = newForm(storage, { autostart, bridges });
    return await showChangeForm(c, dashboard, { kind: "type", form }, { view });
  }
  const { type, ...filled } = filledForm(from, source, { storage, autostart });
  const form = { ...filled, from: null, copyOf: from, type: { ...type, name: freeName(from, view) } };
  return await showChangeForm(c, dashboard, { kind: "type", form }, { view });
}

/** A name for a copy: `worker_copy`, which does not end in a digit. */
function freeName(name: string, { configuration }: ConfigurationView): string {
  let free = `${name}_copy`;
  while (Object.hasOwn(configuration?.types ?? {}, free)) free += "_copy";
  return free;
}

/** GET /types/edit. */
export async function showEdit(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const view = viewConfiguration(dashboard);
  const name = c.req.query("name") ?? "";
  const section = sectionIn(view, name);
  if (section === undefined) return c.notFound();
  const { autostart } = dashboard.manager.templates.defaults;
  const form = filledForm(name, section, { storage: storageOf(view), autostart });
  return await showChangeForm(c, dashboard, { kind: "type", form }, { view });
}

async function showType(
  c: AppContext,
  dashboard: Dashboard,
  form: TypeForm,
  { view, status, ...page }: Required<FormState>,
): Promise<Response> {
  const storage = form.storage ?? storageOf(view);
  const choices = await choicesFor(dashboard, storageOf(view));
  const isKnown = storage.pool_path === storageOf(view).pool_path ||
    choices.datasets?.includes(storage.pool_path);
  const capacity = isKnown ? await readCapacity(dashboard, storage.pool_path) : null;
  const { source, readOnly } = view;
  const shown = { ...page, form, choices, totals: totalsOf(form, capacity), source, readOnly };
  return sendPage(c, <TypePage frame={pageFrame(c, dashboard)} page={shown} />, status);
}

function choicesFor(dashboard: Dashboard, storage: StorageForm) {
  return readChoices(dashboard, { storage, types: {} });
}

/** POST /types/form: the form after one of its own buttons, with everything that was typed. */
export async function showFormAgain(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = await readForm(c.req.raw);
  const view = viewConfiguration(dashboard);
  const change = fields === null ? null : changeOf(fields, (name) => sectionIn(view, name));
  if (fields === null || change === null) return c.redirect(paths.types(), 303);
  const shown = fields.get("shown") || view.fingerprint;
  if (change.kind !== "type") return await showChangeForm(c, dashboard, change, { view, shown });
  const form = fields.get("as") === "type" ? asType(change.form, view) : changedForm(change.form, fields);
  return await showChangeForm(c, dashboard, { kind: "type", form }, { view, shown });
}

/** The form of one VM as that of a new type; what all types share stays as it is configured. */
function asType({ type, storage, ...form }: TypeForm, view: ConfigurationView): TypeForm {
  const name = typeOf(type.name) ?? type.name;
  return {
    ...form,
    type: { ...type, name },
    storage: view.configuration === null ? storage : storageOf(view),
  };
}

/** Shows the form of a change again, as it was typed. */
export async function showChangeForm(
  c: AppContext,
  dashboard: Dashboard,
  change: Change,
  state: FormState,
): Promise<Response> {
  const { view } = state;
  const all = { shown: view.fingerprint, problems: [], notice: null, status: 200, ...state } as const;
  const { shown, problems, notice, status } = all;
  const page = { shown, problems, notice, source: view.source, readOnly: view.readOnly };
  const frame = pageFrame(c, dashboard);
  switch (change.kind) {
    case "type":
      return await showType(c, dashboard, change.form, all);
    case "storage": {
      const choices = await choicesFor(dashboard, storageOf(view));
      return sendPage(
        c,
        <StoragePage frame={frame} page={{ ...page, storage: change.storage, choices }} />,
        status,
      );
    }
    case "yaml":
      return sendPage(
        c,
        <YamlPage frame={frame} page={{ ...page, text: change.text, keys: keyHelp() }} />,
        status,
      );
    case "image":
      return await showAdoptForm(c, dashboard, change.image, state);
    case "remove":
      return sendPage(c, <TypesPage frame={frame} page={{ ...view, problems, saved: null }} />, status);
  }
}

/** GET /types/storage. */
export async function showStorage(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const view = viewConfiguration(dashboard);
  if (view.problems.length > 0) return c.redirect(paths.types(), 303);
  return await showChangeForm(c, dashboard, { kind: "storage", storage: storageOf(view) }, { view });
}

/** GET /types/yaml. */
export async function showYaml(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const view = viewConfiguration(dashboard);
  const problems = view.problems.map((problem) => ({ ...problem, field: "yaml" }));
  const change = { kind: "yaml", text: view.text ?? "", isRestored: false } as const;
  return await showChangeForm(c, dashboard, change, { view, problems });
}
