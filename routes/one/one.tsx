/** Creating one VM without a VM type: the form, the plan, and the operation. */
import { Hono } from "hono";
import type { Configuration } from "../../lib/configuration/configuration.ts";
import {
  ConfigurationError,
  remedyOf,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../../lib/errors/errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import {
  type LikeVm,
  type OneForm,
  OnePage,
  type OnePageProps,
} from "../../templates/pages/one/one_page.tsx";
import { paths } from "../../templates/paths.ts";
import { readCapacity, readChoices } from "../choices.ts";
import { confirmCreation } from "../create/confirm_creation.ts";
import { readForm } from "../forms/read_form.ts";
import { totalsOfTypes } from "../forms/totals.ts";
import { usableConfiguration } from "../images/configuration.ts";
import type { AppContext, AppEnv } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage } from "../server/dashboard.ts";
import { capacityView } from "../vms/capacity_view.ts";
import { sendVmPage } from "../vms/vms.tsx";
import { bootingItself, type Copy, copyProblems, formOfCopy, readCopy, requestOfCopy } from "./copy.ts";
import {
  emptyForm,
  formLike,
  type OneDefaults,
  oneFormOf,
  type OneRequest,
  oneRequest,
  problemsAt,
  takenProblem,
} from "./one_form.ts";

/** GET /create/one, POST /create/one/plan, POST /create/one. */
export function oneRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/create/one", (c) => showForm(c, dashboard));
  for (const step of ["form", "plan"]) {
    app.get(`/create/one/${step}`, (c) => c.redirect(paths.createOne(), 303));
  }
  app.post("/create/one/form", async (c) => {
    const read = await readOne(c, dashboard);
    return "answer" in read ? read.answer : await send(c, dashboard, read, 200);
  });
  app.post("/create/one/plan", (c) => keepingForm(c, dashboard, (read) => showPlan(c, dashboard, read)));
  app.post("/create/one", (c) => keepingForm(c, dashboard, (read) => create(c, dashboard, read)));
  return app;
}

async function showForm(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const id = c.req.query("like") ?? "";
  const configuration = configurationOf(dashboard);
  const storage = configuration?.storage ?? null;
  const { autostart } = dashboard.manager.templates.defaults;
  const { bridges } = await choicesFor(dashboard, storage?.cdrom_path ?? "");
  const defaults = { storage, autostart, bridges };
  const empty = emptyForm(defaults);
  if (id === "") return await send(c, dashboard, { form: empty, like: null }, 200);
  try {
    const vms = await dashboard.manager.inventory.live.readyVms();
    const like = likeOf(dashboard, id, vms);
    if (like === null) {
      const notice = "The VM to start from no longer exists. The form has the usual values.";
      return await send(c, dashboard, { form: empty, like: null, notice }, 404);
    }
    const taken = vms.map(({ name }) => name);
    const checkpoint = c.req.query("checkpoint") ?? "";
    if (checkpoint !== "") return await showCopy(c, dashboard, { like, taken, checkpoint, defaults });
    const form = formLike(like.vm, taken, defaults);
    return await send(c, dashboard, { form, like }, 200);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    const notice = `${error.message}. ${remedyOf(error)} Until then the form has the usual values.`;
    return await send(c, dashboard, { form: empty, like: null, notice }, 503);
  }
}

interface WantedCopy {
  readonly like: LikeVm;
  readonly taken: readonly string[];
  readonly checkpoint: string;
  readonly defaults: OneDefaults;
}

/** The form of a copy; back to the VM's page when nothing can be copied. */
async function showCopy(
  c: AppContext,
  dashboard: Dashboard,
  { like, taken, checkpoint, defaults }: WantedCopy,
): Promise<Response> {
  const read = await readCopy(dashboard, like.vm, checkpoint);
  if ("why" in read) {
    return await sendVmPage(c, dashboard, like.vm, { tab: "clone", notice: `${read.why}.` }, 409);
  }
  const { copy } = read;
  return await send(c, dashboard, { form: formOfCopy(copy, taken, defaults), like, checkpoint, copy }, 200);
}

/** Null when it cannot be used; a VM of its own does not need it. */
function configurationOf(dashboard: Dashboard): Configuration | null {
  try {
    return dashboard.configuration().configuration;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return null;
  }
}

function likeOf(dashboard: Dashboard, id: string, vms: readonly Vm[]): LikeVm | null {
  const vm = vms.find((it) => String(it.id) === id);
  if (vm === undefined) return null;
  const name = typeOf(vm.name) ?? "";
  const { types = {} } = configurationOf(dashboard) ?? {};
  const section = Object.hasOwn(types, name) ? types[name] : undefined;
  return { vm, type: section === undefined ? null : { name, hasOverrides: section.template !== undefined } };
}

/** A submitted form, and the VM that it began with. */
interface ReadOne {
  readonly form: OneForm;
  readonly like: LikeVm | null;
  /** The checkpoint that the disks are copied from; null when they are new. */
  readonly checkpoint: string | null;
  readonly fields: URLSearchParams;
}

