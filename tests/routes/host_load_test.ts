/**
 * Protects the charts of the NAS's load: they are drawn from what it sends while a list is open, and where it refuses or
 * sends nothing, the list is what it was, without them and without an error.
 */
import assert from "node:assert/strict";
import { LOAD_EVENTS } from "../../lib/inventory/host_load.ts";
import type { HostSample } from "../../lib/inventory/inventory.ts";
import { HostLoad } from "../../templates/parts/host_load.tsx";
import { loadView } from "../../routes/vms/load_view.ts";
import { startDashboard, TEST_TIMES, type TestDashboard } from "../support/pages/dashboard.ts";
import { repeatedly, soon } from "../support/deadline.ts";
import { text } from "../support/pages/http.ts";

const FAST = { ...TEST_TIMES, measuringSecondMs: 10 } as const;
const ACCOUNT = { username: "vm", password: "vm-password", roles: ["VM_WRITE", "DATASET_READ"] };

/** Opens the list's stream; `next` reads on until this is found. */
async function openStream({ url }: TestDashboard) {
  const stream = await fetch(`${url}/events`);
  const reader = (stream.body ?? assert.fail()).pipeThrough(new TextDecoderStream()).getReader();
  let read = "";
  const next = async (wanted: RegExp): Promise<string> => {
    while (!wanted.test(read)) read += (await reader.read()).value ?? assert.fail("the stream ended");
    const [found = ""] = wanted.exec(read) ?? [];
    read = read.slice(read.indexOf(found) + found.length);
    return found;
  };
  return { next: (wanted: RegExp) => soon(next(wanted), String(wanted)), close: () => reader.cancel() };
}

/** The charts of a page, without the rest. */
function chartsOf(page: string): string {
  return /<div id="host-load".*?<\/svg><\/div><\/div>|<div id="host-load" hidden(="")?><\/div>/s.exec(page)
    ?.[0] ??
    assert.fail("no place for the charts");
}

Deno.test("the page keeps the place of the charts until the NAS has sent its load, and then shows it", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 5, times: FAST } });
  const before = await text(fetch(dashboard.url));
  assert.equal(chartsOf(before).match(/data-known="no"/g)?.length, 4);
  assert.match(before, /aria-label="CPU of the NAS: no figure yet"/);
  assert.match(before, /TrueNAS and its cache/);
  assert.equal(dashboard.simulator.measurements, 0, "a page alone asks for nothing");

  const stream = await openStream(dashboard);
  await stream.next(/hx-target="#host-load"[^\n]*\n?/);
  const page = await repeatedly("the cache is a part of the memory", async () => {
    const page = await text(fetch(dashboard.url));
    return /of file cache that shrinks when needed/.test(page) ? page : null;
  });
  const charts = chartsOf(page);
  assert.equal(charts.match(/data-known="yes"/g)?.length, 4);
  assert.match(charts, /aria-label="CPU of the NAS: \d+ % now, from \d+ % to \d+ % in the last 3 minutes"/);
  assert.match(
    charts,
    /aria-label="Memory of the NAS: [\d.]+ GiB of 36 GiB in use and [\d.]+ GiB of file cache now, /,
  );
  assert.match(
    charts,
    /aria-label="Network of the NAS: [\d.]+ \w+\/s \([\d.]+ \w+\/s in, [\d.]+ \w+\/s out\) now, /,
  );
  assert.match(
    charts,
    /aria-label="Disks of the NAS: [\d.]+ \w+\/s \([\d.]+ \w+\/s read, [\d.]+ \w+\/s write\) now, /,
  );
  await stream.close();
  await repeatedly("the NAS stops measuring", () => {
    return Promise.resolve(dashboard.simulator.measurements === 0 || null);
  });
});

Deno.test("the load is not asked for by pages other than the list", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 5, times: FAST } });
  const streams = await Promise.all(
    ["/vms/1/events", "/events?only=operations"].map((path) => fetch(`${dashboard.url}${path}`)),
  );
  for (const stream of streams) await stream.body?.cancel();
  assert.ok(!dashboard.simulator.calls.some(({ params }) => params[0] === LOAD_EVENTS));
});

