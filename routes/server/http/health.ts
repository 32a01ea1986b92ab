/** Health, readiness and metrics, for watchdogs and monitoring. */
import { Hono } from "hono";
import type { Dashboard } from "../dashboard.ts";
import type { AppEnv } from "../context.ts";

/** GET /healthz, /readyz, /metrics. */
export function healthRoutes({ manager, metrics }: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => {
    const { kind } = manager.connection.state;
    return kind === "live" ? c.text("ok\n") : c.text(`not connected to the NAS: ${kind}\n`, 503);
  });
  app.get(
    "/metrics",
    (c) => c.body(metrics.render(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  return app;
}
