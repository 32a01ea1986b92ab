/** Saving the configuration: the change is shown first, and saved only if the text is still the one it was made for. */
import type { Saved } from "../../lib/configuration/editing/configuration_store.ts";
import { countChanges, lineDiff } from "../../lib/configuration/editing/line_diff.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { ChangePage } from "../../templates/pages/types/change_page.tsx";
import { TypesPage } from "../../templates/pages/types/types_page.tsx";
import { paths } from "../../templates/paths.ts";
import { readForm } from "../forms/read_form.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { type Change, prepareChange } from "./changes.ts";
import { baseOf, type ConfigurationView, sectionIn, viewConfiguration } from "./configuration_view.ts";
import { showChangeForm } from "./forms.tsx";
import { changeOf, fieldsOf } from "./type_forms.ts";
import { actionWords, wordsOf } from "./words.ts";

/** POST /types/review: what a change does, or what is wrong with it. Nothing is saved. */
export function review(c: AppContext, dashboard: Dashboard): Promise<Response> {
  return withChange(c, dashboard, (prepared) => showChange(c, dashboard, prepared, stateOf(prepared)));
}

/** POST /types/download: the new file. */
export function download(c: AppContext, dashboard: Dashboard): Promise<Response> {
  return withChange(c, dashboard, ({ text }) => {
    c.header("content-type", "application/yaml; charset=utf-8");
    c.header("content-disposition", 'attachment; filename="config.yaml"');
    return c.body(text);
  });
}

/** POST /types: saves, and leads to the list. A form that is sent twice is saved once, and leads to the same page. */
export async function save(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = await readForm(c.req.raw);
  const token = fields?.get("token") ?? "";
  const { tokens } = dashboard;
  if (tokens.isUsed(token)) {
    const led = await tokens.redeem(token, () => Promise.resolve(null));
    if (led !== null) return c.redirect(led, 303);
  }
  return await withChange(c, dashboard, async (prepared) => {
    const answer = saveChange(c, dashboard, prepared);
    if (typeof answer !== "string") return answer;
    if (tokens.knows(token)) await tokens.redeem(token, () => Promise.resolve(answer));
    return c.redirect(answer, 303);
  }, fields);
}

/** GET /types/remove: what goes with a VM type. */
export function showRemoval(c: AppContext, dashboard: Dashboard): Response | Promise<Response> {
  const view = viewConfiguration(dashboard);
  const name = c.req.query("name") ?? "";
  if (sectionIn(view, name) === undefined) return c.notFound();
  return prepareAnd(
    c,
    dashboard,
    { view, change: { kind: "remove", name }, isChanged: false },
    (prepared) => showChange(c, dashboard, prepared, stateOf(prepared)),
  );
}

/** GET /types/versions/:id: an earlier text beside the present one, to be restored. */
export function showVersion(c: AppContext, dashboard: Dashboard): Response | Promise<Response> {
  const text = dashboard.configurationStore.version(c.req.param("id") ?? "");
  if (text === null) return c.notFound();
  const view = viewConfiguration(dashboard);
  const change = { kind: "yaml", text, isRestored: true } as const;
  return showChange(c, dashboard, { view, change, text, action: "", isChanged: false }, SHOWN);
}

/** A change, and what it applies to. */
interface Asked {
  readonly view: ConfigurationView;
  readonly change: Change;
  /** The text is another than the one that the form was filled from. */
  readonly isChanged: boolean;
}

/** A change with its result. */
interface PreparedChange extends Asked {
  readonly text: string;
  readonly action: string;
}

type Answer = Response | Promise<Response>;

async function withChange(
  c: AppContext,
  dashboard: Dashboard,
  handle: (prepared: PreparedChange) => Answer,
  read?: URLSearchParams | null,
): Promise<Response> {
  const fields = read ?? await readForm(c.req.raw);
  const view = viewConfiguration(dashboard);
  const change = fields === null ? null : changeOf(fields, (name) => sectionIn(view, name));
  if (fields === null || change === null) {
    const message = "The form arrived empty. Nothing was saved. Open its page again and submit it from there";
    const page = { ...view, problems: [{ field: "", message }], configuration: null, saved: null };
    return sendPage(c, <TypesPage frame={pageFrame(c, dashboard)} page={page} />, 400);
  }
  const shown = fields.get("shown") ?? "";
  const isChanged = shown !== "" && shown !== view.fingerprint;
  return await prepareAnd(c, dashboard, { view, change, isChanged }, handle);
}

