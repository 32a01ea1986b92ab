/** Protects the approval of a plan for an agent: by administrators, of exactly what config.yaml declares, and once. */
import assert from "node:assert/strict";
import { APPROVED_MS } from "../../../lib/agents/approval.ts";
import { Approvals } from "../../../lib/agents/approvals.ts";
import { contentsOf, requestOf } from "../../../lib/agents/context.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { type DashboardOptions, TEST_CONFIG, type TestDashboard } from "../../support/pages/dashboard.ts";
import { withFolder } from "../../support/folder.ts";
import { FORM, hidden, post, text, withDashboard } from "../../support/pages/http.ts";

const PAGE = "/create/plan?type=worker";
/** The part about agents, unfolded. */
const OPEN = /id="agent-approval"[^>]* open/;

/** A dashboard with a journal, its approvals, and a clock. */
function withApprovals(
  test: (lab: { dashboard: TestDashboard; approvals: Approvals; clock: { at: number } }) => Promise<void>,
  options: DashboardOptions = {},
): Promise<void> {
  return withFolder(async (folder) => {
    using journal = Journal.open(folder);
    const clock = { at: Date.now() };
    const now = () => clock.at;
    const all: Approvals[] = [];
    await withDashboard({
      ...options,
      now,
      manager: { journal },
      approvals: ({ audit }) => {
        const approvals = new Approvals({ journal: journal.approvals, audit, nas: "nas", now });
        all.push(approvals);
        return approvals;
      },
    }, async (dashboard) => {
      const [approvals = assert.fail("there are approvals")] = all;
      await test({ dashboard, approvals, clock });
    });
  });
}

const show = ({ url }: TestDashboard, path = PAGE) => text(fetch(url + path));

/** What the workers of TEST_CONFIG are made from. */
function approvedBy({ manager }: TestDashboard, fingerprint: string) {
  const { configuration } = parseConfigurationFile({ text: TEST_CONFIG, source: "config.yaml" });
  return { fingerprint, contents: contentsOf(requestOf(configuration, manager, ["worker"]), manager) };
}

const formOf = (html: string) => ({
  token: hidden(html, "token"),
  plan: hidden(html, "plan"),
  "worker.count": "3",
});

Deno.test("a person approves a plan for an agent without JavaScript, sees how long, and withdraws it", () =>
  withApprovals(async ({ dashboard, approvals, clock }) => {
    const html = await show(dashboard);
    assert.match(html, /may then carry out exactly this plan, once, within 15 minutes/);
    assert.doesNotMatch(html, OPEN);
    assert.match(
      await show(dashboard, `${PAGE}&for=agent`),
      OPEN,
      "whom an agent sends need not look for it",
    );
    const form = formOf(html);
    const approved = await post(dashboard, "/create/approve", form);
    assert.deepEqual([approved.status, approved.headers.get("location")], [303, `${PAGE}#agent-approval`]);
    await approved.body?.cancel();
    const again = await post(dashboard, "/create/approve", form);
    assert.deepEqual(
      [again.status, again.headers.get("location")],
      [303, `${PAGE}#agent-approval`],
      "a double click approves once",
    );
    await again.body?.cancel();

    clock.at += APPROVED_MS - 61_000;
    const shown = await show(dashboard);
    assert.match(shown, /Approved for an agent\.<\/b>.*\(2 minutes left\)/s);
    assert.ok(!shown.includes("approve-plan"), "there is nothing to approve again");
    const withdrawn = await post(dashboard, "/create/approve/withdraw", formOf(shown));
    assert.deepEqual([withdrawn.status, withdrawn.headers.get("location")], [303, `${PAGE}#agent-approval`]);
    await withdrawn.body?.cancel();
    assert.equal(approvals.of(approvedBy(dashboard, form.plan)), null);
    assert.match(await show(dashboard), /id="approve-plan"/);
    const entries = dashboard.manager.audit.list().map(({ what, by }) => `${what}, ${by?.who}`);
    assert.deepEqual(entries, [
      "Withdraw the approval for an agent, admin",
      "Approve for an agent: create 3 VMs, admin",
    ]);

    await (await post(dashboard, "/create/approve", formOf(await show(dashboard)))).body?.cancel();
    assert.ok(approvals.of(approvedBy(dashboard, form.plan)) !== null);
    clock.at += APPROVED_MS;
    assert.match(await show(dashboard), /id="approve-plan"/, "its time is over");
  }));

