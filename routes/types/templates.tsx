/** The JSON templates: shown with the keys they can have, downloaded, and edited where they are files of their own. */
import { Hono } from "hono";
import { countChanges, lineDiff } from "../../lib/configuration/editing/line_diff.ts";
import type { StoredConfiguration } from "../../lib/configuration/editing/configuration_store.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { tar } from "../../lib/exports/tar.ts";
import { templateKeys } from "../../lib/vm_templates/key_help.ts";
import { FILES, type TemplateName } from "../../lib/vm_templates/template_files.ts";
import { OVERRIDE_KEYS } from "../../lib/vm_templates/overrides.ts";
import { TemplateChangePage, TemplatePage } from "../../templates/pages/types/template_page.tsx";
import {
  type ShownTemplate,
  TEMPLATE_WORDS,
  TemplatesPage,
} from "../../templates/pages/types/templates_page.tsx";
import { paths } from "../../templates/paths.ts";
import { readForm } from "../forms/read_form.ts";
import { actorOf, type AppContext, type AppEnv } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";

const NAMES: readonly TemplateName[] = ["vm", "DISPLAY", "CDROM", "NIC", "DISK"];

/** GET /types/templates and what is below it; POST /types/templates/NAME saves. */
export function templateRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/types/templates", (c) => list(c, dashboard));
  app.get("/types/templates/download", (c) => downloadAll(c, dashboard));
  app.get("/types/templates/:name", (c) => withTemplate(c, dashboard, (view) => show(c, dashboard, view)));
  app.get("/types/templates/:name/download", (c) =>
    withTemplate(c, dashboard, ({ name, text }) => {
      c.header("content-type", "application/json; charset=utf-8");
      c.header("content-disposition", `attachment; filename="${FILES[name].split("/").at(-1)}"`);
      return c.body(text);
    }));
  for (const step of ["form", "review"] as const) {
    // Someone who reloads the answer to a form after signing in again starts from the template.
    app.get(`/types/templates/:name/${step}`, (c) => c.redirect(paths.templates(), 303));
  }
  app.post(
    "/types/templates/:name/form",
    (c) => withText(c, dashboard, ({ view, text, shown }) => showForm(c, dashboard, view, { text, shown })),
  );
  app.post(
    "/types/templates/:name/review",
    (c) => withText(c, dashboard, (typed) => review(c, dashboard, typed)),
  );
  app.post("/types/templates/:name", (c) => withText(c, dashboard, (typed) => save(c, dashboard, typed)));
  return app;
}

/** A template, and its text as it is stored. */
interface TemplateView extends Omit<StoredConfiguration, "text"> {
  readonly name: TemplateName;
  readonly slug: string;
  readonly text: string;
}

function viewOf({ templateTexts }: Dashboard, name: TemplateName): TemplateView {
  const stored = templateTexts.of(name).read();
  return { ...stored, text: stored.text ?? "", name, slug: OVERRIDE_KEYS[name] };
}

function withTemplate(
  c: AppContext,
  dashboard: Dashboard,
  handle: (view: TemplateView) => Response | Promise<Response>,
): Response | Promise<Response> {
  const name = NAMES.find((name) => OVERRIDE_KEYS[name] === c.req.param("name"));
  return name === undefined ? c.notFound() : handle(viewOf(dashboard, name));
}

function list(c: AppContext, dashboard: Dashboard): Response {
  const templates = NAMES.map((name): ShownTemplate => viewOf(dashboard, name));
  if (wantsJson(c)) {
    const shown = templates.map(({ slug, source, readOnly, text }) => ({
      name: slug,
      source,
      readOnly,
      text,
    }));
    return c.json({ templates: shown });
  }
  const saved = NAMES.find((name) => OVERRIDE_KEYS[name] === c.req.query("saved"));
  const page = {
    templates,
    areEmbedded: dashboard.templateTexts.areEmbedded,
    saved: saved === undefined ? null : TEMPLATE_WORDS[saved].title,
  };
  return sendPage(c, <TemplatesPage frame={pageFrame(c, dashboard)} page={page} />);
}

/** All of them in an archive that unpacks to a folder for `--templates-dir`. */
function downloadAll(c: AppContext, dashboard: Dashboard): Response {
  const files = NAMES.map((name) => ({
    name: `templates/${FILES[name]}`,
    text: viewOf(dashboard, name).text,
  }));
  c.header("content-type", "application/x-tar");
  c.header("content-disposition", 'attachment; filename="templates.tar"');
  return c.body(tar(files));
}

function show(c: AppContext, dashboard: Dashboard, view: TemplateView): Response {
  const version = c.req.query("version");
  if (version === undefined) return showForm(c, dashboard, view, {});
  const text = dashboard.templateTexts.of(view.name).version(version);
  if (text === null) return c.notFound() as Response;
  const notice = "This is an earlier version. Review the changes, then save to restore it.";
  return showForm(c, dashboard, view, { text, notice });
}

interface FormState {
  /** Default: as it is stored. */
  readonly text?: string;
  readonly shown?: string;
  readonly problems?: readonly Problem[];
  readonly notice?: string;
  readonly status?: 200 | 409 | 422;
}

