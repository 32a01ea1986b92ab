/** The pages of VM types: the list, the forms, the text, the earlier versions, and the schema. */
import { Hono } from "hono";
import { MAX_VERSIONS } from "../../lib/configuration/editing/configuration_store.ts";
import { configurationSchema } from "../../lib/configuration/editing/json_schema.ts";
import { paths } from "../../templates/paths.ts";
import { TypesPage } from "../../templates/pages/types/types_page.tsx";
import { VersionsPage } from "../../templates/pages/types/versions_page.tsx";
import { type AppContext, type AppEnv, mayChange } from "../server/context.ts";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { viewConfiguration } from "./configuration_view.ts";
import { showEdit, showFormAgain, showNew, showStorage, showYaml } from "./forms.tsx";
import { download, review, save, showRemoval, showVersion } from "./saving.tsx";
import { actionWords } from "./words.ts";

/** GET /types and what is below it; POST /types saves. */
export function typeRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/types", (c) => list(c, dashboard));
  app.get("/types/schema.json", (c) => {
    c.header("content-type", "application/schema+json; charset=utf-8");
    return c.body(JSON.stringify(configurationSchema(), null, 2));
  });
  app.get("/types/new", (c) => onlyChanging(c, () => showNew(c, dashboard)));
  app.get("/types/edit", (c) => onlyChanging(c, () => showEdit(c, dashboard)));
  app.get("/types/remove", (c) => onlyChanging(c, () => showRemoval(c, dashboard)));
  app.get("/types/storage", (c) => onlyChanging(c, () => showStorage(c, dashboard)));
  app.get("/types/yaml", (c) => showYaml(c, dashboard));
  app.get("/types/versions", (c) => showVersions(c, dashboard));
  app.get("/types/versions/:id", (c) => showVersion(c, dashboard));
  // Someone who reloads the answer to a form after signing in again starts from the list.
  for (const step of ["form", "review", "download"]) {
    app.get(`/types/${step}`, (c) => c.redirect(paths.types(), 303));
  }
  app.post("/types/form", (c) => showFormAgain(c, dashboard));
  app.post("/types/review", (c) => review(c, dashboard));
  app.post("/types/download", (c) => download(c, dashboard));
  app.post("/types", (c) => save(c, dashboard));
  return app;
}

/** Viewers are led to the list, which says that they cannot change anything. */
function onlyChanging(
  c: AppContext,
  show: () => Response | Promise<Response>,
): Response | Promise<Response> {
  return mayChange(c) ? show() : c.redirect(paths.types(), 303);
}

function list(c: AppContext, dashboard: Dashboard): Response {
  const view = viewConfiguration(dashboard);
  const { configuration, problems, source, readOnly, fingerprint } = view;
  if (wantsJson(c)) {
    return c.json({
      source,
      fingerprint,
      readOnly,
      storage: configuration?.storage ?? null,
      types: configuration?.types ?? {},
      problems: problems.map(({ message }) => message),
    });
  }
  const action = c.req.query("saved") ?? "";
  const latest = dashboard.configurationStore.versions()[0];
  const words = action === "" ? null : actionWords(action);
  const page = {
    configuration,
    problems,
    source,
    readOnly,
    saved: words === null
      ? null
      : { words: `${source} was saved: ${words}`, undo: latest?.action === action ? latest.id : null },
  };
  return sendPage(c, <TypesPage frame={pageFrame(c, dashboard)} page={page} />);
}

function showVersions(c: AppContext, dashboard: Dashboard): Response {
  const versions = dashboard.configurationStore.versions().map(({ id, at, action }) => ({
    id,
    at,
    words: actionWords(action),
  }));
  return sendPage(
    c,
    <VersionsPage frame={pageFrame(c, dashboard)} versions={versions} most={MAX_VERSIONS} />,
  );
}
