/**
 * Protects the waiting for a guest: which sign counts, what is said when none comes, and that only the own clock counts. The
 * signs and the clock are fake.
 */
import assert from "node:assert/strict";
import { planReady } from "../../../lib/first_boot/readiness/planned_ready.ts";
import { factsIn } from "../../../lib/first_boot/readiness/read_console.ts";
import type { WaitingGuest } from "../../../lib/first_boot/readiness/strangers.ts";
import {
  type GuestSenses,
  NotReady,
  waitForReady,
} from "../../../lib/first_boot/readiness/wait_for_ready.ts";
import type { GuestSign, PlannedReady, ReadyWhen } from "../../../lib/first_boot/types.ts";
import type { Vm } from "../../../lib/inventory/inventory.ts";

const MAC = "02:00:5e:00:00:01";
const UUID = "0b4ef25e-1c3b-4b0b-8f0e-2d4c7f6a9b10";
const MINUTE_MS = 60_000;

const guest: WaitingGuest = {
  name: "worker01",
  uuid: UUID,
  macs: [MAC],
  addresses: [],
  ownerOfKey: () => null,
};
const running = { id: 1, name: "worker01", state: "RUNNING", nics: [] } as unknown as Vm;

function planned(when: ReadyWhen, timeoutMs = 10 * MINUTE_MS): PlannedReady {
  return { when, timeoutMs, otherwise: "keep" };
}

/** Senses that tell nothing, and a clock that only sleeping moves; `served` sends a sign by the seed server. */
function fake(change: Partial<GuestSenses> = {}) {
  let ms = 0;
  let listener: (sign: GuestSign) => void = () => {};
  const senses: GuestSenses = {
    served: { signs: () => [], onSign: (added) => void (listener = added) },
    probe: () => Promise.resolve({ state: "silent", greeting: null, because: null }),
    readVm: () => Promise.resolve(running),
    outages: () => 0,
    startAgain: () => Promise.resolve(false),
    askAgent: null,
    macOf: null,
    readConsole: null,
    clock: () => ms,
    now: () => 0,
    sleep: (pauseMs) => {
      ms += pauseMs;
      return Promise.resolve();
    },
    pollMs: 1_000,
    ...change,
  };
  return {
    senses,
    served: (sign: GuestSign) => listener(sign),
    pass: (by: number) => ms += by,
    at: () => ms,
  };
}

function following(signs: GuestSign[]) {
  return { onSign: (sign: GuestSign) => void signs.push(sign), signal: new AbortController().signal };
}

async function wait(when: ReadyWhen, { senses }: ReturnType<typeof fake>, of: WaitingGuest = guest) {
  const signs: GuestSign[] = [];
  const answer = await waitForReady(of, planned(when), senses, following(signs));
  return { answer, kinds: signs.map(({ kind }) => kind) };
}

