/** Protects live pages from whoever opens streams: each ends with its reader and with its session, and other sites open none. */
import assert from "node:assert/strict";
import { startDashboard, type TestDashboard } from "../support/dashboard.ts";
import { text } from "../support/http.ts";

async function openStreams({ url }: TestDashboard): Promise<number> {
  const metrics = await text(fetch(`${url}/metrics`));
  return Number(/^truenas_vm_manager_streams (\d+)$/m.exec(metrics)?.[1] ?? assert.fail(metrics));
}

/** Every stream that the app has. */
function streamsOf({ app, manager }: TestDashboard): string[] {
  const operation = manager.operations.list()[0]?.id ?? assert.fail("the premise: there is an operation");
  const paths = app.routes.filter(({ method, path }) => method === "GET" && path.endsWith("/events"))
    .map(({ path }) => path.replace("/operations/:id", `/operations/${operation}`).replace(":id", "1"));
  assert.ok(paths.length >= 3 && paths.every((path) => !path.includes(":")), paths.join(" "));
  return [...paths, "/events?only=connection"];
}

async function withStreams(
  test: (dashboard: TestDashboard, paths: string[]) => Promise<void>,
): Promise<void> {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  const wish = {
    action: "poweroff",
    id: 1,
    name: "homeassistant",
    state: "RUNNING",
    overcommit: false,
  } as const;
  await dashboard.manager.act("poweroff", [wish]).finished;
  await test(dashboard, streamsOf(dashboard));
}

Deno.test("HEAD opens no stream, however often it is asked (fault 8)", () =>
  withStreams(async (dashboard, paths) => {
    for (const path of paths) {
      for (let time = 0; time < 50; time++) {
        const response = await fetch(dashboard.url + path, { method: "HEAD" });
        assert.deepEqual(
          [response.status, response.headers.get("content-type")],
          [200, "text/event-stream"],
          path,
        );
      }
    }
    assert.equal(await openStreams(dashboard), 0);
    const socket = await fetch(`${dashboard.url}/vms/1/serial/socket`, {
      method: "HEAD",
      headers: { origin: dashboard.url, upgrade: "websocket", connection: "Upgrade" },
    });
    assert.equal(socket.status, 426);
  }));

Deno.test("a page of another site opens no stream here (fault 8)", () =>
  withStreams(async (dashboard, paths) => {
    for (const path of paths) {
      for (const site of ["cross-site", "same-site"]) {
        const response = await fetch(dashboard.url + path, { headers: { "sec-fetch-site": site } });
        await response.body?.cancel();
        assert.equal(response.status, 403, `${path} from ${site}`);
      }
    }
    assert.equal(await openStreams(dashboard), 0);
  }));
