/**
 * Protects the plan of VMs that exist and differ, as browsers without JavaScript use it: what is offered and ticked, what it
 * says of old and new values, what is kept when it is shown again, and what refuses to be carried out. Over real HTTP.
 */
import assert from "node:assert/strict";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import { MORE_MEMORY, rowOf, tickedIn, turnOff, wordsOf, WORKERS } from "../../support/vms/differing.ts";
import {
  create,
  errorsOf,
  type Fields,
  finishedOperation,
  hidden,
  planned,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

/** Four workers, of which the first two are stopped. */
async function withWorkers(test: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  await withDashboard({}, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, WORKERS));
    turnOff(dashboard, "worker01", "worker02");
    await test(dashboard);
  });
}

/** Confirms a plan with these ticks. */
async function confirm(
  dashboard: TestDashboard,
  shown: { readonly token: string; readonly plan: string },
  fields: Fields,
  ticks: readonly (readonly [string, string])[],
): Promise<{ readonly status: number; readonly html: string }> {
  const offered = ["worker01", "worker02", "worker03", "worker04"].map((name) => ["offered", name] as const);
  const sent = [...Object.entries({ ...fields, ...shown, creates: "0" }), ...offered, ...ticks];
  const answer = await post(
    dashboard,
    "/create",
    sent.map(([name, value]): [string, string] => [name, value]),
  );
  return { status: answer.status, html: await answer.text() };
}

Deno.test("a VM that differs has its old and its new value, when it takes effect, and what is lost; a stopped one is ticked", () =>
  withWorkers(async (dashboard) => {
    const { html } = await planned(dashboard, MORE_MEMORY);
    assert.deepEqual(tickedIn(html, "change"), ["worker01", "worker02"]);
    const stopped = rowOf(html, "worker01");
    assert.match(stopped.row, /data-action="change"/);
    assert.match(wordsOf(stopped.row), /^Change worker01 Stopped 2 2 GiB/, "the row has the VM as it is");
    assert.match(stopped.detail, /<del[^>]*>2 GiB<\/del>[^]*<ins[^>]*>4 GiB<\/ins>/);
    assert.match(wordsOf(stopped.detail), /Memory 2 GiB becomes 4 GiB now .*Nothing is lost\.$/);
    assert.match(
      wordsOf(rowOf(html, "worker03").detail),
      /4 GiB from its next start The VM is running: choose below whether it is restarted\./,
    );
    assert.match(html, /name="running" value="at-next-start" checked/);
    assert.match(html, /<span[^>]*id="confirm-words">Change 2 VMs<\/span>/);
    assert.match(html, /<span class="no-script">Carry out<\/span>/, "without a script no number is promised");
    assert.doesNotMatch(html, /replace-phrase/);
  }));

Deno.test("a plan of stopped VMs asks nothing about running ones, and a plan that creates as well says every number", () =>
  withWorkers(async (dashboard) => {
    turnOff(dashboard, "worker03", "worker04");
    const { html } = await planned(dashboard, { ...MORE_MEMORY, "worker.count": "6" });
    assert.match(html, /id="confirm-words">Create 2, change 4<\/span>/);
    assert.doesNotMatch(html, /running-choice/);
  }));

Deno.test("a VM that only replacing settles names what is deleted and what stays, and is never ticked by itself", () =>
  withWorkers(async (dashboard) => {
    const { html } = await planned(dashboard, { ...MORE_MEMORY, "worker.disk.0.size": "10" });
    const { row, detail } = rowOf(html, "worker01");
    assert.match(row, /data-action="replace"/);
    assert.deepEqual(tickedIn(html, "replace"), []);
    const words = wordsOf(detail);
    assert.match(words, /Disk 1 20 GiB becomes 10 GiB needs a new VM/);
    assert.match(words, /Deleted for good: the VM, tank\/vms\/worker01-disk0 \(20 GiB\)\./);
    assert.match(
      words,
      /Stays: tank\/vms\/worker01-disk1, MAC addresses, display port\. The new VM is not started\./,
    );
    assert.match(
      wordsOf(rowOf(html, "worker03").detail),
      /It is shut down first, and the new VM is started\./,
    );
    assert.match(html, /id="replace-phrase"/);
  }));

Deno.test("replacing needs the phrase with the number of VMs, and what was ticked and typed is kept", () =>
  withWorkers(async (dashboard) => {
    const fields = { ...WORKERS, "worker.disk.0.size": "10" };
    const shown = await planned(dashboard, fields);
    const ticks = [["replace", "worker01"], ["replace", "worker04"], ["phrase", "destroy 1 vm"]] as const;
    const { status, html } = await confirm(dashboard, shown, fields, ticks);
    assert.equal(status, 422);
    assert.deepEqual(errorsOf(html), ["phrase"]);
    assert.match(html, /The phrase did not match\. Nothing was changed\. Type destroy 2 vms to confirm/);
    assert.deepEqual(tickedIn(html, "replace"), ["worker01", "worker04"]);
    assert.match(html, /name="phrase" value="destroy 1 vm"/);
    assert.ok(hidden(html, "token"), "it can be confirmed from here");
    assert.equal(dashboard.manager.operations.store.list().length, 1);
  }));

