/** Protects the audit log: it survives restarts and crashes, and does not grow without end. */
import assert from "node:assert/strict";
import { AUDIT_SHARES, AuditLog } from "../../../../lib/observability/audit.ts";
import { Journal } from "../../../../lib/operations/record/journal.ts";
import { OperationStore } from "../../../../lib/operations/record/store.ts";
import { withFolder } from "../../../support/folder.ts";

Deno.test("the audit log survives a restart, reports the outcome after a crash, and has a maximum length", () =>
  withFolder((folder) => {
    const by = { who: "admin", from: "192.0.2.1" };
    {
      using journal = Journal.open(folder);
      const operations = new OperationStore(() => 1_000, journal);
      const audit = new AuditLog(operations, journal);
      const vms = [{ name: "worker01", steps: ["start"], summary: "" }];
      operations.create().append({ type: "started", kind: "act", title: "Start worker01", by, vms });
      for (let round = 0; round < AUDIT_SHARES.ours + 200; round++) {
        audit.record({ by, what: "Sign in", outcome: "done" });
      }
      assert.equal(audit.list().length, AUDIT_SHARES.ours);
    }
    using journal = Journal.open(folder);
    assert.ok(journal.loadAudit().length < AUDIT_SHARES.ours + 200);
    const audit = new AuditLog(new OperationStore(() => 2_000, journal), journal);
    assert.equal(audit.list().at(0)?.what, "Sign in", "what was begun long ago has left the log");
    const operations = new OperationStore(() => 3_000, journal);
    const log = operations.create();
    const again = new AuditLog(operations, journal);
    const vms = [{ name: "worker02", steps: ["start"], summary: "" }];
    log.append({ type: "started", kind: "act", title: "Start worker02", by, vms });
    const started = again.list().at(0);
    assert.deepEqual([started?.what, started?.outcome, started?.vms, started?.by], [
      "Start worker02",
      "begun",
      ["worker02"],
      by,
    ]);
    const after = new AuditLog(new OperationStore(() => 4_000, journal), journal).list().at(0);
    assert.deepEqual([after?.what, after?.outcome, after?.by, after?.operation], [
      "Start worker02",
      "interrupted: 0 of 1, not worker02",
      by,
      log.id,
    ]);
    assert.equal(after?.seq, (started?.seq ?? 0) + 1);
  }));