async function readOne(
  c: AppContext,
  dashboard: Dashboard,
): Promise<ReadOne | { readonly answer: Response }> {
  const fields = await readForm(c.req.raw);
  const form = fields === null ? null : oneFormOf(fields);
  if (fields !== null && form !== null) {
    const like = likeOf(
      dashboard,
      fields.get("like") ?? "",
      dashboard.manager.inventory.live.snapshot.vms ?? [],
    );
    return { form, like, checkpoint: fields.get("checkpoint") || null, fields };
  }
  const { autostart } = dashboard.manager.templates.defaults;
  const storage = configurationOf(dashboard)?.storage ?? null;
  const { bridges } = await choicesFor(dashboard, storage?.cdrom_path ?? "");
  const notice = "The form arrived empty. Nothing was planned or created. Fill it in and submit it again.";
  const given = { form: emptyForm({ storage, autostart, bridges }), like: null, notice };
  return { answer: await send(c, dashboard, given, 400) };
}

/** If the NAS cannot be reached or refuses, shows the form again with its entries and the error. */
async function keepingForm(
  c: AppContext,
  dashboard: Dashboard,
  handle: (read: ReadOne) => Promise<Response>,
): Promise<Response> {
  const read = await readOne(c, dashboard);
  if ("answer" in read) return read.answer;
  try {
    return await handle(read);
  } catch (error) {
    if (!(error instanceof TrueNASError) || error instanceof ConfigurationError) throw error;
    const notice = `${error.message}. ${remedyOf(error)} Your entries are kept.`;
    const isAway = error instanceof TrueNASConnectionError || error instanceof TrueNASTimeoutError;
    return await send(c, dashboard, { ...read, notice }, isAway ? 503 : 502);
  }
}

/** Shows the plan; with a notice, as the answer to a confirmation that was refused. */
async function showPlan(
  c: AppContext,
  dashboard: Dashboard,
  read: ReadOne,
  notice: string | null = null,
): Promise<Response> {
  const { manager } = dashboard;
  const { form, like, checkpoint } = read;
  const { copy, ...wanted } = await requestOf(dashboard, read);
  const shown = { form, like, checkpoint, copy };
  if (!wanted.ok) return await send(c, dashboard, { ...shown, problems: wanted.problems }, 422);
  const plan = await manager.operations.planCreation(wanted.request);
  // Of a VM that exists, the plan would create what is missing; here a new VM is asked for.
  if (plan.vms.some(({ vmId }) => vmId !== null)) {
    // The live list can be a moment behind, and would then propose a name that is taken as well.
    const names = (await manager.inventory.list()).map(({ name }) => name);
    return await send(c, dashboard, { ...shown, problems: [takenProblem(form.type, names)] }, 422);
  }
  const problems = problemsAt(plan.findings, form);
  const token = problems.length === 0 ? issueToken(c, dashboard) : null;
  const status = notice !== null ? 409 : problems.length > 0 ? 422 : 200;
  return await send(c, dashboard, { ...shown, plan, problems, token, notice }, status);
}

async function create(c: AppContext, dashboard: Dashboard, read: ReadOne): Promise<Response> {
  const wanted = await requestOf(dashboard, read);
  const request = wanted.ok ? wanted.request : null;
  const confirmed = await confirmCreation(c, dashboard, read.fields, request);
  if ("next" in confirmed) return c.redirect(confirmed.next, 303);
  return await showPlan(c, dashboard, read, confirmed.notice);
}

/** What the form asks for, with what is copied. A copy that is not possible any more is never made empty instead. */
async function requestOf(
  dashboard: Dashboard,
  { form, like, checkpoint }: ReadOne,
): Promise<OneRequest & { readonly copy: Copy | null }> {
  const wanted = oneRequest(checkpoint === null ? form : bootingItself(form), usableConfiguration(dashboard));
  if (checkpoint === null) return { ...wanted, copy: null };
  const read = like === null
    ? { why: "The VM to copy no longer exists" }
    : await readCopy(dashboard, like.vm, checkpoint);
  if ("why" in read) return { ok: false, problems: [{ field: "", message: read.why }], copy: null };
  const { copy } = read;
  const problems = [...(wanted.ok ? [] : wanted.problems), ...copyProblems(copy, form)];
  if (!wanted.ok || problems.length > 0) return { ok: false, problems, copy };
  const { state } = dashboard.manager.connection;
  const known = state.kind === "live" ? state.rules.vmCreateKeys : [];
  return { ok: true, request: requestOfCopy(copy, wanted.request, known), copy };
}

async function send(
  c: AppContext,
  dashboard: Dashboard,
  given: Partial<OnePageProps> & Pick<OnePageProps, "form" | "like">,
  status: 200 | 400 | 404 | 409 | 422 | 502 | 503,
): Promise<Response> {
  const { form } = given;
  const configured = configurationOf(dashboard)?.storage;
  const choices = await choicesFor(dashboard, configured?.cdrom_path ?? form.cdrom_path);
  const isKnown = (choices.datasets ?? []).includes(form.pool_path);
  const capacity = isKnown ? await readCapacity(dashboard, form.pool_path) : null;
  const page: OnePageProps = {
    plan: null,
    problems: [],
    token: null,
    notice: null,
    checkpoint: null,
    copy: null,
    choices,
    totals: totalsOfTypes([form.type], capacity),
    capacity: capacity === null ? null : capacityView(dashboard, capacity),
    ...given,
  };
  return sendPage(c, <OnePage frame={pageFrame(c, dashboard)} page={page} />, status);
}

/** What the NAS has; images are those in the folder of this one. */
function choicesFor(dashboard: Dashboard, cdrom_path: string) {
  return readChoices(dashboard, { storage: { pool_path: "", cdrom_path }, types: {} });
}