Deno.test("only the plan that is shown and that config.yaml declares is approved", () =>
  withApprovals(async ({ dashboard, approvals }) => {
    const refused = async (fields: Record<string, string>, status: number, why: RegExp) => {
      const answer = await post(dashboard, "/create/approve", fields);
      assert.equal(answer.status, status);
      assert.match(await text(answer), why);
    };
    const form = formOf(await show(dashboard));
    await refused(
      { ...FORM, ...form, token: "guessed" },
      409,
      /This form has expired\. Nothing was approved/,
    );
    await refused({ ...FORM, ...form, plan: "0123456789abcdef" }, 409, /Nothing was approved/);
    const typed = await text(post(dashboard, "/create/plan", FORM));
    const other = { ...FORM, token: hidden(typed, "token"), plan: hidden(typed, "plan") };
    await refused(other, 409, /the form differs\s+from the file\. Nothing was approved/);
    assert.equal(approvals.of(approvedBy(dashboard, form.plan)), null);
    assert.equal(approvals.of(approvedBy(dashboard, other.plan)), null);
    assert.match(await show(dashboard, "/create/plan?type=worker&type=controlplane"), /these 4 VMs/);
    const unknown = await fetch(`${dashboard.url}/create/plan?type=worker&type=nobody`, {
      redirect: "manual",
    });
    assert.equal(unknown.headers.get("location"), "/create");
    await unknown.body?.cancel();
  }));

Deno.test("viewers approve nothing, and without agents there is no button", async () => {
  const access = { password: "admin-password", viewerPassword: "viewer-password" };
  await withApprovals(async ({ dashboard, approvals }) => {
    const authorization = `Basic ${btoa("viewer:viewer-password")}`;
    const answer = await post(dashboard, "/create/approve", { "worker.count": "3", plan: "x", token: "y" }, {
      authorization,
    });
    assert.equal(answer.status, 403, await text(answer));
    assert.equal(approvals.of(approvedBy(dashboard, "x")), null);
  }, { access });
  await withDashboard({}, async (dashboard) => {
    const html = await show(dashboard);
    assert.ok(!html.includes("agent-approval"));
    const answer = await post(dashboard, "/create/approve", { ...FORM, ...formOf(html) });
    assert.equal(answer.status, 409);
    assert.match(await text(answer), /Agents cannot reach this dashboard, so nothing was approved/);
  });
});

/** TEST_CONFIG whose workers also have these settings. */
const withWorker = (more: string) =>
  TEST_CONFIG.replace("  disk: { root: 20, data: 50 }\n", `${more}  disk: { root: 20, data: 50 }\n`);

const CONFIGURATIONS = [
  TEST_CONFIG,
  withWorker("  template: { vm: { autostart: false } }\n"),
  withWorker("  threads: 2\n  sparse: true\n  start: false\n  autostart: false\n  description: made here\n"),
  withWorker("  parallel: 2\n  on_failure: stop\n  overcommit: true\n  cdrom: none\n"),
  withWorker(
    "  seed: { kind: cloud-init, user: admin, ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICtAVKGtvIMuQBj94tNPJZAh/jkzocOl1qRjmc1OzH4O me] }\n" +
      "  addresses: { lan: { range: 10.0.0.21-29/24, gateway: 10.0.0.1, dns: [10.0.0.1] } }\n" +
      "  ready: { when: phone-home, timeout: 10m, otherwise: keep }\n",
  ),
];

Deno.test("the page shows the plan that agents have, whatever config.yaml leaves open", async () => {
  for (const config of CONFIGURATIONS) {
    await withDashboard({ config }, async (dashboard) => {
      const { manager } = dashboard;
      const { configuration } = parseConfigurationFile({ text: config, source: "config.yaml" });
      const { fingerprint } = await manager.operations.planCreation(
        requestOf(configuration, manager, ["worker"]),
      );
      const [, shown] = /data-plan="([^"]*)"/.exec(await show(dashboard)) ?? [];
      assert.equal(shown, fingerprint, config);
    });
  }
});
