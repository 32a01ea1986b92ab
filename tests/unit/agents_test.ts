/** Protects approvals for agents: each is for one plan of one NAS, for a short time, and is used once. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { APPROVED_MS } from "../../lib/agents/approval.ts";
import { answerJson } from "../../lib/agents/answer.ts";
import { Approvals } from "../../lib/agents/approvals.ts";
import { dashboardAddress, nasOf } from "../../lib/agents/dashboard_address.ts";
import { dashboardSocket } from "../../lib/agents/socket_path.ts";
import { AuditLog } from "../../lib/observability/audit.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import { OperationStore } from "../../lib/operations/record/store.ts";
import type { CreationPlan, PlannedVm } from "../../lib/plan/types.ts";
import { autostartOf } from "../../lib/vm_templates/overrides.ts";
import { withFolder } from "../support/folder.ts";

const BY = { who: "admin", from: "127.0.0.1" };

const OF = { types: ["worker"], contents: "as config.yaml says" };
const planned = (fingerprint: string) => ({ fingerprint, contents: OF.contents });

function planOf(fingerprint: string): CreationPlan {
  const vm = { name: "worker01", steps: ["vm"] } as unknown as PlannedVm;
  return { vms: [vm], surplus: [], findings: [], totals: {}, fingerprint } as unknown as CreationPlan;
}

function approvalsOf(journal: Journal, clock: { at: number }, nas = "wss://nas.lan"): Approvals {
  const audit = new AuditLog(new OperationStore(() => clock.at, journal), journal);
  return new Approvals({ journal: journal.approvals, audit, nas, now: () => clock.at });
}

Deno.test("an approval is used once, within its time, unless it was withdrawn; also after a restart", () =>
  withFolder((folder) => {
    const clock = { at: 1_000_000 };
    const other = { at: clock.at };
    {
      using journal = Journal.open(folder);
      const approvals = approvalsOf(journal, clock);
      assert.throws(
        () => approvals.expect("aa"),
        /Nobody has approved this plan\. Nothing was created/,
      );
      const first = approvals.approve(planOf("aa"), OF, BY);
      assert.equal(first.expiresAt, clock.at + APPROVED_MS);
      assert.deepEqual(approvals.expect("aa"), first);
      assert.throws(
        () => approvalsOf(journal, other, "wss://other.lan").expect("aa"),
        /Nobody has approved/,
      );
      assert.throws(() => approvals.expect("ab"), /Nobody has approved/, "another plan");

      const edited = { ...planned("aa"), contents: "as edited meanwhile" };
      assert.throws(
        () => approvals.redeem(first, edited.contents),
        /config\.yaml or a template has changed since.*Nothing was created/,
      );
      assert.equal(approvals.of(edited), null);

      clock.at += APPROVED_MS - 1;
      assert.equal(approvals.of(planned("aa"))?.id, first.id, "to its last moment");
      clock.at += 1;
      assert.throws(() => approvals.expect("aa"), /has expired: it could be used for 15 min/);
      assert.throws(
        () => approvals.redeem(first, OF.contents),
        /has expired/,
        "also where it was found before",
      );

      const second = approvals.approve(planOf("aa"), OF, BY);
      assert.ok(approvals.withdraw("aa", BY) && !approvals.withdraw("aa", BY));
      assert.throws(() => approvals.redeem(second, OF.contents), /was withdrawn\. Nothing was created/);

      const third = approvals.approve(planOf("aa"), OF, BY);
      const fourth = approvals.approve(planOf("aa"), OF, BY);
      assert.throws(
        () => approvals.redeem(third, OF.contents),
        /Nothing was created/,
        "approving again is not twice",
      );
      approvals.redeem(fourth, OF.contents);
      assert.throws(() => approvals.redeem(fourth, OF.contents), /was used already\. Nothing was created/);
      approvals.recordUse(fourth, "0a1b2c3d");
      assert.ok(!approvals.withdraw("aa", BY), "what was used cannot be taken back");
    }
    using journal = Journal.open(folder);
    const approvals = approvalsOf(journal, clock);
    assert.throws(() => approvals.expect("aa"), /was used already \(operation 0a1b2c3d\)/);
    const audited = journal.loadAudit().map(({ what, vms }) => `${what} ${vms}`);
    assert.equal(audited[0], "Approve for an agent: create 1 VM worker01");
    assert.ok(audited.includes("Withdraw the approval for an agent worker01"));
  }));

Deno.test("a journal without the table of approvals gets it, and a damaged approval counts as none", () =>
  withFolder((folder) => {
    Journal.open(folder)[Symbol.dispose]();
    const earlier = new DatabaseSync(`${folder}/journal.sqlite`);
    earlier.exec("DROP TABLE approval");
    earlier.close();
    const clock = { at: 1_000 };
    {
      using journal = Journal.open(folder);
      approvalsOf(journal, clock).approve(planOf("aa"), OF, BY);
    }
    const damaged = new DatabaseSync(`${folder}/journal.sqlite`);
    const layout = damaged.prepare("SELECT value FROM about WHERE name = 'layout'").get()?.value;
    assert.equal(layout, "2", "an earlier version of the program still reads it");
    damaged.exec(`UPDATE approval SET approval = '{"id": 1}'`);
    damaged.close();
    using journal = Journal.open(folder);
    assert.equal(approvalsOf(journal, clock).of(planned("aa")), null);
  }));

Deno.test("answers are bounded, and addresses are those that people and programs use", () => {
  const answer = answerJson({ all: "x".repeat(300_000) });
  assert.ok(answer.isError && /Ask for less/.test(answer.text));
  const settings = { tls: null, listenHost: "0.0.0.0", basePath: "/vms" };
  assert.equal(dashboardAddress(settings, 8080), "http://localhost:8080/vms");
  const tls = { certFile: "c", keyFile: "k" };
  assert.equal(dashboardAddress({ tls, listenHost: "fd00::1", basePath: "" }, 443), "https://[fd00::1]:443");
  assert.equal(nasOf("nas.lan"), nasOf("wss://nas.lan"));
  assert.equal(dashboardSocket(`/tmp/${"x".repeat(100)}`), null, "no socket has so long a path");
  assert.equal(dashboardSocket("/var/lib/vms"), "/var/lib/vms/agents.sock");
});

Deno.test("VMs start with the NAS as their type says, or what it overrides, or the template", () => {
  const defaults = { autostart: true };
  const template = { vm: { autostart: false } };
  assert.deepEqual(
    [{}, { template }, { autostart: true, template }, { autostart: false }].map((it) =>
      autostartOf(it, defaults)
    ),
    [true, false, true, false],
  );
});
