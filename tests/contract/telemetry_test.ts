/** Protects users of OpenTelemetry: requests are spans by route, and so are operations and their steps. */
import assert from "node:assert/strict";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { beginWorkers, startProgram, withFolder } from "../support/program/program.ts";

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

Deno.test("a creation is traced as an operation with a span for every step", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    const spans: Span[] = [];
    let bodies = "";
    const collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const text = await request.text();
      bodies += text;
      for (const { scopeSpans = [] } of JSON.parse(text).resourceSpans ?? []) {
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      return Response.json({});
    });
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const env = {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
    const program = await startProgram(simulator, folder, { env });
    const path = await beginWorkers(program);
    await (await fetch(`${program.url}${path}/events`)).text();
    await program.stop("SIGTERM");
    await collector.shutdown();
    const names = spans.map(({ name }) => name);
    assert.ok(names.includes("POST /create/plan") && names.includes("POST /create"), names.join(", "));
    const operation = spans.find(({ name }) => name === "operation create") ?? assert.fail(names.join(", "));
    const steps = spans.filter(({ name }) => name.startsWith("step "));
    assert.ok(steps.length >= 10, "two VMs of five steps or more");
    for (const { parentSpanId, traceId } of steps) {
      assert.deepEqual([parentSpanId, traceId], [operation.spanId, operation.traceId]);
    }
    assert.ok(!bodies.includes("display-secret"));
  }));
