/** Protects those who watch the program with Prometheus: a real one scrapes it with the token and evaluates what we ship. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import grafana from "../../docs/monitoring/grafana.json" with { type: "json" };
import { ACCESS } from "../support/pages/access.ts";
import { expectAccepted } from "../support/consumers.ts";
import { repeatedly } from "../support/deadline.ts";
import { startDashboard } from "../support/pages/dashboard.ts";
import { withFolder } from "../support/folder.ts";

const SHIPPED = fileURLToPath(new URL("../../docs/monitoring/", import.meta.url));

Deno.test("promtool accepts the alert rules, and they fire when they should", async () => {
  await expectAccepted("promtool", ["check", "rules", `${SHIPPED}alerts.yml`]);
  await expectAccepted("promtool", ["test", "rules", `${SHIPPED}alerts_test.yml`]);
});

Deno.test("a real Prometheus scrapes with the token, finds every counter from the start, and runs every query of the dashboard", () =>
  withFolder(async (folder) => {
    await using dashboard = await startDashboard({ simulator: { foreignVms: 2 }, access: ACCESS });
    await Deno.writeTextFile(`${folder}/token`, ACCESS.metricsToken);
    const shipped = await Deno.readTextFile(`${SHIPPED}prometheus.yml`);
    const config = shipped.replace("/etc/prometheus/truenas-vm-manager.token", `${folder}/token`)
      .replace("alerts.yml", `${SHIPPED}alerts.yml`)
      .replace("vms.lan:8080", new URL(dashboard.url).host)
      .replace("scheme: https", "scheme: http\n    scrape_interval: 1s");
    await Deno.writeTextFile(`${folder}/prometheus.yml`, config);
    await expectAccepted("promtool", ["check", "config", `${folder}/prometheus.yml`]);
    const port = freePort();
    await using _prometheus = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const ask = async (query: string): Promise<Answer> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query })}`;
      const answer = await fetch(url).catch(() => null);
      // While it starts, it answers in plain text.
      if (answer?.headers.get("content-type")?.startsWith("application/json") === true) {
        return await answer.json();
      }
      await answer?.body?.cancel();
      return { status: "not ready" };
    };
    await repeatedly(
      "Prometheus has scraped",
      async () => valuesOf(await ask('up{job="truenas-vm-manager"} == 1')).length === 1 || null,
    );
    const failed = await ask('truenas_vm_manager_operations_total{kind="create",status="failed"}');
    assert.deepEqual(
      valuesOf(failed),
      ["0"],
      "a counter begins with 0, so that the first failure is an increase",
    );
    assert.deepEqual(valuesOf(await ask("truenas_vm_manager_reconnects_total")), ["0"]);
    assert.deepEqual(valuesOf(await ask("truenas_vm_manager_build_info")), ["1"]);
    for (const { title, targets } of grafana.panels) {
      for (const { expr } of targets) {
        const { status, error } = await ask(expr.replace("$instance", ".+"));
        assert.equal(status, "success", `${title}: ${error}`);
      }
    }
  }));

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

function valuesOf({ data }: Answer): readonly string[] {
  return data?.result.map(({ value: [, value] }) => value) ?? [];
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
