/** Protects zvols that others depend on: what is kept also keeps what it was cloned from, and clones are removed first. */
import assert from "node:assert/strict";
import { clonesFirst, NOTHING_READ, planRemovals } from "../../../lib/plan/removal.ts";
import type { PlannedZvol } from "../../../lib/plan/types.ts";

/** A zvol with these clones, whose snapshot may have a hold. */
function zvol(name: string, clones: readonly string[], isHeld = false): PlannedZvol {
  const snapshots = isHeld ? [{ name: `${name}@s`, holds: ["backup"] }] : [];
  const dependants = clones.map((clone) => ({ zvol: clone, origin: `${name}@s`, vm: null }));
  return { name, sizeBytes: null, snapshots, dependants };
}

/** The items that can be removed, with what must be removed before each, and the others with the reasons. */
function plan(zvols: readonly PlannedZvol[]) {
  const items = zvols.map((it) => ({ key: it.name, zvols: [it] }));
  const decided = planRemovals((blocked) => items.filter(({ key }) => !blocked.has(key)), NOTHING_READ);
  return new Map(
    decided.map(({ key, blocked, after }) => [key, blocked.length > 0 ? blocked.join() : after]),
  );
}

Deno.test("planRemovals() keeps whatever a kept clone depends on, however far away", () => {
  const chain = [zvol("a", ["b"]), zvol("b", ["c"]), zvol("other", [])];
  assert.deepEqual(
    [...plan([...chain, zvol("c", [])])],
    [["a", ["b"]], ["b", ["c"]], ["other", []], ["c", []]],
    "the premise: without the hold all are removed, clones first",
  );
  const kept = plan([...chain, zvol("c", [], true)]);
  assert.deepEqual(kept.get("other"), []);
  assert.match(String(kept.get("c")), /c@s has a hold/);
  assert.match(String(kept.get("b")), /^c is a clone that depends on b/);
  assert.match(String(kept.get("a")), /^b is a clone that depends on a/);
});

Deno.test("planRemovals() blocks items that are clones of each other", () => {
  const decided = plan([zvol("a", ["b"]), zvol("b", ["a"]), zvol("other", [])]);
  assert.match(String(decided.get("a")), /are clones of each other; promote one/);
  assert.match(String(decided.get("b")), /are clones of each other; promote one/);
  assert.deepEqual(decided.get("other"), []);
});

Deno.test("clonesFirst() sorts clones before the zvols they were cloned from", () => {
  const sorted = clonesFirst([zvol("a", ["b"]), zvol("b", ["c"]), zvol("c", [])]);
  assert.deepEqual(sorted.map(({ name }) => name), ["c", "b", "a"]);
});
