/** Protects forms that make changes: sent twice, at once or later, they take effect once and open the same page. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { OneTimeTokens } from "../../../routes/auth/tokens.ts";

/** An action that counts its runs, and ends on request. */
function countedAct() {
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const act = {
    done: 0,
    resolve,
    reject,
    run: () => {
      act.done++;
      return promise;
    },
  };
  return act;
}

Deno.test("an issued token is known and unique", () => {
  const tokens = new OneTimeTokens();
  const issued = Array.from({ length: 100 }, () => tokens.issue());
  assert.equal(new Set(issued).size, 100);
  assert.ok(issued.every((token) => tokens.knows(token) && !tokens.isUsed(token)));
  assert.deepEqual([tokens.knows("made up"), tokens.isUsed("made up")], [false, false]);
});

Deno.test("two simultaneous redeem() calls act once and return the same page", async () => {
  const tokens = new OneTimeTokens();
  const token = tokens.issue();
  const act = countedAct();
  const both = [tokens.redeem(token, act.run), tokens.redeem(token, act.run)];
  assert.ok(tokens.isUsed(token), "while it is being used it is used");
  act.resolve("/operations/1");
  assert.deepEqual(await Promise.all(both), ["/operations/1", "/operations/1"]);
  assert.equal(act.done, 1);
});

Deno.test("redeem() of a used token never acts again", async () => {
  const tokens = new OneTimeTokens();
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 5 }), async (times) => {
    const token = tokens.issue();
    assert.equal(await tokens.redeem(token, () => Promise.resolve("/first")), "/first");
    for (let n = 0; n < times; n++) {
      assert.equal(await tokens.redeem(token, () => assert.fail("it acted again")), "/first");
    }
    assert.ok(tokens.isUsed(token));
  }));
});

Deno.test("a token can be used again if its use failed or opened no page", async () => {
  const tokens = new OneTimeTokens();
  const token = tokens.issue();
  assert.equal(await tokens.redeem(token, () => Promise.resolve(null)), null);
  assert.deepEqual([tokens.knows(token), tokens.isUsed(token)], [true, false]);
  const act = countedAct();
  const both = Promise.allSettled([tokens.redeem(token, act.run), tokens.redeem(token, act.run)]);
  act.reject(new Error("the NAS is away"));
  assert.deepEqual((await both).map(({ status }) => status), ["rejected", "rejected"]);
  assert.deepEqual([act.done, tokens.isUsed(token)], [1, false]);
  await assert.rejects(
    tokens.redeem(token, () => {
      throw new Error("at once");
    }),
    /at once/,
  );
  assert.equal(await tokens.redeem(token, () => Promise.resolve("/again")), "/again");
});

Deno.test("tokens of different forms are independent", async () => {
  const tokens = new OneTimeTokens();
  const [first, second] = [tokens.issue(), tokens.issue()];
  await tokens.redeem(first, () => Promise.resolve("/first"));
  assert.ok(!tokens.isUsed(second));
  assert.equal(await tokens.redeem(second, () => Promise.resolve("/second")), "/second");
});

Deno.test("the oldest token is dropped above a thousand", () => {
  const tokens = new OneTimeTokens();
  const [oldest = "", second = "", ...others] = Array.from({ length: 1_001 }, () => tokens.issue());
  assert.deepEqual([tokens.knows(oldest), tokens.knows(second)], [false, true]);
  assert.ok(others.every((token) => tokens.knows(token)));
});
