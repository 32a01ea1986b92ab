/** Adding an image from an address. */
import { ConfigurationError, type Problem } from "../../lib/errors/errors.ts";
import { ENTRIES, entryOf, fillIn, valueProblems } from "../../lib/images/catalogue/fill_in.ts";
import { extensionsIn, factoryPage, TALOS } from "../../lib/images/catalogue/talos.ts";
import { paths } from "../../templates/paths.ts";
import { AddPage, type AddPageProps, type ChosenEntry } from "../../templates/pages/images/add_page.tsx";
import { readForm } from "../forms/read_form.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { datasetOf, NO_DATASET, waysOf } from "./places.ts";

/** GET /images/new: an empty form, or one that an entry of the catalogue fills in. */
export function showAdd(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = new URL(c.req.url).searchParams;
  const { chosen, problems } = chosenIn(fields);
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const given = { name: text("name"), url: text("url"), sha256: text("sha256") };
  if (chosen === null || problems.length > 0) {
    return show(c, dashboard, { chosen, form: given, problems }, 200);
  }
  const { name, url } = fillIn(chosen.entry, chosen.values);
  return show(c, dashboard, { chosen, form: { ...given, name, url }, problems }, 200);
}

/** POST /images: starts the download, and leads to its operation. */
export async function addImage(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = await readForm(c.req.raw) ?? new URLSearchParams();
  const { manager, tokens } = dashboard;
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const form = { name: text("name"), url: text("url"), sha256: text("sha256") };
  const { chosen } = chosenIn(new URLSearchParams({ from: text("from") }));
  const token = text("token");
  const again = (problems: readonly Problem[], status: 409 | 422, notice: string | null = null) =>
    show(c, dashboard, { chosen, form, problems, notice }, status);
  if (!tokens.knows(token)) {
    return await again([], 409, "This form has expired. Nothing was added. Check it and submit it again.");
  }
  const dataset = datasetOf(dashboard);
  if (dataset === null) return await again([{ field: "", message: NO_DATASET }], 422);
  try {
    const next = await tokens.redeem(token, async () => {
      const { log } = await manager.images.add({ dataset, ...form }, { by: actorOf(c) });
      return paths.operation(log.id);
    });
    return c.redirect(next ?? paths.images(), 303);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return await again(error.problems, 422);
  }
}

/** The entry that is chosen, and what is wrong with its values. */
function chosenIn(
  fields: URLSearchParams,
): { readonly chosen: ChosenEntry | null; readonly problems: readonly Problem[] } {
  const entry = entryOf(fields.get("from") ?? "");
  if (entry === null) return { chosen: null, problems: [] };
  const given = entry.fields.flatMap(({ name }) => {
    const value = fields.get(name);
    return value === null ? [] : [[name, value.trim()] as const];
  });
  const values = {
    ...Object.fromEntries(entry.fields.map(({ name, value }) => [name, value])),
    ...Object.fromEntries(given),
  };
  const { digest } = fillIn(entry, values);
  const { release = "", extensions = "" } = values;
  const factory = entry === TALOS ? factoryPage(release, extensionsIn(extensions)) : null;
  return { chosen: { entry, values, digest, factory }, problems: valueProblems(entry, values) };
}

type Shown = Pick<AddPageProps, "chosen" | "form" | "problems"> & { readonly notice?: string | null };

async function show(
  c: AppContext,
  dashboard: Dashboard,
  shown: Shown,
  status: 200 | 409 | 422,
): Promise<Response> {
  const { problems, notice = null } = shown;
  if (wantsJson(c) && status !== 200) {
    const error = [...(notice === null ? [] : [notice]), ...problems.map(({ message }) => message)].join(
      "; ",
    );
    return c.json({ error, problems }, status);
  }
  const dataset = datasetOf(dashboard);
  const page = {
    ...shown,
    notice,
    entries: ENTRIES,
    token: issueToken(c, dashboard),
    ways: await waysOf(dashboard, dataset),
    dataset,
  };
  return sendPage(c, <AddPage frame={pageFrame(c, dashboard)} page={page} />, status);
}
