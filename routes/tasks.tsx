/** What became of operations that a page knew as running, so that an end is not missed between two pages. */
import { isActive } from "../lib/operations/types.ts";
import { Hono } from "hono";
import { Ended } from "../templates/parts/frame/tasks.tsx";
import { type Dashboard, wantsJson } from "./server/dashboard.ts";
import type { AppEnv } from "./server/context.ts";

/** More than run at once. */
const MAX_ASKED = 20;

/** GET /tasks?id=…: a toast for each of these operations that has ended, for static/tasks.js. */
export function taskRoutes({ manager }: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/tasks", (c) => {
    const ids = [...new Set(c.req.queries("id") ?? [])].slice(0, MAX_ASKED);
    const views = ids.flatMap((id) => manager.operations.store.get(id)?.view ?? []);
    const ended = views.filter((view) => !isActive(view));
    const unknown = ids.filter((id) => views.every((view) => view.id !== id));
    if (wantsJson(c)) return c.json({ ended: ended.map(({ id, status }) => ({ id, status })), unknown });
    return c.html(<Ended ended={ended} unknown={unknown} />);
  });
  return app;
}