async function failure(when: ReadyWhen, { senses }: ReturnType<typeof fake>, of: WaitingGuest = guest) {
  const signs: GuestSign[] = [];
  const error = await waitForReady(of, planned(when), senses, following(signs)).then(
    () => assert.fail("it counts as ready"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof NotReady, String(error));
  return { message: error.message, signs };
}

Deno.test("a guest that phones home is ready, and what it fetched before is told first", async () => {
  const fakes = fake();
  const waiting = wait("phone-home", fakes);
  fakes.served({ kind: "seed-fetched", at: 1, address: "10.0.0.21" });
  fakes.served({ kind: "seed-fetched", at: 2, address: "10.0.0.21" });
  fakes.served({ kind: "phone-home", at: 3, address: "10.0.0.21", hostname: "worker01", instanceId: UUID });
  const { answer, kinds } = await waiting;
  assert.equal(answer.kind, "phone-home");
  assert.deepEqual(kinds, ["seed-fetched", "phone-home"], "fetching twice is told once");
});

Deno.test("a port is probed at every address that becomes known", async () => {
  const asked: string[] = [];
  const fakes = fake({
    probe: ({ address, port }) => {
      asked.push(`${address}:${port}`);
      const state = asked.filter((it) => it.startsWith("10.0.0.21")).length > 1 ? "open" : "refused";
      return Promise.resolve({ state, greeting: state === "open" ? "SSH-2.0-x" : null, because: null });
    },
  });
  const waiting = wait("tcp:22", fakes);
  assert.deepEqual(asked, []);
  fakes.served({ kind: "seed-fetched", at: 1, address: "10.0.0.21" });
  const { answer, kinds } = await waiting;
  assert.deepEqual(kinds, ["seed-fetched", "network", "port"]);
  assert.ok(answer.kind === "port" && answer.port === 22 && answer.greeting === "SSH-2.0-x");
  assert.deepEqual([...new Set(asked)], ["10.0.0.21:22"]);
});

Deno.test("Talos is known by its port, at the static address that its seed gives it", async () => {
  const fakes = fake({
    probe: ({ port }) =>
      Promise.resolve({ state: port === 50_000 ? "open" : "refused", greeting: null, because: null }),
  });
  const { answer } = await wait("talos", fakes, { ...guest, addresses: ["10.0.0.31"] });
  assert.equal(answer.address, "10.0.0.31");
});

Deno.test("a timeout says what was seen last and what to look at", async () => {
  const nothing = await failure("phone-home", fake());
  assert.match(nothing.message, /did not answer within 10 min; nothing was seen of it/);
  assert.match(nothing.message, /has not fetched its first configuration.*SEED_HOST/);
  const fakes = fake();
  const later = failure("phone-home", fakes);
  fakes.served({ kind: "seed-fetched", at: 1, address: "10.0.0.21" });
  assert.match(
    (await later).message,
    /seen last: first configuration fetched by 10\.0\.0\.21.*what cloud-init is doing/,
  );
  const closed = await failure(
    "tcp:22",
    fake({ probe: () => Promise.resolve({ state: "refused", greeting: null, because: null }) }),
    { ...guest, addresses: ["10.0.0.31"] },
  );
  assert.match(closed.message, /port 22 does not answer there/);
});

Deno.test("what answers with another MAC address, instance or host key is not the node", async () => {
  const open = { state: "open", greeting: null, because: null } as const;
  const other = await failure(
    "tcp:22",
    fake({ probe: () => Promise.resolve(open), macOf: () => Promise.resolve("aa:aa:aa:aa:aa:aa") }),
    { ...guest, addresses: ["10.0.0.31"] },
  );
  assert.match(other.message, /aa:aa:aa:aa:aa:aa answers there, which is not a network card of worker01/);
  const same = await wait(
    "tcp:22",
    fake({ probe: () => Promise.resolve(open), macOf: () => Promise.resolve(MAC) }),
    { ...guest, addresses: ["10.0.0.31"] },
  );
  assert.equal(same.answer.kind, "port");
  const home = { kind: "phone-home", at: 1, address: "10.0.0.21", hostname: null } as const;
  const fakes = fake();
  const cloned = failure("phone-home", fakes);
  fakes.served({ ...home, instanceId: "iid-old" });
  assert.match((await cloned).message, /takes itself for another instance \(iid-old\)/);
  const keyed = fake();
  const twin = failure("phone-home", keyed, { ...guest, ownerOfKey: () => "worker02" });
  keyed.served({ ...home, instanceId: UUID, hostKeys: ["ssh-ed25519 AAAA"] });
  assert.match((await twin).message, /has the SSH host key of worker02/);
});

Deno.test("the time of an outage of the NAS does not count, and a guest that answers meanwhile is ready", async () => {
  const back = Promise.withResolvers<Vm>();
  const fakes = fake({ readVm: () => back.promise });
  const waiting = wait("phone-home", fakes);
  fakes.pass(60 * MINUTE_MS);
  fakes.served({ kind: "phone-home", at: 1, address: "10.0.0.21", hostname: null });
  assert.equal((await waiting).answer.kind, "phone-home");
  let reads = 0;
  const later = fake({
    outages: () => Math.min(reads, 1),
    readVm: () => {
      if (++reads === 1) later.pass(60 * MINUTE_MS);
      return Promise.resolve(running);
    },
  });
  await failure("phone-home", later);
  assert.ok(later.at() >= 70 * MINUTE_MS, "the timeout begins when the NAS is back");
});

Deno.test("a VM that was shut down or removed is not waited for any longer", async () => {
  const stopped = fake({ readVm: () => Promise.resolve({ ...running, state: "STOPPED" }) });
  assert.match((await failure("agent", stopped)).message, /worker01 is stopped, so it cannot answer/);
  assert.ok(stopped.at() < 2 * MINUTE_MS);
  const gone = await failure("agent", fake({ readVm: () => Promise.resolve(null) }));
  assert.match(gone.message, /no longer exists/);
});

Deno.test("a console tells the address and that cloud-init has finished, whatever else it shows", () => {
  const table = [
    "[   12.1] ci-info: | Device |  Up  |  Address  |     Mask    | Scope  | Hw-Address |",
    "[   12.1] ci-info: |   lo   | True | 127.0.0.1 |  255.0.0.0  |  host  |     .      |",
    "[   12.1] ci-info: | enp1s0 | True | 10.0.0.21 | 255.255.255.0 | global | 02:00:5e:00:00:01 |",
  ].join("\r\n");
  assert.deepEqual(factsIn(table), { address: "10.0.0.21", isFinished: false });
  const end =
    "[  94.2] cloud-init[812]: Cloud-init v. 22.4.2 finished at Tue, 01 Sep 2026. Datasource DataSourceNoCloudNet";
  assert.deepEqual(factsIn(`${table}\r\n${end}\r\n`), { address: "10.0.0.21", isFinished: true });
});

Deno.test("a type that is started is waited for by what it says, or by its cloud-init where that tells", () => {
  const seed = { kind: "cloud-init", way: "url" } as Parameters<typeof planReady>[0]["seed"];
  assert.deepEqual(planReady({ start: true, ready: { when: "tcp:22", timeout: "90s" } }), {
    when: "tcp:22",
    timeoutMs: 90_000,
    otherwise: "keep",
  });
  assert.equal(planReady({ start: true, seed })?.when, "phone-home");
  assert.equal(planReady({ start: true, seed, ready: { when: "none" } }), undefined);
  assert.equal(planReady({ start: true }), undefined);
  assert.equal(planReady({ start: false, ready: { when: "agent" } }), undefined);
});
