/** For watchdogs: whether the program is alive, and whether it can do its work. */
import { Hono } from "hono";
import type { Dashboard } from "./dashboard.ts";

/** GET /healthz, /readyz. */
export function healthRoutes({ manager }: Dashboard): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => {
    const { kind } = manager.connection;
    return kind === "live" ? c.text("ok\n") : c.text(`not connected to the NAS: ${kind}\n`, 503);
  });
  return app;
}
