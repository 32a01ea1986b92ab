/**
 * Protects what an agent may do: it reads, and creates exactly what a person approved, once. The client of the official SDK
 * speaks with the real `main.ts mcp`, beside a real dashboard and without one.
 */
import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { type Agent, startAgent, startSilentAgent } from "../../support/program/agent.ts";
import { DISPLAY_PASSWORD, TEST_CONFIG, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { repeatedly, soon } from "../../support/deadline.ts";
import { hidden } from "../../support/pages/http.ts";
import { runProgram } from "../../support/program/command_line.ts";
import { type Program, startProgram, withFolder } from "../../support/program/program.ts";

const WORKERS = { types: ["worker"] };
const NAMES = ["worker01", "worker02", "worker03"];
const PASSWORD = "secret-of-the-account";

/** The SDK's client leaves timers and reads of its own behind. */
function agentTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

interface Lab {
  readonly simulator: Simulator;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly agent: (...args: string[]) => Promise<Agent>;
  readonly serve: () => Promise<Program>;
}

function withLab(test: (lab: Lab) => Promise<void>, options: SimulatorOptions = {}): Promise<void> {
  return withFolder(TEST_CONFIG, async (folder) => {
    const accounts = [{ username: "agents", password: PASSWORD, roles: ["FULL_ADMIN"] }];
    await using simulator = await startSimulator({ times: TEST_TIMES, accounts, ...options });
    const env = {
      TRUENAS_HOST: simulator.url,
      API_USERNAME: "agents",
      API_PASSWORD: PASSWORD,
      VNC_PASSWORD: DISPLAY_PASSWORD,
      STATE_DIR: `${folder}/state`,
    };
    const secrets = [PASSWORD, DISPLAY_PASSWORD];
    const agent = (...args: string[]) => startAgent({ folder, env, args, secrets });
    await test({ simulator, folder, env, agent, serve: () => startProgram(simulator, folder, { env }) });
  });
}

/** Approves the workers' plan as a person without JavaScript does: on the page that the agent was given. */
async function approve(
  { url }: Program,
  { page, fingerprint }: Awaited<ReturnType<typeof plan>>,
  type = "worker",
): Promise<void> {
  const html = await (await fetch(page)).text();
  assert.equal(hidden(html, "plan"), fingerprint, "the page shows the agent's plan");
  const body = new URLSearchParams({
    token: hidden(html, "token"),
    plan: fingerprint,
    [`${type}.count`]: "1",
  });
  const headers = { origin: url };
  const answer = await fetch(`${url}/create/approve`, { method: "POST", body, headers, redirect: "manual" });
  assert.equal(answer.status, 303, await answer.text());
}

async function plan(agent: Agent, wanted = WORKERS): Promise<{ fingerprint: string; page: string }> {
  const { json } = await agent.call("plan", wanted);
  return { fingerprint: json.fingerprint, page: json.approve.page };
}

const vmsOf = ({ simulator }: Lab) =>
  [...simulator.store.vms.values()].map(({ config }) => config.name).sort();

agentTest(
  "an agent creates what a person approved on the dashboard, once, and people see it there",
  () =>
    withLab(async (lab) => {
      const program = await lab.serve();
      {
        await using agent = await lab.agent();
        assert.deepEqual((await agent.call("list_vms")).json, { vms: [], more: 0 });
        const planned = await plan(agent);
        const { fingerprint, page } = planned;
        assert.equal(page, `${program.url}/create/plan?type=worker&for=agent`);
        const early = await agent.call("create", { ...WORKERS, fingerprint });
        assert.ok(early.isError);
        assert.match(early.text, /Nobody has approved this plan\. Nothing was created\. Ask a person/);

        await approve(program, planned);
        const { json: { approve: state } } = await agent.call("plan", WORKERS);
        assert.deepEqual([state.needed, state.approved], [true, true]);
        const other = await agent.call("create", { fingerprint });
        assert.match(
          other.text,
          /fingerprint is [0-9a-f]{16} now\. Nothing was created/,
          "all types are another plan",
        );
        assert.deepEqual(vmsOf(lab), []);

        const told: string[] = [];
        const created = await agent.call(
          "create",
          { ...WORKERS, fingerprint },
          (message) => told.push(message),
        );
        assert.ok(!created.isError, created.text);
        const { id, status, by, vms } = created.json;
        assert.deepEqual([status, by.who], ["done", "agent, approved by admin"]);
        assert.deepEqual(
          vms.map(({ name, outcome }) => `${name} ${outcome}`),
          NAMES.map((it) => `${it} created`),
        );
        assert.ok(told.some((message) => /^worker0\d disk0: done/.test(message)), told.join("\n"));
        assert.deepEqual(vmsOf(lab), NAMES);

        const again = await agent.call("create", { ...WORKERS, fingerprint });
        assert.ok(again.isError);
        const used = new RegExp(`was used already \\(operation ${id}\\)\\. Nothing was created`);
        assert.match(again.text, used);
        assert.equal((await agent.call("status")).json.operations[0]?.id, id);
        assert.equal((await agent.call("status", { operation: id })).json.status, "done");
        const log = (await agent.call("logs", { operation: id, limit: 3 })).text;
        assert.match(log, /^\S+Z Create 3 VMs, by agent, approved by admin\n/);
        assert.match(log, /more lines: ask for those after \d+$/);
        assert.match((await agent.call("explain", { operation: id })).text, /It ended: done/);
      }
      const seen = await (await fetch(`${program.url}/operations/audit`)).text();
      assert.match(seen, /Approve for an agent: create 3 VMs/);
      assert.match(seen, /agent, approved by admin/);
      await program.stop("SIGTERM");
    }),
);

agentTest(
  "two agents race for one approval: exactly one creates, beside a dashboard and without one",
  () =>
    withLab(async (lab) => {
      const program = await lab.serve();
      await using agent = await lab.agent();
      await using rival = await lab.agent();
      const race = async (wanted: typeof WORKERS, fingerprint: string) => {
        const answers = await Promise.all(
          [agent, rival].map((it) => it.call("create", { ...wanted, fingerprint })),
        );
        const [won, lost] = answers.toSorted((a, b) => Number(a.isError) - Number(b.isError));
        assert.deepEqual(
          [won?.isError, lost?.isError],
          [false, true],
          answers.map(({ text }) => text).join("\n"),
        );
        assert.match(lost?.text ?? "", /[Nn]othing was (created|changed)/);
      };
      const workers = await plan(agent);
      await approve(program, workers);
      await race(WORKERS, workers.fingerprint);
      assert.deepEqual(vmsOf(lab), NAMES);

      const others = { types: ["controlplane"] };
      const next = await plan(agent, others);
      await approve(program, next, "controlplane");
      await program.stop("SIGTERM");
      await race(others, next.fingerprint);
      assert.deepEqual(vmsOf(lab), ["controlplane01", ...NAMES]);
      const { json } = await agent.call("status");
      const by = json.operations.map(({ by }) => by.who);
      assert.deepEqual(by, ["agent, approved by admin", "agent, approved by admin"]);
    }),
);

agentTest(
  "a NAS that changed after the approval gets nothing, and the approval stays for the old plan only",
  () =>
    withLab(async (lab) => {
      const program = await lab.serve();
      await using agent = await lab.agent();
      const planned = await plan(agent);
      const { fingerprint } = planned;
      await approve(program, planned);
      await using allowed = await lab.agent("--allow", "create");
      const one = await allowed.call("plan", { types: ["controlplane"] });
      assert.deepEqual([one.json.approve.needed, one.json.approve.possible], [false, true]);
      const made = await allowed.call("create", {
        types: ["controlplane"],
        fingerprint: one.json.fingerprint,
      });
      assert.deepEqual([made.json.status, made.json.by.who], ["done", "agent"]);
      await Deno.writeTextFile(`${lab.folder}/fewer.yaml`, TEST_CONFIG.replace("count: 3", "count: 1"));
      const elsewhere = { ...lab.env, STATE_DIR: `${lab.folder}/elsewhere` };
      const { code } = await runProgram(
        ["create", "worker", "--config", "fewer.yaml"],
        lab.folder,
        elsewhere,
      );
      assert.equal(code, 0);
      const answer = await agent.call("create", { ...WORKERS, fingerprint });
      assert.ok(answer.isError);
      assert.match(answer.text, /changed after this plan was made.* Nothing was created\. Use plan again/);
      assert.deepEqual(vmsOf(lab), ["controlplane01", "worker01"]);
      assert.match((await agent.call("explain", { vm: "worker01" })).text, /^worker01: keep/);
      await program.stop("SIGTERM");
    }),
);

agentTest(
  "what the plan does not show cannot be changed after the approval either",
  () =>
    withLab(async (lab) => {
      const program = await lab.serve();
      await using agent = await lab.agent();
      const planned = await plan(agent);
      await approve(program, planned);
      const hidden = "  template: { vm: { command_line_args: -snapshot } }\n  disk: { root: 20, data: 50 }";
      const edited = TEST_CONFIG.replace("  disk: { root: 20, data: 50 }", hidden);
      await Deno.writeTextFile(`${lab.folder}/config.yaml`, edited);
      const { fingerprint } = await plan(agent);
      assert.equal(fingerprint, planned.fingerprint, "the plan does not show it");
      const { isError, text } = await agent.call("create", { ...WORKERS, fingerprint });
      assert.ok(isError);
      assert.match(
        text,
        /has changed since this plan was approved, in what the plan does not show\. Nothing was created/,
      );
      assert.deepEqual(vmsOf(lab), []);
      const page = await (await fetch(planned.page)).text();
      assert.match(page, /worker: vm\.command_line_args = &quot;-snapshot&quot;/, "whoever approves sees it");
      await approve(program, planned);
      assert.ok(!(await agent.call("create", { ...WORKERS, fingerprint })).isError);
      await program.stop("SIGTERM");
    }),
);

agentTest(
  "no tool destroys, and input that is huge, malformed or wrong is refused while the rest goes on",
  () =>
    withLab(async (lab) => {
      const { simulator, folder, env } = lab;
      await using agent = await lab.agent();
      const { tools } = await agent.client.listTools();
      assert.deepEqual(tools.map(({ name }) => name), [
        "list_vms",
        "plan",
        "explain",
        "status",
        "logs",
        "create",
      ]);
      for (const { name, annotations, description } of tools) {
        assert.equal(annotations?.readOnlyHint, name !== "create");
        assert.equal(annotations?.destructiveHint, false);
        assert.match(description ?? "", /never as instructions/);
      }
      const refused = async (tool: string, args: Record<string, unknown>, why: RegExp) => {
        const { isError, text } = await agent.call(tool, args);
        assert.ok(isError, `${tool} ${JSON.stringify(args).slice(0, 80)}`);
        assert.match(text, why);
        assert.ok(text.length < 200_000);
      };
      await refused("destroy", { vm: "worker01" }, /destroy/);
      await refused("create", {}, /fingerprint/);
      await refused("create", { fingerprint: "x".repeat(50_000) }, /fingerprint/);
      await refused("create", { fingerprint: "0123456789abcdef", yes: true }, /yes/);
      await refused("create", { types: Array(5_000).fill("worker"), fingerprint: "0123456789abcdef" }, /50/);
      await refused("plan", { types: ["wokrer"] }, /There is no VM type "wokrer"/);
      await refused("status", { operation: "../../etc" }, /operation/);
      await refused("logs", { operation: "01234567" }, /no operation with that id/);
      await refused("explain", { vm: "nobody" }, /No VM of that name/);
      assert.ok(simulator.calls.every(({ method }) => !/create|delete|update|start|stop/.test(method)));

      const raw = startSilentAgent({ folder, env });
      await raw.send("this is no JSON");
      await raw.send(`{"jsonrpc":"2.0","id":7,"method":"ping","pad":"${"x".repeat(3_000_000)}"}`);
      await raw.send('{"jsonrpc":"2.0","id":1,"method":"ping"}');
      await repeatedly(
        "it answers what it understands",
        () => Promise.resolve(raw.out().includes('"id":1') || null),
      );
      assert.equal(await raw.end(), 0, "a closed standard input ends it");
      for (const line of raw.out().trim().split("\n")) {
        assert.equal(JSON.parse(line).jsonrpc, "2.0", "only the protocol");
      }
      assert.match(raw.err(), /it is too long/);
    }),
);

agentTest("READ_ONLY creates nothing, and a NAS that is away is said to be", () =>
  withLab(async (lab) => {
    await using agent = await startAgent({
      ...lab,
      env: { ...lab.env, READ_ONLY: "1" },
      args: ["--allow", "create"],
    });
    const { fingerprint } = await plan(agent);
    const refused = await agent.call("create", { ...WORKERS, fingerprint });
    assert.ok(refused.isError);
    assert.match(refused.text, /READ_ONLY is set, so nothing can be created/);
    await lab.simulator.goAway();
    for (const tool of ["list_vms", "plan", "status"]) {
      const { isError, text } = await agent.call(tool);
      assert.ok(isError && /NAS|listening|connect/i.test(text), `${tool}: ${text}`);
    }
    await lab.simulator.comeBack();
    assert.ok(!(await agent.call("list_vms")).isError, "and works again by itself");
  }));

const SLOW = { times: { ...TEST_TIMES, zvolMs: 150 } };

agentTest("an agent that leaves in the middle of a creation leaves whole VMs", () =>
  withLab(async (lab) => {
    const raw = startSilentAgent({ ...lab, args: ["--allow", "create"] });
    await using agent = await lab.agent();
    const { fingerprint } = await plan(agent);
    await raw.initialize();
    await raw.callTool("create", { ...WORKERS, fingerprint });
    await begun(lab);
    await raw.callTool("status", {}, 3);
    await repeatedly("its own calls share the journal", () =>
      Promise.resolve(raw.out().includes('"id":3') || null));
    assert.match(raw.out(), /\\"status\\":\\"running\\"/);
    const busy = await agent.call("status");
    assert.match(busy.text, /journal is in use .*Nothing was changed/s);
    assert.ok(!(await agent.call("plan", WORKERS)).isError, "what needs no journal works");
    assert.equal(await raw.end(), 0);
    assert.deepEqual(vmsOf(lab), NAMES);
    const { json } = await agent.call("status");
    assert.equal(json.operations[0]?.status, "done");
  }, SLOW));

agentTest(
  "beside a dashboard a creation outlives its agent, and a dashboard that is killed is said to be",
  () =>
    withLab(async (lab) => {
      const first = await lab.serve();
      const raw = startSilentAgent({ ...lab, args: ["--allow", "create"] });
      await using agent = await lab.agent("--allow", "create");
      const { fingerprint } = await plan(agent);
      await raw.initialize();
      await raw.callTool("create", { ...WORKERS, fingerprint });
      await begun(lab);
      assert.equal(await soon(raw.stop(), "it ends at a signal, without waiting for the dashboard"), 0);
      const { json: running } = await agent.call("status");
      await repeatedly("the dashboard finishes it", async () => {
        const { json } = await agent.call("status", { operation: running.operations[0]?.id });
        return json.status === "done" || null;
      });
      assert.deepEqual(vmsOf(lab), NAMES);

      await Deno.copyFile(`${lab.folder}/config.yaml`, `${lab.folder}/other.yaml`);
      await using stranger = await lab.agent("--config", "other.yaml");
      const other = await stranger.call("list_vms");
      assert.ok(other.isError);
      assert.match(
        other.text,
        /has this STATE_DIR, but another configuration file \(--config\)\. Nothing was changed/,
      );

      const more = { types: ["controlplane"] };
      const next = await plan(agent, more);
      const creating = agent.call("create", { ...more, fingerprint: next.fingerprint });
      await begun(lab, NAMES.length);
      await first.kill();
      const { isError, text } = await creating;
      assert.ok(isError);
      assert.match(text, /The dashboard stopped before it had answered/);
      const { json: { operations: [left] } } = await agent.call("status");
      assert.equal(left?.status, "interrupted", "the next one who opens the journal knows");
    }, SLOW),
);

async function begun({ simulator }: Lab, before = 0): Promise<void> {
  await repeatedly("it has begun", () => Promise.resolve(simulator.store.vms.size > before || null));
}
