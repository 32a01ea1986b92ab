/** Removing an image: the plan, the typed confirmation, and the operation. */
import type { Problem } from "../../lib/errors/errors.ts";
import type { ImageRemovalPlan, ImageRemovalRequest } from "../../lib/images/removing/plan.ts";
import { RemoveImagePage, type RemoveImageProps } from "../../templates/pages/images/remove_page.tsx";
import { confirm, refusalJson } from "../confirm.ts";
import { readForm } from "../forms/read_form.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { configurationOfImages } from "./configuration.ts";

/** Longer names are none of an image. */
const MAX_NAME_CHARS = 100;
/** The most parts in one request. */
const MAX_PARTS = 100;

/** GET /images/remove: what removing an image does. */
export async function showRemoval(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const request = requestOf(new URL(c.req.url).searchParams);
  if (request === null) return c.notFound();
  const plan = await planOf(dashboard, request);
  if (wantsJson(c)) return c.json(plan);
  return show(c, dashboard, request, { plan, problems: missingIn(plan) }, 200);
}

/** POST /images/remove: removes what was shown, once the phrase matches. */
export async function removeImage(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = await readForm(c.req.raw);
  const request = fields === null ? null : requestOf(fields);
  if (fields === null || request === null) return c.notFound();
  const configuration = configurationOfImages(dashboard);
  return await confirm(c, dashboard, fields, {
    makePlan: () => planOf(dashboard, request),
    problemsOf: (plan) => [...missingIn(plan), ...blockedIn(plan)],
    start: (shown) =>
      dashboard.manager.operations.startImageRemoval(request, { configuration, shown }, { by: actorOf(c) }),
    show: (plan, { typed, ...again }, status) =>
      show(c, dashboard, request, { plan, phrase: typed.phrase ?? "", ...again }, status),
  });
}

function requestOf(fields: URLSearchParams): ImageRemovalRequest | null {
  const image = fields.get("name") ?? "";
  if (image === "" || image.length > MAX_NAME_CHARS) return null;
  const only = fields.getAll("only").filter((name) => name !== "").slice(0, MAX_PARTS);
  return { image, only, promote: fields.get("promote") === "yes" };
}

function planOf(dashboard: Dashboard, request: ImageRemovalRequest): Promise<ImageRemovalPlan> {
  return dashboard.manager.operations.planImageRemoval(request, configurationOfImages(dashboard));
}

function missingIn({ missing, image }: ImageRemovalPlan): readonly Problem[] {
  return missing.map((name) => ({ field: "", message: `${JSON.stringify(name)} is no part of ${image}` }));
}

function blockedIn({ parts, image }: ImageRemovalPlan): readonly Problem[] {
  if (parts.length === 0) {
    const message = `This program has nothing of ${image} on the NAS, so there is nothing to remove`;
    return [{ field: "", message }];
  }
  return parts.flatMap(({ name, blocked }) =>
    blocked.map((why) => ({ field: "", message: `${name} stays: ${why}` }))
  );
}

type Shown = Pick<RemoveImageProps, "plan"> & Partial<RemoveImageProps>;

function show(
  c: AppContext,
  dashboard: Dashboard,
  { only }: ImageRemovalRequest,
  shown: Shown,
  status: 200 | 409 | 422,
): Response {
  const { source } = dashboard.configurationStore.file();
  const token = issueToken(c, dashboard);
  const page = { only, source, phrase: "", notice: null, problems: [], token, ...shown };
  if (wantsJson(c)) return c.json(refusalJson(shown.plan, page), status);
  return sendPage(c, <RemoveImagePage frame={pageFrame(c, dashboard)} page={page} />, status);
}
