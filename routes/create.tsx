/** Creating: the form, the plan, and the operation. */
import { Hono } from "hono";
import type { ParsedConfiguration } from "../lib/configuration/configuration.ts";
import {
  ConfigurationError,
  type Problem,
  remedyOf,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../lib/errors/errors.ts";
import type { CreationPlan } from "../lib/plan/types.ts";
import { type CreateForm, CreatePage, type CreateProps } from "../templates/pages/create_page.tsx";
import { paths } from "../templates/paths.ts";
import { NO_CHOICES, readChoices } from "./choices.ts";
import { type Dashboard, issueToken, pageFrame, sendPage } from "./server/dashboard.ts";
import {
  atField,
  configurationOf,
  createFormOf,
  formOf,
  hasField,
  readForm,
  unknownTypesOf,
} from "./forms.ts";
import { actorOf, type AppContext, type AppEnv } from "./server/context.ts";
import type { CreateChoices } from "../templates/parts/vm_forms.tsx";

/** GET /create, POST /create/plan, POST /create. */
export function createRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/create", (c) => showForm(c, dashboard));
  app.get("/create/plan", (c) => c.redirect(paths.create(), 303));
  app.post("/create/plan", async (c) => {
    const read = await readCreateForm(c, dashboard);
    return "answer" in read ? read.answer : await keepingForm(c, dashboard, read, showPlan);
  });
  app.post("/create", async (c) => {
    const read = await readCreateForm(c, dashboard);
    return "answer" in read ? read.answer : await keepingForm(c, dashboard, read, create);
  });
  return app;
}

async function showForm(c: AppContext, dashboard: Dashboard): Promise<Response> {
  try {
    const { configuration } = dashboard.configuration();
    const form = formOf(configuration, dashboard.manager.templates.defaults);
    return send(c, dashboard, { form, choices: await readChoices(dashboard, configuration) }, 200);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const notice =
      "The configuration file has errors, so the form cannot be shown. Fix them and reload this page.";
    return send(c, dashboard, { form: null, problems: error.problems.map(unlinked), notice }, 422);
  }
}

/** A problem in the file, which has no field on the page to link to. */
function unlinked({ field, message, line, column }: Problem): Problem {
  const place = line === undefined ? "" : `line ${line}, column ${column ?? 1}: `;
  return { field: "", message: `${place}${field === "" ? "" : `${field}: `}${message}` };
}

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
  if (problems.length > 0) {
    const shown = form ?? formOf(file.configuration, dashboard.manager.templates.defaults);
    return { answer: await send(c, dashboard, { form: shown, problems }, 422) };
  }
  if (fields !== null && form !== null) return { form, fields, file };
  const notice = "The form arrived empty. Nothing was planned or created. Fill it in and submit it again.";
  return {
    answer: await send(c, dashboard, {
      form: formOf(file.configuration, dashboard.manager.templates.defaults),
      notice,
    }, 400),
  };
}

type Handler = (c: AppContext, dashboard: Dashboard, read: ReadForm) => Promise<Response>;

/** If the NAS cannot be reached or refuses, shows the form again with its entries and the error. */
async function keepingForm(
  c: AppContext,
  dashboard: Dashboard,
  read: ReadForm,
  handle: Handler,
): Promise<Response> {
  try {
    return await handle(c, dashboard, read);
  } catch (error) {
    if (!(error instanceof TrueNASError) || error instanceof ConfigurationError) throw error;
    const notice = `${error.message}. ${remedyOf(error)} Your entries are kept.`;
    return await send(
      c,
      dashboard,
      { form: read.form, notice },
      error instanceof TrueNASConnectionError || error instanceof TrueNASTimeoutError ? 503 : 502,
    );
  }
}

async function showPlan(c: AppContext, dashboard: Dashboard, { form, file }: ReadForm): Promise<Response> {
  const read = configurationOf(form, file.configuration);
  if (!read.ok) {
    return await send(c, dashboard, {
      form,
      problems: read.problems,
      choices: await readChoices(dashboard, file.configuration),
    }, 422);
  }
  const plan = await dashboard.manager.planCreation({ configuration: read.configuration });
  const choices = await readChoices(dashboard, read.configuration);
  return await sendPlan(c, dashboard, { form, plan, choices }, null);
}

interface ShownPlan {
  readonly form: CreateForm;
  readonly plan: CreationPlan;
  readonly choices: CreateChoices;
}

async function sendPlan(
  c: AppContext,
  dashboard: Dashboard,
  shown: ShownPlan,
  notice: string | null,
): Promise<Response> {
  const { form, plan, choices } = shown;
  const problems = plan.findings.filter(({ severity }) => severity === "error").map((finding) => {
    const { field, vms, message } = atField(finding, form);
    return {
      field: hasField(field, form) ? field : "",
      message: vms.length === 1 ? `${vms[0]}: ${message}` : message,
    };
  });
  const token = problems.length === 0 ? issueToken(c, dashboard) : null;
  const status = notice !== null ? 409 : problems.length > 0 ? 422 : 200;
  return await send(c, dashboard, { form, plan, problems, choices, token, notice }, status);
}

async function create(c: AppContext, dashboard: Dashboard, read: ReadForm): Promise<Response> {
  const { manager, tokens } = dashboard;
  const token = read.fields.get("token") ?? "";
  const parsed = configurationOf(read.form, read.file.configuration);
  if (!parsed.ok || !tokens.knows(token)) return await showPlanAgain(c, dashboard, read);
  if (manager.operations.writing !== null && !tokens.isUsed(token)) {
    return await showPlanAgain(
      c,
      dashboard,
      read,
      `Another operation is running: ${manager.operations.writing.view.title}. Nothing was created. Try again when it has finished.`,
    );
  }
  const shown = read.fields.get("plan") ?? "";
  const led = await tokens.redeem(token, async () => {
    const started = await manager.operations.startCreation({ configuration: parsed.configuration }, shown, {
      by: actorOf(c),
    });
    return started.started ? paths.operation(started.operation.log.id) : null;
  });
  if (led !== null) return c.redirect(led, 303);
  return await showPlanAgain(
    c,
    dashboard,
    read,
    "The NAS or the form changed after the plan was shown. Nothing was created. Check the new plan below and confirm it.",
  );
}

const NOT_SHOWN = "Nothing has been created yet. Check the plan below, then confirm it.";

async function showPlanAgain(
  c: AppContext,
  dashboard: Dashboard,
  read: ReadForm,
  notice = NOT_SHOWN,
): Promise<Response> {
  const parsed = configurationOf(read.form, read.file.configuration);
  if (!parsed.ok) return await showPlan(c, dashboard, read);
  const plan = await dashboard.manager.planCreation({ configuration: parsed.configuration });
  const choices = await readChoices(dashboard, parsed.configuration);
  return await sendPlan(c, dashboard, { form: read.form, plan, choices }, notice);
}

async function send(
  c: AppContext,
  dashboard: Dashboard,
  given: Partial<CreateProps> & Pick<CreateProps, "form">,
  status: 200 | 400 | 409 | 422 | 502 | 503,
): Promise<Response> {
  const create: CreateProps = {
    plan: null,
    problems: [],
    choices: NO_CHOICES,
    token: null,
    notice: null,
    ...given,
  };
  return await sendPage(c, <CreatePage frame={pageFrame(c, dashboard)} create={create} />, status);
}
