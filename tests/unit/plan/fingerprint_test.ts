/** Protects the fingerprint of a plan: a confirmation applies only to the plan that was shown. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { fingerprint } from "../../../lib/plan/fingerprint.ts";

Deno.test("fingerprint() is equal for equal values only", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
    assert.match(fingerprint(a), /^[0-9a-f]{16}$/);
    assert.equal(fingerprint(a), fingerprint(structuredClone(a)));
    assert.equal(fingerprint(a) === fingerprint(b), JSON.stringify(a) === JSON.stringify(b));
  }));
});
