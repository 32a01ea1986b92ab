/** Protects the list of operations: it has a limit, and a running operation is never dropped. */
import assert from "node:assert/strict";
import { OperationStore } from "../../../lib/operations/record/store.ts";

Deno.test("OperationStore keeps the newest operations and never drops a running one", () => {
  const store = new OperationStore(() => 0);
  const running = store.create();
  for (let n = 0; n < 300; n++) store.create().append({ type: "finished", status: "done" });
  assert.equal(store.list().length, 200);
  assert.equal(store.get(running.id), running);
  assert.equal(store.list().at(-1)?.id, running.id);
});
