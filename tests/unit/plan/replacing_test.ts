/** Protects zvols that a replacement keeps, and nothing else that has their names. */
import assert from "node:assert/strict";
import { keptReason } from "../../../lib/plan/replacing/kept.ts";

const NAME = "tank/vms/worker02-disk1";
const KEPT = new Map([[NAME, { uuids: ["old", "new"], remedy: "resume the operation 1234" }]]);

Deno.test("keptReason() names a zvol of the replaced VM or of the new one, and one whose mark cannot be read", () => {
  for (const mark of [{ vm: "old", operation: "a" }, { vm: "new", operation: "b" }, null]) {
    assert.equal(
      keptReason(KEPT, { name: NAME, mark }),
      "it was kept when its VM was replaced, and may contain data; resume the operation 1234",
    );
  }
});

Deno.test("keptReason() is null for another zvol, also under the name of a kept one", () => {
  assert.equal(keptReason(KEPT, { name: NAME, mark: { vm: "other", operation: "a" } }), null);
  assert.equal(keptReason(KEPT, { name: "tank/vms/worker02-disk0", mark: null }), null);
  assert.equal(keptReason(undefined, { name: NAME, mark: null }), null);
});
