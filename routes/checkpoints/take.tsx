/** Taking a checkpoint: the form with its VMs, and the operation. */
import type { CheckpointPlan } from "../../lib/checkpoints/plan/plans.ts";
import type { CheckpointWish } from "../../lib/checkpoints/checkpoints.ts";
import { IDS, parseWholeNumber } from "../../lib/inputs.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import {
  type CheckpointQuery,
  NewCheckpointPage,
  type NewCheckpointProps,
} from "../../templates/pages/checkpoints/new_page.tsx";
import { paths } from "../../templates/paths.ts";
import { whyNotNow } from "../confirm.ts";
import { readForm } from "../forms/read_form.ts";
import { usableConfiguration } from "../images/configuration.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { selectedIds } from "../vms/selection.ts";

/** The most VMs or types in one request. */
const MAX_SELECTED = 5_000;

/** GET /checkpoints/new: the VMs that are selected, or all that were created here. */
export async function showNew(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = new URL(c.req.url).searchParams;
  const query = await queryOf(dashboard, fields);
  const name = suggestedName(dashboard.now());
  const plan = await planOf(dashboard, { query, name, note: "", shutdown: fields.get("shutdown") === "yes" });
  if (wantsJson(c)) return c.json(plan);
  // A name that nobody has typed is not a mistake of theirs.
  const problems = plan.problems.filter(({ field }) => field !== "name");
  return show(c, dashboard, { plan, query, name, note: "", problems, notice: null }, 200);
}

/** POST /checkpoints: takes what was shown. */
export async function takeCheckpoint(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const fields = await readForm(c.req.raw) ?? new URLSearchParams();
  const { manager, tokens } = dashboard;
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const query = await queryOf(dashboard, fields);
  const [name, note, shutdown] = [text("name"), text("note"), fields.get("shutdown") === "yes"];
  const asked = { query, name, note, shutdown };
  const again = async (notice: string | null, status: 409 | 422) => {
    const plan = await planOf(dashboard, asked);
    return show(c, dashboard, { plan, query, name, note, problems: plan.problems, notice }, status);
  };
  if (!tokens.knows(text("token"))) {
    return await again("This form has expired. Nothing was done. Check the list and submit it again.", 409);
  }
  if (!tokens.isUsed(text("token"))) {
    const plan = await planOf(dashboard, asked);
    if (plan.problems.length > 0) {
      return show(c, dashboard, { plan, query, name, note, problems: plan.problems, notice: null }, 422);
    }
  }
  let notice =
    "The VMs or their disks changed after the list was shown. Nothing was done. Check the list and submit it again.";
  const next = await tokens.redeem(text("token"), async () => {
    const wish = wishOf(dashboard, asked);
    const started = await manager.checkpoints.startCheckpoint(wish, text("plan"), { by: actorOf(c) });
    if (started.started) return paths.operation(started.operation.log.id);
    if (started.overlap !== null) notice = whyNotNow(started.overlap, "Nothing was done");
    return null;
  });
  return next === null ? await again(notice, 409) : c.redirect(next, 303);
}

interface Asked {
  readonly query: CheckpointQuery;
  readonly name: string;
  readonly note: string;
  readonly shutdown: boolean;
}

function wishOf(
  dashboard: Dashboard,
  { query: { ids, types }, name, note, shutdown }: Asked,
): CheckpointWish {
  const keeping = usableConfiguration(dashboard)?.storage.checkpoints ?? {};
  return { name, note, shutdown, select: { ids, types }, keeping };
}

function planOf(dashboard: Dashboard, asked: Asked): Promise<CheckpointPlan> {
  return dashboard.manager.checkpoints.planCheckpoint(wishOf(dashboard, asked));
}

/** What was selected; without a selection the types of the configuration, or of the VMs created here. */
async function queryOf(dashboard: Dashboard, fields: URLSearchParams): Promise<CheckpointQuery> {
  const selected = await selectedIds(dashboard, fields);
  const ids = selected.flatMap((text) => parseWholeNumber(text, IDS) ?? []).slice(0, MAX_SELECTED);
  const types = fields.getAll("type").filter((type) => type !== "").slice(0, MAX_SELECTED);
  if (ids.length + types.length > 0 || fields.has("matching")) return { ids, types };
  const vms = await dashboard.manager.inventory.live.readyVms();
  const present = vms.filter(({ description }) => isMarked(description)).flatMap(({ name }) =>
    typeOf(name) ?? []
  );
  const configured = Object.keys(usableConfiguration(dashboard)?.types ?? {});
  const all = [...new Set(present)];
  return {
    ids: [],
    types: configured.some((type) => all.includes(type))
      ? configured.filter((type) => all.includes(type))
      : all,
  };
}

/** `2026-11-27-0436`, in UTC. */
function suggestedName(now: number): string {
  const iso = new Date(now).toISOString();
  return `${iso.slice(0, "2026-11-27".length)}-${
    iso.slice("2026-11-27T".length, "2026-11-27T04:36".length).replace(":", "")
  }`;
}

function show(
  c: AppContext,
  dashboard: Dashboard,
  shown: Omit<NewCheckpointProps, "token">,
  status: 200 | 409 | 422,
): Response {
  if (wantsJson(c)) {
    const errors = [
      ...(shown.notice === null ? [] : [shown.notice]),
      ...shown.problems.map(({ message }) => message),
    ];
    return c.json({ error: errors.join("; "), problems: shown.problems, plan: shown.plan }, status);
  }
  const page = { ...shown, token: issueToken(c, dashboard) };
  return sendPage(c, <NewCheckpointPage frame={pageFrame(c, dashboard)} page={page} />, status);
}
