/** Creating: the form, the plan, and the operation. */
import { Hono } from "hono";
import { isUnwritten } from "../../lib/configuration/editing/configuration_store.ts";
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import {
  ConfigurationError,
  type Problem,
  remedyOf,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../../lib/errors/errors.ts";
import { planJson } from "../../lib/inventory/json.ts";
import type { Configuration } from "../../lib/configuration/configuration.ts";
import type { CreationRequest } from "../../lib/plan/creation_input.ts";
import type { CreationPlan } from "../../lib/plan/types.ts";
import { defaultTypes } from "../../lib/plan/wanted.ts";
import { type PlanSelection, usualSelection } from "../../templates/parts/plan/selection.ts";
import { readSelection, shownSelection } from "./plan_selection.ts";
import {
  type CreateForm,
  CreatePage,
  type CreateProps,
  hasWork,
  type SpareRow,
} from "../../templates/pages/create_page.tsx";
import { paths } from "../../templates/paths.ts";
import { NO_CHOICES, readCapacity, readChoices } from "../choices.ts";
import { capacityView } from "../vms/capacity_view.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { atField, configurationOf, hasField } from "../forms/form_configuration.ts";
import { readForm } from "../forms/read_form.ts";
import { totalsOfTypes } from "../forms/totals.ts";
import { changedType, createFormOf, formOf, spareRow, unknownTypesOf } from "../forms/typed_types.ts";
import type { AppContext, AppEnv } from "../server/context.ts";
import { approvePlan, approvingOf, withdrawApproval } from "./approve.ts";
import { confirmCreation } from "./confirm_creation.ts";
import type { CreateChoices } from "../../templates/parts/vm/vm_forms.tsx";

/** GET /create, POST /create/plan, POST /create, POST /create/approve. */
export function createRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/create", (c) => showForm(c, dashboard));
  app.get("/create/plan", (c) => showPlanOf(c, dashboard));
  app.get("/create/form", (c) => c.redirect(paths.create(), 303));
  app.post("/create/form", async (c) => {
    const read = await readCreateForm(c, dashboard);
    return "answer" in read ? read.answer : await showFormAgain(c, dashboard, read);
  });
  app.post("/create/plan", async (c) => {
    const read = await readCreateForm(c, dashboard);
    if ("answer" in read) return read.answer;
    return await keepingForm(c, dashboard, read, () => showPlan(c, dashboard, read));
  });
  app.post("/create", async (c) => {
    const read = await readCreateForm(c, dashboard);
    if ("answer" in read) return read.answer;
    return await keepingForm(c, dashboard, read, () => create(c, dashboard, read));
  });
  app.post("/create/approve", async (c) => {
    const read = await readCreateForm(c, dashboard);
    if ("answer" in read) return read.answer;
    return await keepingForm(c, dashboard, read, () => approve(c, dashboard, read));
  });
  app.post("/create/approve/withdraw", async (c) => {
    const read = await readCreateForm(c, dashboard);
    if ("answer" in read) return read.answer;
    withdrawApproval(c, dashboard, read.fields);
    return c.redirect(paths.planApproval(typesOf(read)), 303);
  });
  return app;
}

function typesOf({ form }: ReadForm): string[] {
  return form.types.map(({ name }) => name);
}

async function approve(c: AppContext, dashboard: Dashboard, read: ReadForm): Promise<Response> {
  const { configuration } = read.file;
  const approved = await approvePlan(c, dashboard, read.fields, { configuration, types: typesOf(read) });
  if ("next" in approved) return c.redirect(approved.next, 303);
  return await showPlan(c, dashboard, read, { notice: approved.notice });
}

async function showForm(c: AppContext, dashboard: Dashboard): Promise<Response> {
  try {
    const { configuration } = dashboard.configuration();
    const form = formOf(configuration, dashboard.manager.templates.defaults);
    return send(c, dashboard, { form, choices: await readChoices(dashboard, configuration) }, 200);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const notice = isUnwritten(dashboard.configurationStore.read().text)
      ? "There are no VM types yet. Add one first."
      : "The configuration file has errors, so the form cannot be shown. Fix them first.";
    return send(c, dashboard, { form: null, problems: error.problems.map(unlinked), notice }, 422);
  }
}