function showForm(
  c: AppContext,
  dashboard: Dashboard,
  view: TemplateView,
  { text = view.text, shown = view.fingerprint, problems = [], notice, status = 200 }: FormState,
): Response {
  const release = releaseOf(dashboard);
  const page = {
    template: { ...view, text },
    areEmbedded: dashboard.templateTexts.areEmbedded,
    problems,
    shown,
    keys: templateKeys(view.name, release),
    release,
    versions: dashboard.templateTexts.of(view.name).versions(),
    notice: notice ?? null,
  };
  return sendPage(c, <TemplatePage frame={pageFrame(c, dashboard)} page={page} />, status);
}

/** The release whose keys count; null while the NAS is not connected. */
function releaseOf({ manager }: Dashboard): string | null {
  const { state } = manager.connection;
  return state.kind === "live" ? state.rules.id : null;
}

/** A text that was sent, and the template that it is for. */
interface TypedText {
  readonly view: TemplateView;
  readonly text: string;
  /** The fingerprint of the text that the form was filled from. */
  readonly shown: string;
  readonly token: string;
}

async function withText(
  c: AppContext,
  dashboard: Dashboard,
  handle: (typed: TypedText) => Response | Promise<Response>,
): Promise<Response> {
  const fields = await readForm(c.req.raw);
  return await withTemplate(c, dashboard, (view) => {
    const text = fields?.get("text") ?? null;
    if (fields === null || text === null) return c.redirect(paths.template(view.slug), 303);
    // Browsers send the line ends of Windows.
    const lineEnd = view.text.includes("\r\n") ? "\r\n" : "\n";
    return handle({
      view,
      text: text.replaceAll(/\r?\n/g, lineEnd),
      shown: fields.get("shown") || view.fingerprint,
      token: fields.get("token") ?? "",
    });
  });
}

/** What is wrong with a text, each where it is in it. */
function problemsOf(dashboard: Dashboard, { view, text }: TypedText): Problem[] {
  const found = dashboard.manager.templates.problemsWith(view.name, text, releaseOf(dashboard));
  return found.map(({ field, message, line, column }) => {
    const place = line === undefined ? field : `Line ${line}, column ${column ?? 1}`;
    return { field: "text", message: place === "" ? message : `${place}: ${message}` };
  });
}

const CHANGED = "The file changed after this page was opened. Nothing was saved, and your text is kept. ";

function review(c: AppContext, dashboard: Dashboard, typed: TypedText): Response {
  const { view, text, shown } = typed;
  const problems = problemsOf(dashboard, typed);
  if (problems.length > 0) return showForm(c, dashboard, view, { text, shown, problems, status: 422 });
  if (shown !== view.fingerprint) return showChange(c, dashboard, typed, `${CHANGED}${BELOW}`, 409);
  return showChange(c, dashboard, typed, null, 200);
}

const BELOW = "Below is what it changes in the present file.";

function showChange(
  c: AppContext,
  dashboard: Dashboard,
  { view, text }: TypedText,
  notice: string | null,
  status: 200 | 409 | 503,
): Response {
  const parts = lineDiff(view.text, text);
  const page = {
    ...view,
    text,
    parts,
    ...countChanges(parts),
    shown: view.fingerprint,
    token: issueToken(c, dashboard),
    notice,
  };
  return sendPage(c, <TemplateChangePage frame={pageFrame(c, dashboard)} page={page} />, status);
}

/** Saves, and uses the template from now on. A form that is sent twice is saved once, and leads to the same page. */
async function save(c: AppContext, dashboard: Dashboard, typed: TypedText): Promise<Response> {
  const { tokens } = dashboard;
  const { view, text, shown, token } = typed;
  if (tokens.isUsed(token)) {
    const led = await tokens.redeem(token, () => Promise.resolve(null));
    if (led !== null) return c.redirect(led, 303);
  }
  const problems = problemsOf(dashboard, typed);
  if (problems.length > 0) return showForm(c, dashboard, view, { text, shown, problems, status: 422 });
  const { templateTexts, manager, logger } = dashboard;
  const saved = templateTexts.of(view.name).save({ text, shown, action: "edit", at: dashboard.now() });
  if (saved.ok) {
    manager.templates.replace(view.name, text);
    logger.info("Saved a template", { file: view.source });
    manager.audit.record({ by: actorOf(c), what: `Save ${view.source}`, outcome: "done" });
    const next = paths.templates({ saved: view.slug });
    if (tokens.knows(token)) await tokens.redeem(token, () => Promise.resolve(next));
    return c.redirect(next, 303);
  }
  if (saved.changed) {
    const again = { ...typed, view: viewOf(dashboard, view.name) };
    return showChange(c, dashboard, again, `${CHANGED}${BELOW}`, 409);
  }
  logger.error("Cannot save a template", { file: view.source, error: saved.message });
  return showChange(c, dashboard, typed, `${saved.message}. Your text is kept. Try again.`, 503);
}