Deno.test("an account without the role sees the list without the charts, and no error", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 5, times: FAST, accounts: [ACCOUNT] },
    manager: { username: ACCOUNT.username, password: ACCOUNT.password },
  });
  const stream = await openStream(dashboard);
  await stream.next(/hx-target="#capacity"/);
  const page = await text(fetch(dashboard.url));
  assert.match(chartsOf(page), /hidden/);
  const shown = page.replace(/<div class="notice[^>]*hidden/g, "");
  assert.doesNotMatch(shown, /class="notice |role="alert"/);
  assert.match(page, /homeassistant/);
  await stream.close();
  assert.ok(!dashboard.simulator.calls.some(({ params }) => params[0] === LOAD_EVENTS));
});

Deno.test("a refusal takes the charts away, and the list stays", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 5, times: FAST } });
  dashboard.simulator.addFault({
    method: "core.subscribe",
    action: "fail",
    error: { errno: 13, errname: "EACCES", reason: "[EACCES] Not authorized" },
  });
  const stream = await openStream(dashboard);
  await stream.next(/<div id="host-load" hidden/);
  const page = await text(fetch(dashboard.url));
  assert.match(chartsOf(page), /hidden/);
  assert.match(page, /homeassistant/);
  await stream.close();
});

const NOW = 1_790_000_000_000;

function sample(ageMs: number, change: Partial<HostSample> = {}): HostSample {
  return { at: NOW - ageMs, cpuPercent: 50, memory: null, network: null, disks: null, ...change };
}

function cpuOf(samples: readonly HostSample[]) {
  return loadView(samples, NOW).charts.find(({ id }) => id === "cpu") ?? assert.fail();
}

Deno.test("a moment without a reading is a gap, and old figures are not shown as current", () => {
  const { now, words, layers: [shares] } = cpuOf([sample(52_000, { cpuPercent: 20 }), sample(40_000)]);
  assert.equal(now, null);
  assert.equal(words, "CPU of the NAS: no current figure, from 20 % to 50 % in the last 3 minutes");
  assert.deepEqual(shares?.filter((share) => share !== null), [0.2, 0.5]);
  assert.equal(shares?.length, 45);
  assert.equal(shares?.at(-1), null);
  const charts = String(HostLoad({ load: loadView([sample(40_000)], NOW) }));
  assert.match(charts, /CPU<\/span> <span class="figure"><span class="faint">no reading</);
  assert.match(String(HostLoad({ load: loadView([], NOW) })), /class="bone"/);
});

Deno.test("the charts begin anew after a time that nobody looked, and say since when if they are half empty", () => {
  const samples = [sample(170_000, { cpuPercent: 20 }), sample(60_000), sample(56_000, { cpuPercent: 70 })];
  assert.deepEqual(cpuOf(samples).layers[0]?.filter((share) => share !== null), [0.5, 0.7]);
  const view = loadView(samples, NOW);
  assert.equal(view.since, NOW - 60_000);
  assert.match(String(HostLoad({ load: view })), /since <time datetime="2026-09-21T/);
  assert.equal(loadView([sample(120_000), sample(108_000), sample(96_000)], NOW).since, null);
});

Deno.test("a line goes on over a reading that is missing", () => {
  const charts = String(HostLoad({ load: loadView([sample(12_000), sample(0)], NOW) }));
  assert.match(charts, /<path class="line" d="M224 16.0L240 16.0">/);
});

Deno.test("readings of the same moment are one point, and none leaves the chart", () => {
  const { now, layers: [shares] } = cpuOf([sample(100, { cpuPercent: 90 }), sample(0, { cpuPercent: 100 })]);
  assert.equal(now, "100 %");
  assert.ok(shares?.every((share) => share === null || (share >= 0 && share <= 1)));
  assert.equal(cpuOf([sample(3_600_000)]).words, "CPU of the NAS: no figure yet");
});
