/** Protects what running operations have for themselves: who overlaps with whom, and ports that nobody else gets. */
import assert from "node:assert/strict";
import {
  type Claim,
  claimedBy,
  Claims,
  describeOverlap,
  findOverlap,
} from "../../../lib/operations/turns/claims.ts";
import { Turns } from "../../../lib/operations/turns/turns.ts";
import { portAllocator } from "../../../lib/plan/allocation.ts";
import type { RunningOperation } from "../../../lib/operations/runner.ts";

/** Claims that one running operation holds. */
function holding(claim: Claim): Claims {
  const claims = new Claims();
  claims.hold({ operation: "a1", title: "Create 2 VMs" }, claim);
  return claims;
}

/** What a second operation shares with a running one; null when it can start. */
function shared(held: Claim, wanted: Claim): string | null | undefined {
  const overlap = findOverlap(wanted, holding(held).held());
  return overlap === null ? undefined : overlap.both;
}

Deno.test("operations overlap by the VMs, zvols and images that one of them has for itself", () => {
  const held: Claim = {
    vms: ["web1"],
    seen: ["web2"],
    zvols: ["tank/web1"],
    images: ["debian"],
    uses: ["alma"],
  };
  const cases: readonly [Claim, string | null | undefined][] = [
    [{}, undefined],
    [{ vms: ["db1"], zvols: ["tank/db1"], images: ["arch"], uses: ["alma"] }, undefined],
    [{ vms: ["db1", "web1"] }, "web1"],
    [{ seen: ["web1"] }, "web1"],
    [{ vms: ["web2"] }, undefined],
    [{ zvols: ["tank/web1"] }, "tank/web1"],
    [{ images: ["debian"] }, "debian"],
    [{ uses: ["debian"] }, "debian"],
    [{ images: ["alma"] }, "alma"],
    [{ alone: true }, null],
  ];
  for (const [wanted, expected] of cases) {
    assert.equal(shared(held, wanted), expected, JSON.stringify(wanted));
  }
  assert.equal(shared({ alone: true }, { vms: ["db1"] }), null, "what runs alone is not joined either");
  assert.equal(findOverlap(held, []), null);
});

Deno.test("an overlap is said in words, with the running operation", () => {
  const overlap = { operation: "a1", title: "Create 2 VMs" };
  assert.equal(
    describeOverlap({ ...overlap, both: "web1" }),
    "Another operation is working on web1: Create 2 VMs",
  );
  assert.equal(describeOverlap({ ...overlap, both: null }), "Another operation is running: Create 2 VMs");
});

Deno.test("plans are told the ports and MAC addresses of running operations, until these end", () => {
  const claims = new Claims();
  const macs = new Map([["02:00:00:00:00:01", "web1"]]);
  const own = claims.hold({ operation: "a1", title: "Create 1 VM" }, { ports: [5910, 7910], macs });
  assert.deepEqual(claimedBy(claims.held()), { ports: [5910, 7910], macs });
  own.release();
  assert.deepEqual(claimedBy(claims.held()), { ports: [], macs: new Map() });
});

Deno.test("two operations that replace refused ports never get the same ones", () => {
  const claims = new Claims();
  const first = claims.hold({ operation: "a1", title: "" }, { ports: [5910, 7910] });
  const second = claims.hold({ operation: "a2", title: "" }, { ports: [5911, 7911] });
  const [one, two] = [first.allocator(portAllocator([])), second.allocator(portAllocator([]))];
  assert.deepEqual(one.next(5911), { port: 5912, webPort: 7912 });
  assert.deepEqual(two.next(5911), { port: 5911, webPort: 7911 }, "its own ports are its own");
  assert.deepEqual(two.next(5912), { port: 5913, webPort: 7913 });
  assert.equal(one.next(65_535), null);
});

/** An operation that claims something and runs until it is ended. */
function operation(claims: Claims, id: string, claim: Claim) {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  let planned = 0;
  const run = () => {
    const own = claims.hold({ operation: id, title: id }, claim);
    const ended = finished.then(own.release);
    return { finished: ended } as unknown as RunningOperation;
  };
  const plan = () => {
    planned++;
    return Promise.resolve({ claim, run });
  };
  return { plan, end: resolve, times: () => planned };
}

Deno.test("what overlaps waits for the end of the other operation and is planned again; nothing else waits", async () => {
  const claims = new Claims();
  const turns = new Turns(claims);
  const [first, second, other] = [
    operation(claims, "first", { vms: ["web1"] }),
    operation(claims, "second", { vms: ["web1"] }),
    operation(claims, "other", { vms: ["db1"] }),
  ];
  await turns.start(first.plan);
  const waiting = turns.start(second.plan);
  await turns.start(other.plan);
  assert.deepEqual(claims.held().map(({ title }) => title), ["first", "other"]);
  assert.equal(
    (await turns.attempt(second.plan)).overlap?.both,
    "web1",
    "one that does not wait is told why",
  );
  first.end();
  await waiting;
  assert.deepEqual(claims.held().map(({ title }) => title), ["other", "second"]);
  assert.equal(second.times(), 3);
  let isIdle = false;
  const idle = turns.idle().then(() => isIdle = true);
  second.end();
  await waiting.then((running) => running?.finished);
  assert.equal(isIdle, false);
  other.end();
  await idle;
});

Deno.test("what ends while the NAS is read counts as an overlap, because the reading may show too little", async () => {
  const claims = new Claims();
  const turns = new Turns(claims);
  const [first, second] = [
    operation(claims, "first", { vms: ["web1"] }),
    operation(claims, "second", { vms: ["web1"] }),
  ];
  const running = await turns.start(first.plan);
  const plan = async () => {
    first.end();
    await running?.finished;
    return await second.plan();
  };
  const { overlap } = await turns.attempt(plan);
  assert.equal(overlap?.title, "first");
  await turns.start(plan);
  assert.equal(second.times(), 2);
});

Deno.test("a wait ends when it is cancelled, or when the program stops; nothing is started", async () => {
  const claims = holding({ vms: ["web1"] });
  const turns = new Turns(claims);
  const second = operation(claims, "second", { vms: ["web1"] });
  const cancel = new AbortController();
  const waiting = turns.start(second.plan, cancel.signal);
  cancel.abort();
  await assert.rejects(waiting, {
    message:
      "Cancelled before it started. Another operation is working on web1: Create 2 VMs. Nothing was sent",
  });
  await assert.rejects(turns.start(second.plan, cancel.signal), /Cancelled before it started/);
  const stopping = turns.start(() =>
    claims.held().length > 0 ? second.plan() : Promise.reject(new Error("stopping"))
  );
  claims.releaseAll();
  await assert.rejects(stopping, /stopping/);
});