/** A problem in the file, which has no field on the page to link to. */
function unlinked({ field, message, line, column }: Problem): Problem {
  const place = line === undefined ? "" : `line ${line}, column ${column ?? 1}: `;
  return { field: "", message: `${place}${field === "" ? "" : `${field}: `}${message}` };
}

/** A submitted form, with the configuration file that it was filled in from. */
interface ReadForm {
  readonly form: CreateForm;
  readonly fields: URLSearchParams;
  readonly file: ParsedConfiguration;
}

async function readCreateForm(
  c: AppContext,
  dashboard: Dashboard,
): Promise<ReadForm | { readonly answer: Response }> {
  const fields = await readForm(c.req.raw);
  const file = dashboard.configuration();
  const form = fields === null ? null : createFormOf(fields, file.configuration);
  const problems = fields === null ? [] : unknownTypesOf(fields, file.configuration);
  if (fields !== null && form !== null && problems.length === 0) return { form, fields, file };
  const initial = formOf(file.configuration, dashboard.manager.templates.defaults);
  if (problems.length > 0) {
    return { answer: await send(c, dashboard, { form: form ?? initial, problems }, 422) };
  }
  const notice = "The form arrived empty. Nothing was planned or created. Fill it in and submit it again.";
  return { answer: await send(c, dashboard, { form: initial, notice }, 400) };
}

/** The form after one of its own buttons, with everything that was typed. */
async function showFormAgain(
  c: AppContext,
  dashboard: Dashboard,
  { form, fields, file }: ReadForm,
): Promise<Response> {
  const types = form.types.map((type) => changedType(type, fields, `${type.name}.`));
  const spare = types.flatMap(({ name }): SpareRow[] => {
    const kind = spareRow(fields, `${name}.`);
    return kind === null ? [] : [{ type: name, kind }];
  })[0] ?? null;
  const choices = await readChoices(dashboard, file.configuration);
  return await send(c, dashboard, { form: { ...form, types }, choices, spare }, 200);
}

/** If the NAS cannot be reached or refuses, shows the form again with its entries and the error. */
async function keepingForm(
  c: AppContext,
  dashboard: Dashboard,
  { form }: ReadForm,
  handle: () => Promise<Response>,
): Promise<Response> {
  try {
    return await handle();
  } catch (error) {
    if (!(error instanceof TrueNASError) || error instanceof ConfigurationError) throw error;
    const notice = `${error.message}. ${remedyOf(error)} Your entries are kept.`;
    const isAway = error instanceof TrueNASConnectionError || error instanceof TrueNASTimeoutError;
    return await send(c, dashboard, { form, notice }, isAway ? 503 : 502);
  }
}

/** The plan of types as they are configured, to which agents and the marks of VMs that differ lead; `vm` alone is ticked. */
async function showPlanOf(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const [asked, vm] = [c.req.queries("type") ?? [], c.req.query("vm") ?? null];
  const file = dashboard.configuration();
  const { types, ...form } = formOf(file.configuration, dashboard.manager.templates.defaults);
  const own = types.filter(({ name }) => asked.length === 0 || asked.includes(name));
  const hasAll = asked.every((name) => types.some((type) => type.name === name));
  if (own.length === 0 || !hasAll || !pageFrame(c, dashboard).mayChange) {
    return c.redirect(paths.create(), 303);
  }
  const read = { form: { ...form, types: own }, fields: new URLSearchParams(), file };
  const select = (plan: CreationPlan) => usualSelection(plan, vm);
  const isAsked = c.req.query("for") === "agent";
  return await keepingForm(c, dashboard, read, () => showPlan(c, dashboard, read, { select, isAsked }));
}

/** How a plan is shown. */
interface Showing {
  /** Why a confirmation was refused. */
  readonly notice?: string | null;
  /** What is ticked; by default as before. */
  readonly select?: (plan: CreationPlan) => PlanSelection;
  /** Whether an agent sent the person here; by default not. */
  readonly isAsked?: boolean;
}

