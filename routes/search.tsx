/** The search that the command palette uses; without a script it is a page of its own. */
import { Hono } from "hono";
import { ConfigurationError } from "../lib/errors/errors.ts";
import { type Found, SearchPage, SearchResults } from "../templates/pages/search_page.tsx";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "./server/dashboard.ts";
import { type AppContext, type AppEnv, mayChange } from "./server/context.ts";
import { find } from "./found.ts";

/** Longer than any name on a NAS. */
const MAX_QUERY_CHARS = 200;

/** GET /search?q=… */
export function searchRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/search", async (c) => {
    const q = (c.req.query("q") ?? "").trim().slice(0, MAX_QUERY_CHARS);
    const results = await search(c, dashboard, q);
    if (wantsJson(c)) return c.json({ q, results });
    const frame = pageFrame(c, dashboard);
    if (frame.fragment) return c.html(<SearchResults q={q} results={results} />);
    return sendPage(c, <SearchPage frame={frame} q={q} results={results} />);
  });
  return app;
}

async function search(c: AppContext, dashboard: Dashboard, q: string): Promise<readonly Found[]> {
  const { connection, inventory, operations } = dashboard.manager;
  const { vms } = await inventory.live.ready();
  const { canReset } = connection;
  return find(q, {
    vms: vms ?? [],
    types: typesOf(dashboard),
    operations: operations.store.list(),
    mayChange: mayChange(c),
    facts: (name) => ({ busy: operations.store.busy(name)?.doing ?? null, canReset }),
  });
}

/** The VM types with their counts; none while the configuration cannot be read, which other pages explain. */
function typesOf({ configuration }: Dashboard): readonly { readonly name: string; readonly count: number }[] {
  try {
    const { types } = configuration().configuration;
    return Object.entries(types).map(([name, { count }]) => ({ name, count }));
  } catch (error) {
    if (error instanceof ConfigurationError) return [];
    throw error;
  }
}