for (const typed of ["0", "100", "one", "", "-1", "1e3", "9".repeat(10_000), "שלום"]) {
  Deno.test(`${JSON.stringify(typed.slice(0, 8))} VMs at once are refused at the field, and nothing is lost of the form`, () =>
    withWorkers(async (dashboard) => {
      const shown = await planned(dashboard, MORE_MEMORY);
      const ticks = [["change", "worker03"], ["running", "restart"], ["at-a-time", typed]] as const;
      const { status, html } = await confirm(dashboard, shown, MORE_MEMORY, ticks);
      assert.equal(status, 422);
      assert.deepEqual(errorsOf(html), ["at-a-time"]);
      assert.match(html, /Enter a whole number from 1 to 99/);
      assert.match(html, new RegExp(`name="at-a-time" value="${typed}"`));
      assert.match(html, /name="running" value="restart" checked/);
      assert.deepEqual(tickedIn(html, "change"), ["worker03"]);
    }));
}

Deno.test("a plan in which nothing is ticked is not carried out", () =>
  withWorkers(async (dashboard) => {
    const shown = await planned(dashboard, MORE_MEMORY);
    const { status, html } = await confirm(dashboard, shown, MORE_MEMORY, []);
    assert.equal(status, 422);
    assert.match(html, /Nothing is ticked\. Tick the VMs to change/);
    assert.deepEqual(tickedIn(html, "change"), []);
  }));

Deno.test("a plan that is updated keeps its ticks, and a VM that was not offered before has its usual one", () =>
  withWorkers(async (dashboard) => {
    const offered = ["worker02", "worker03"].map((name) => ["offered", name]);
    const ticks = [...offered, ["change", "worker03"], ["running", "restart"], ["at-a-time", "2"]];
    const sent = [...Object.entries(MORE_MEMORY), ...ticks].map(([name = "", value = ""]) =>
      [name, value] as [string, string]
    );
    const html = await text(post(dashboard, "/create/plan", sent));
    assert.deepEqual(tickedIn(html, "change"), ["worker01", "worker03"]);
    assert.match(html, /name="running" value="restart" checked/);
    assert.match(html, /name="at-a-time" value="2"/);
  }));

Deno.test("when the NAS has changed meanwhile, the new plan is shown with what was ticked", () =>
  withWorkers(async (dashboard) => {
    const shown = await planned(dashboard, MORE_MEMORY);
    turnOff(dashboard, "worker04");
    const { status, html } = await confirm(dashboard, shown, MORE_MEMORY, [["change", "worker02"]]);
    assert.equal(status, 409);
    assert.match(html, /Nothing was created/);
    assert.deepEqual(tickedIn(html, "change"), ["worker02"]);
  }));

Deno.test("a VM that this program did not create is compared and left out, with the reason once", () =>
  withWorkers(async (dashboard) => {
    for (const { config } of dashboard.simulator.store.vms.values()) {
      if (config.name === "worker02") config.description = "by hand";
    }
    const { html } = await planned(dashboard, { ...MORE_MEMORY, "worker.cpu": "4" });
    const { row, detail } = rowOf(html, "worker02");
    assert.match(row, /data-action="blocked"/);
    assert.doesNotMatch(detail, /checkbox/);
    assert.match(
      wordsOf(detail),
      /^vCPUs 2 becomes 4 Memory 2 GiB becomes 4 GiB Not changed: this program did not create the VM\.$/,
    );
  }));

Deno.test("of many VMs each cause is said once, and the others refer to it", () =>
  withDashboard({}, async (dashboard) => {
    const many = { ...WORKERS, "worker.count": "14", "worker.memory": "256" };
    await finishedOperation(dashboard, await create(dashboard, many));
    turnOff(dashboard, ...Array.from({ length: 13 }, (_, n) => `worker${String(n + 1).padStart(2, "0")}`));
    const { html } = await planned(dashboard, { ...many, "worker.memory": "512" });
    assert.equal(html.match(/The VM is stopped and stays so/g)?.length, 1);
    assert.match(wordsOf(rowOf(html, "worker13").detail), /The same as worker01/);
    assert.match(wordsOf(rowOf(html, "worker14").detail), /The VM is running/, "another cause");
    assert.equal(tickedIn(html, "change").length, 13);
    assert.match(html, /Show all 14/);
    assert.match(html, /14 to change/);
    const extra = [...html.matchAll(/data-plan-vm="(\w+)" data-action="change" class="warn extra"/g)];
    assert.equal(extra.length, 10, "three of the stopped ones and the running one are shown");
  }));

