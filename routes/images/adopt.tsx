/** Naming a file that is on the NAS already as an image. */
import { type Problem, TrueNASError } from "../../lib/errors/errors.ts";
import { AdoptPage, type ImageForm } from "../../templates/pages/images/adopt_page.tsx";
import { type AppContext } from "../server/context.ts";
import { type Dashboard, pageFrame, sendPage } from "../server/dashboard.ts";
import { type ConfigurationView, viewConfiguration } from "../types/configuration_view.ts";

/** The most files to choose from. */
const MAX_FILES = 12;

/** GET /images/adopt. */
export function showAdopt(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const path = c.req.query("path")?.trim() ?? "";
  const name = c.req.query("name")?.trim() || nameFor(path);
  return showAdoptForm(c, dashboard, { name, path }, { view: viewConfiguration(dashboard) });
}

/** A name for a file: `debian-13-generic-amd64.qcow2` becomes `debian-13-generic-amd64`. */
function nameFor(path: string): string {
  const file = path.split("/").at(-1) ?? "";
  const name = file.replace(/\.[A-Za-z0-9]+$/, "").replaceAll(/[^A-Za-z0-9_.-]+/g, "-");
  return /^[A-Za-z]/.test(name) ? name.slice(0, 64) : "";
}

/** What the form shows beside what was typed. */
export interface AdoptState {
  readonly view: ConfigurationView;
  /** The fingerprint of the text that the form was filled from; default the present one. */
  readonly shown?: string;
  readonly problems?: readonly Problem[];
  readonly notice?: string | null;
  readonly status?: 200 | 409 | 422;
}

/** The form, as it was typed. */
export async function showAdoptForm(
  c: AppContext,
  dashboard: Dashboard,
  form: ImageForm,
  { view, shown = view.fingerprint, problems = [], notice = null, status = 200 }: AdoptState,
): Promise<Response> {
  const { source, readOnly } = view;
  const files = form.path === "" ? await unusedFiles(dashboard, view) : [];
  const page = { form, files, source, readOnly, shown, problems, notice };
  return sendPage(c, <AdoptPage frame={pageFrame(c, dashboard)} page={page} />, status);
}

async function unusedFiles(dashboard: Dashboard, { configuration }: ConfigurationView): Promise<string[]> {
  try {
    const { files } = await dashboard.manager.inventory.images(configuration, dashboard.now);
    const all = files.known ? files.value : [];
    return all.filter(({ format, images }) => format === "disk" && images.length === 0)
      .map(({ path }) => path).slice(0, MAX_FILES);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return [];
  }
}
