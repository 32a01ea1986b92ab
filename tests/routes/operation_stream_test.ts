/** Protects what an open operation page is sent: single lanes while the picture's frame stays, else all of it. */
import assert from "node:assert/strict";
import type { OperationFact, StepStatus } from "../../lib/operations/types.ts";
import type { TestDashboard } from "../support/pages/dashboard.ts";
import { signIn, withDashboard } from "../support/pages/http.ts";

const ACCESS = { password: "open sesame", viewerPassword: "just looking" };

/** Two VMs of one step, as the simulator never needs to know of. */
const STARTED: OperationFact = {
  type: "started",
  kind: "create",
  title: "Create 2 VMs",
  vms: ["a", "b"].map((name) => ({ name, steps: ["vm"], summary: "small" })),
};

function step(vm: string, status: StepStatus): OperationFact {
  return { type: "step", vm, step: "vm", status };
}

/** The messages about events that the stream of an operation brings. */
async function* messagesOf({ url }: TestDashboard, path: string, cookie: string): AsyncGenerator<string> {
  const response = await fetch(url + path, { headers: { cookie, accept: "text/event-stream" } });
  let rest = "";
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    yield* blocks.filter((block) => /^id: /m.test(block));
  }
}

Deno.test("the timeline is sent whole when its axis or its legend changes, and else the lane with what all share", () => {
  // The log has a clock of its own.
  const clock = { now: Date.now() };
  return withDashboard({ access: ACCESS, now: () => clock.now }, async (dashboard) => {
    const log = dashboard.manager.operations.store.create();
    const say = (fact: OperationFact, ms: number) => {
      clock.now += ms;
      log.append(fact);
    };
    say(STARTED, 0);
    say(step("a", "running"), 0);
    const path = `/operations/${log.view.id}/events?after=1`;
    const cookies = await Promise.all(
      [ACCESS.password, ACCESS.viewerPassword].map(async (it) => (await signIn(dashboard, it)).cookie),
    );
    const watchers = cookies.map((cookie) => messagesOf(dashboard, path, cookie));
    const isWhole = async (what: string, whole: boolean) => {
      for (const watcher of watchers) {
        const message: string = (await watcher.next()).value;
        assert.equal(message.includes('hx-target="#waterfall"'), whole, what);
        for (const part of ["lane-op-vm-", "waterfall-axis", "waterfall-running"]) {
          assert.equal(message.includes(`hx-target="#${part}`), !whole, `${what}: ${part}`);
        }
      }
    };
    await isWhole("a page that has just loaded", true);
    say(step("b", "running"), 100);
    await isWhole("nothing but a lane", false);
    say({ type: "progress", vm: "b", step: "vm", percent: 50 }, 60_000);
    await isWhole("time has passed, so the axis is longer", true);
    say({ type: "progress", vm: "b", step: "vm", percent: 60 }, 100);
    await isWhole("the axis has room", false);
    say(step("b", "failed"), 100);
    await isWhole("the legend has one colour more", true);
    await Promise.all(watchers.map((watcher) => watcher.return(undefined)));
  });
});
