/** Protects the metrics: Prometheus's text format, whatever the labels contain, and no unlimited growth. */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import { Metrics } from "../../lib/observability/metrics.ts";

Deno.test("render() writes counters, histograms and gauges in the text format", () => {
  const metrics = new Metrics();
  metrics.count("truenas_vm_manager_operations_total", { kind: "create", status: "done" });
  metrics.count("truenas_vm_manager_operations_total", { kind: "create", status: "done" });
  metrics.observe("truenas_vm_manager_step_seconds", 0.3, { step: "disk" });
  metrics.gauge("truenas_vm_manager_connected", () => [{ value: 1 }]);
  const text = metrics.render();
  assert.match(
    text,
    /^# HELP truenas_vm_manager_operations_total .+\n# TYPE truenas_vm_manager_operations_total counter$/m,
  );
  assert.match(text, /^truenas_vm_manager_operations_total\{kind="create",status="done"\} 2$/m);
  assert.match(text, /^truenas_vm_manager_step_seconds_bucket\{step="disk",le="0\.25"\} 0$/m);
  assert.match(text, /^truenas_vm_manager_step_seconds_bucket\{step="disk",le="0\.5"\} 1$/m);
  assert.match(text, /^truenas_vm_manager_step_seconds_count\{step="disk"\} 1$/m);
  assert.match(text, /^truenas_vm_manager_connected 1$/m);
});

Deno.test("render() writes one line per value, whatever the labels contain, and limits series", () => {
  fc.assert(fc.property(fc.array(fc.string(), { maxLength: 20 }), (states) => {
    const metrics = new Metrics();
    metrics.gauge("truenas_vm_manager_vms", () => states.map((state) => ({ labels: { state }, value: 1 })));
    const lines = metrics.render().trim().split("\n").filter((line) => !line.startsWith("#") && line !== "");
    assert.equal(lines.length, states.length);
  }));
  const metrics = new Metrics();
  for (let n = 0; n < 2_000; n++) metrics.count("truenas_vm_manager_steps_total", { step: `s${n}` });
  assert.equal(metrics.render().split("\n").filter((line) => line.startsWith("truenas")).length, 500);
});
