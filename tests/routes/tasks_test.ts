/** Protects what pages are told of operations that they knew as running. */
import assert from "node:assert/strict";
import { powerOff } from "../support/pages/dashboard.ts";
import { text, withDashboard } from "../support/pages/http.ts";

Deno.test("GET /tasks tells which operations have ended, and which do not exist any more", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    const { url, simulator } = dashboard;
    const { promise, resolve } = Promise.withResolvers<void>();
    simulator.addFault({ method: "vm.poweroff", action: "hold", until: promise });
    const { log, finished } = powerOff(dashboard);
    const page = await text(fetch(`${url}/connection`));
    assert.match(page, new RegExp(`data-task="${log.id}"`));
    assert.doesNotMatch(await text(fetch(`${url}/operations/${log.id}`)), /data-task=/);
    const asked = `${url}/tasks?id=${log.id}&id=gone&id=%22%3E%3Cb%3E`;
    const during = await text(fetch(asked));
    assert.doesNotMatch(during, new RegExp(log.id));
    assert.match(during, /data-ended="gone"/);
    assert.match(during, /data-ended="&quot;&gt;&lt;b&gt;"/);
    resolve();
    await finished;
    const after = await text(fetch(asked));
    assert.match(after, new RegExp(`data-ended="${log.id}".*homeassistant powered off`, "s"));
    assert.doesNotMatch(await text(fetch(`${url}/connection`)), /data-task=/);
    const many = await text(fetch(`${url}/tasks?${"id=x&".repeat(300)}`));
    assert.equal(many.split("data-ended").length, 2);
  }));