Deno.test("GET /create/plan shows one type's plan as it is configured, with one VM ticked", () =>
  withDashboard({}, async (dashboard) => {
    const { configuration } = dashboard.configuration();
    await dashboard.manager.createVmType(configuration, "worker", 5920);
    for (const { config } of dashboard.simulator.store.vms.values()) config.memory = 1024;
    const html = await text(fetch(`${dashboard.url}/create/plan?type=worker&vm=worker02`));
    assert.deepEqual(tickedIn(html, "change"), ["worker02"]);
    assert.doesNotMatch(html, /data-plan-vm="controlplane01"/);
    assert.match(rowOf(html, "worker02").row, /id="plan-worker02"/);
    for (const type of ["", "other", "__proto__", "x".repeat(10_000)]) {
      const answer = await fetch(`${dashboard.url}/create/plan?type=${type}`, { redirect: "manual" });
      await answer.body?.cancel();
      assert.equal(answer.status, 303);
    }
  }));

Deno.test("POST /create/plan answers JSON with what is ticked, and never replaces by itself", () =>
  withWorkers(async (dashboard) => {
    const headers = { accept: "application/json" };
    const answer = await post(dashboard, "/create/plan", { ...MORE_MEMORY }, headers);
    const { selection, vms } = await answer.json();
    assert.deepEqual([selection.change, selection.replace], [["worker01", "worker02"], []]);
    assert.deepEqual(vms[0].changes, [{
      field: "memory",
      from: "2 GiB",
      to: "4 GiB",
      needsStop: true,
      never: null,
      replaces: false,
    }]);
  }));

Deno.test("a VM that the plan does not change is refused with the new plan, and nothing is sent", () =>
  withWorkers(async (dashboard) => {
    for (const tick of [["change", "worker99"], ["change", "x".repeat(10_000)], ["change", "‮worker01"]]) {
      const shown = await planned(dashboard, MORE_MEMORY);
      const before = dashboard.simulator.calls.length;
      const [name = "", value = ""] = tick;
      const { status, html } = await confirm(dashboard, shown, MORE_MEMORY, [[name, value]]);
      assert.equal(status, 409, value.slice(0, 20));
      assert.ok(hidden(html, "token"));
      const sent = dashboard.simulator.calls.slice(before).map(({ method }) => method);
      assert.deepEqual(sent.filter((method) => /update|create|delete|stop|start$/.test(method)), []);
    }
  }));

Deno.test("what is ticked is changed, the rest is kept, and the next plan says so", () =>
  withWorkers(async (dashboard) => {
    const shown = await planned(dashboard, MORE_MEMORY);
    const { html } = await confirm(dashboard, shown, MORE_MEMORY, [["change", "worker01"]]);
    assert.equal(html, "");
    const [latest] = dashboard.manager.operations.store.list();
    assert.equal(latest?.title, "Change 1 VM");
    const path = `/operations/${latest.id}`;
    const { status, vms } = await finishedOperation(dashboard, path) as {
      status: string;
      vms: { name: string; outcome: string }[];
    };
    assert.equal(status, "done");
    assert.deepEqual(vms.map(({ outcome }) => outcome), ["changed", "kept", "kept", "kept"]);
    const page = await text(fetch(dashboard.url + path));
    assert.match(wordsOf(page), /1 of 1 VM changed Done 1 done, 3 kept/);
    assert.match(wordsOf(page), /Change settings/);
    const again = await planned(dashboard, MORE_MEMORY);
    assert.match(rowOf(again.html, "worker01").row, /data-action="keep"/);
    assert.deepEqual(tickedIn(again.html, "change"), ["worker02"]);
  }));

Deno.test("a change that fails offers to resume it, and a rollback says that old values are restored", () =>
  withWorkers(async (dashboard) => {
    const error = { errno: 22, errname: "EINVAL", reason: "[EINVAL] no" };
    dashboard.simulator.addFault({ method: "vm.update", skip: 1, action: "fail", error });
    const shown = await planned(dashboard, MORE_MEMORY);
    const ticks = [["change", "worker01"], ["change", "worker02"]] as const;
    await confirm(dashboard, shown, MORE_MEMORY, ticks);
    const [latest] = dashboard.manager.operations.store.list();
    const { status } = await finishedOperation(dashboard, `/operations/${latest?.id}`);
    assert.equal(status, "partly-done");
    const words = wordsOf(await text(fetch(`${dashboard.url}/operations/${latest?.id}`)));
    assert.match(words, /1 of 2 VMs changed/);
    assert.match(words, /Resume changing 1 VM/);
    assert.match(words, /Restores the old values of 1 VM, where they are still as this operation left them/);
    assert.match(words, /Finished VMs are rolled back too/);
    assert.match(words, /was not changed/);
  }));