/** Shows the plan; with a notice or with problems of the selection, as the answer to a confirmation that was refused. */
async function showPlan(
  c: AppContext,
  dashboard: Dashboard,
  { form, file, fields }: ReadForm,
  { notice = null, select = (plan) => shownSelection(fields, plan), isAsked = false }: Showing = {},
): Promise<Response> {
  const read = requestOf(form, file.configuration);
  if (!read.ok) {
    const choices = await readChoices(dashboard, file.configuration);
    return await send(c, dashboard, { form, problems: read.problems, choices }, 422);
  }
  const plan = await dashboard.manager.operations.planCreation(read.request);
  const choices = await readChoices(dashboard, read.request.configuration);
  const types = form.types.map(({ name }) => name);
  const approving = approvingOf(dashboard, plan, { configuration: file.configuration, types, isAsked });
  return await sendPlan(c, dashboard, { form, plan, choices, selection: select(plan), approving }, notice);
}

/** The form as a request. Types that it does not have still count, so that displays begin at their usual ports. */
function requestOf(form: CreateForm, file: Configuration) {
  const read = configurationOf(form, file);
  if (!read.ok) return read;
  const { configuration } = read;
  const types = defaultTypes(file).filter(({ type }) => Object.hasOwn(configuration.types, type));
  const request: CreationRequest = { configuration, types };
  return { ok: true, request } as const;
}

interface ShownPlan extends Pick<CreateProps, "approving"> {
  readonly form: CreateForm;
  readonly plan: CreationPlan;
  readonly choices: CreateChoices;
  readonly selection: PlanSelection;
}

async function sendPlan(
  c: AppContext,
  dashboard: Dashboard,
  shown: ShownPlan,
  notice: string | null,
): Promise<Response> {
  const { form, plan, choices, selection, approving } = shown;
  const problems = plan.findings.filter(({ severity }) => severity === "error").map((finding) => {
    const { field, vms, message } = atField(finding, form);
    return {
      field: hasField(field, form) ? field : "",
      message: vms.length === 1 ? `${vms[0]}: ${message}` : message,
    };
  });
  // What is wrong with some VMs does not prevent the others.
  const token = problems.length === 0 || hasWork(plan) ? issueToken(c, dashboard) : null;
  const isRefused = problems.length + selection.problems.length > 0;
  const status = notice !== null ? 409 : isRefused ? 422 : 200;
  if (wantsJson(c)) return c.json({ ...planJson(plan), selection, notice, token }, status);
  return await send(
    c,
    dashboard,
    { form, plan, problems, choices, selection, token, notice, approving },
    status,
  );
}

async function create(c: AppContext, dashboard: Dashboard, read: ReadForm): Promise<Response> {
  const parsed = requestOf(read.form, read.file.configuration);
  const selected = readSelection(read.fields);
  if (parsed.ok && !selected.ok) {
    const select = (plan: CreationPlan) => shownSelection(read.fields, plan, selected.problems);
    return await showPlan(c, dashboard, read, { select });
  }
  const request = parsed.ok && selected.ok ? { ...parsed.request, reconcile: selected.reconcile } : null;
  const confirmed = await confirmCreation(c, dashboard, read.fields, request);
  if ("next" in confirmed) return c.redirect(confirmed.next, 303);
  return await showPlan(c, dashboard, read, { notice: confirmed.notice });
}

async function send(
  c: AppContext,
  dashboard: Dashboard,
  given: Partial<CreateProps> & Pick<CreateProps, "form">,
  status: 200 | 400 | 409 | 422 | 502 | 503,
): Promise<Response> {
  const { form } = given;
  const isKnown = form !== null && (given.choices?.datasets ?? []).includes(form.pool_path);
  const capacity = isKnown ? await readCapacity(dashboard, form.pool_path) : null;
  const { vms } = dashboard.manager.inventory.live.snapshot;
  const existing = new Set(vms?.map(({ name }) => name));
  const create: CreateProps = {
    plan: null,
    selection: null,
    problems: [],
    choices: NO_CHOICES,
    spare: null,
    totals: totalsOfTypes(form?.types ?? [], capacity, existing),
    capacity: capacity === null ? null : capacityView(dashboard, capacity),
    token: null,
    notice: null,
    approving: null,
    ...given,
  };
  return await sendPage(c, <CreatePage frame={pageFrame(c, dashboard)} create={create} />, status);
}
