/**
 * Protects the proof of an API key (SCRAM-SHA-512), against the simulated NAS, which computes it with another library,
 * and against a NAS that does not know the key.
 */
import assert from "node:assert/strict";
import type { Account } from "../../../lib/simulator/accounts.ts";
import { challenge } from "../../../lib/simulator/wire/scram.ts";
import { ScramError, splitApiKey, startScram } from "../../../lib/truenas/connection/scram.ts";

const SECRET = "uz8DhKHFhRIUQIvjzabPYtpy5wf1DJ3ZBLlDgNVhRAFT7Y6pJGUlm0n3apwxWEU4";

function account(username: string, apiKey: string): Account {
  const flags = { apiKeyRevoked: false, apiKeyExpired: false, otp: null };
  return { username, password: "x", roles: ["VM_READ"], apiKey, ...flags };
}

Deno.test("beginScram() proves the key in both directions without sending it", async () => {
  for (const name of ["root", "a=b,c"]) {
    const accounts = [account("other", `8-${SECRET}`), account(name, `7-${SECRET}`)];
    const exchange = startScram({ id: "7", secret: SECRET }, name);
    const asked = challenge(accounts, exchange.clientFirst);
    assert.ok(asked !== null);
    const { clientFinal, proves } = await exchange.prove(asked.serverFirst);
    const answer = asked.verify(clientFinal);
    assert.ok(answer !== null, "the NAS accepts the proof");
    assert.equal(proves(answer), true);
    const other = answer.endsWith("AA==") ? "AQ==" : "AA==";
    assert.equal(proves(`${answer.slice(0, -4)}${other}`), false, "another NAS's signature");
    assert.equal(proves(""), false);
    assert.doesNotMatch(exchange.clientFirst + clientFinal, new RegExp(SECRET));
  }
});

Deno.test("a wrong key and a key of another account are rejected", async () => {
  const accounts = [account("root", `7-${SECRET}`)];
  const exchange = startScram({ id: "7", secret: "wrong" }, "root");
  const asked = challenge(accounts, exchange.clientFirst);
  assert.ok(asked !== null);
  assert.equal(asked.verify((await exchange.prove(asked.serverFirst)).clientFinal), null);
  assert.equal(challenge(accounts, startScram({ id: "8", secret: SECRET }, "root").clientFirst), null);
  assert.equal(challenge(accounts, startScram({ id: "7", secret: SECRET }, "admin").clientFirst), null);
});

Deno.test("an answer from another login, or with too few or too many iterations, is rejected", async () => {
  const nonce = new Uint8Array(32).fill(1);
  const exchange = startScram({ id: "7", secret: SECRET }, "root", nonce);
  const own = new Uint8Array([...nonce, ...new Uint8Array(32).fill(2)]).toBase64();
  const salt = new Uint8Array(16).toBase64();
  const REFUSED = {
    "another nonce": `r=${new Uint8Array(64).toBase64()},s=${salt},i=500000`,
    "only our own nonce": `r=${nonce.toBase64()},s=${salt},i=500000`,
    "too few iterations": `r=${own},s=${salt},i=4096`,
    "too many iterations": `r=${own},s=${salt},i=50000000`,
    "no salt": `r=${own},i=500000`,
    "no base64": `r=${own},s=***,i=500000`,
    "nothing": "",
  };
  for (const [what, serverFirst] of Object.entries(REFUSED)) {
    await assert.rejects(exchange.prove(serverFirst), ScramError, what);
  }
  assert.ok(
    (await exchange.prove(`r=${own},s=${salt},i=50000`)).clientFinal.startsWith(`c=biws,r=${own},p=`),
  );
});

Deno.test("splitApiKey() splits a key at its first hyphen", () => {
  assert.deepEqual(splitApiKey("7-ab-c"), { id: "7", secret: "ab-c" });
  for (const odd of ["", "7-", "ab", "-ab", "x-ab"]) assert.equal(splitApiKey(odd), null, odd);
});