function prepareAnd(
  c: AppContext,
  dashboard: Dashboard,
  asked: Asked,
  handle: (prepared: PreparedChange) => Answer,
): Answer {
  const prepared = prepareChange(asked.change, baseOf(dashboard, asked.view));
  if (!prepared.ok) return refuse(c, dashboard, asked, prepared.problems);
  return handle({ ...asked, ...prepared, text: withLineEnds(prepared.text, asked.view.text ?? "") });
}

/** A text keeps the line ends of the one that it replaces; browsers send their own. */
function withLineEnds(text: string, before: string): string {
  return text.replaceAll(/\r?\n/g, before.includes("\r\n") ? "\r\n" : "\n");
}

const CHANGED = "The file changed after this page was opened. Nothing was saved, and your entries are kept. ";

function refuse(
  c: AppContext,
  dashboard: Dashboard,
  { view, change, isChanged }: Asked,
  problems: readonly Problem[],
): Promise<Response> {
  const [status, notice] = isChanged ? [409, CHANGED] as const : [422, null] as const;
  if (wantsJson(c)) {
    const error = problems.map(({ message }) => message).join("; ");
    return Promise.resolve(c.json({ error, problems }, status));
  }
  return showChangeForm(c, dashboard, change, { view, problems, notice, status });
}

/** How a change is shown. */
interface ShownState {
  readonly notice: string | null;
  readonly status: 200 | 409 | 503;
}

const SHOWN: ShownState = { notice: null, status: 200 };

function stateOf({ isChanged }: Asked): ShownState {
  if (!isChanged) return SHOWN;
  return { notice: `${CHANGED}Below is what they change in the present file.`, status: 409 };
}

function showChange(
  c: AppContext,
  dashboard: Dashboard,
  { view, change, text }: PreparedChange,
  { notice, status }: ShownState,
): Response {
  const parts = lineDiff(view.text ?? "", text);
  if (wantsJson(c)) {
    return c.json({ error: notice, fingerprint: view.fingerprint, lines: parts.flat() }, status);
  }
  const page = {
    ...wordsOf(change),
    source: view.source,
    parts,
    ...countChanges(parts),
    fields: fieldsOf(change),
    shown: view.fingerprint,
    token: issueToken(c, dashboard),
    readOnly: view.readOnly,
    hasForm: change.kind !== "remove",
    notice,
  };
  return sendPage(c, <ChangePage frame={pageFrame(c, dashboard)} page={page} />, status);
}

/** The page that follows, or why nothing was saved. */
function saveChange(c: AppContext, dashboard: Dashboard, prepared: PreparedChange): string | Answer {
  if (prepared.isChanged) return showChange(c, dashboard, prepared, stateOf(prepared));
  const { view, text, action } = prepared;
  const { configurationStore, manager, logger } = dashboard;
  const saved: Saved = configurationStore.save({
    text,
    shown: view.fingerprint,
    action,
    at: dashboard.now(),
  });
  if (saved.ok) {
    const what = `Save ${view.source}: ${actionWords(action)}`;
    logger.info("Saved the configuration", { file: view.source, action });
    manager.audit.record({ by: actorOf(c), what, outcome: "done" });
    const { change } = prepared;
    return change.kind === "image"
      ? paths.images({ saved: change.image.name })
      : paths.types({ saved: action });
  }
  if (saved.changed) {
    const again = { ...prepared, view: viewConfiguration(dashboard), isChanged: true };
    return prepareAnd(c, dashboard, again, (it) => showChange(c, dashboard, it, stateOf(it)));
  }
  logger.error("Cannot save the configuration", { file: view.source, error: saved.message });
  const notice = `${saved.message}. Your entries are kept. Try again, or download the new file.`;
  return showChange(c, dashboard, prepared, { notice, status: 503 });
}
