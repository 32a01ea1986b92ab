/**
 * Protects the accuracy of the simulated NAS: it answers recorded calls, valid and invalid, like TrueNAS's own code,
 * with the same kind of answer, code, error number, attributes and text, and results of the same shape.
 */
import assert from "node:assert/strict";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { Peer } from "../../support/peer.ts";
import { differences, recordedCalls } from "../../support/recorded_calls.ts";

/** The share of calls that have to agree. */
const WANTED = 0.98;

async function assertLike(file: string, version: SimulatedVersion): Promise<number> {
  await using simulator = await startSimulator({ version, times: TEST_TIMES });
  const peer = new Peer(simulator.url);
  await peer.open();
  await peer.login();
  const { played, differing } = await differences(peer, recordedCalls(file));
  await peer.close();
  const list = differing.map(({ line, text }) => `${line}: ${text}`).join("\n");
  assert.ok(
    differing.length <= played * (1 - WANTED),
    `${differing.length} of ${played} calls are answered otherwise:\n${list}`,
  );
  return played;
}

const RECORDINGS = [["25.10.7", "25.10"], ["27.0.0", "27.0"]] as const;

for (const [release, version] of RECORDINGS) {
  Deno.test(`the simulated NAS answers like TrueNAS ${release} in at least 98 % of its calls (fault 46)`, async () => {
    // The premise: the whole file was played.
    assert.equal(await assertLike(release, version), 155);
  });
}

/** Where a release without a recording answers otherwise than its neighbour, by the line of the call. */
const NEIGHBOURS: readonly (readonly [SimulatedVersion, file: string, Readonly<Record<number, string>>])[] = [
  ["25.04.2", "25.10.7", {
    17: "firmware is not checked for secure boot",
    34: "queries know relationships",
    37: "a query has no highest limit",
    64: "there are no VNC displays",
    67: "a missing image is Python's own FileNotFoundError",
    68: "the schema wants images below /mnt",
    69: "the schema wants images below /mnt",
    92: "an update takes whole attributes of a kind",
    95: "firmware can be changed",
    106: "datasets are checked by the older engine",
    109: "datasets are checked by the older engine",
    149: "a private method",
    152: "the older engine tells of too many arguments with a CallError",
  }],
  ["26.0", "27.0.0", {
    37: "the highest limit is checked by the query, not by its schema",
    44: "there is no vm.reset",
    47: "a stopped VM has no memory usage",
    51: "NICs have no PCI address",
    85: "there are no iSCSI disks",
    86: "NICs have no PCI address",
    93: "NICs have no PCI address",
    96: "NICs have no PCI address",
    97: "NICs have no PCI address",
    137: "NICs have no PCI address",
    145: "NICs have no PCI address",
    149: "a private method",
  }],
];

for (const [version, file, reasons] of NEIGHBOURS) {
  Deno.test(`the simulated ${version} differs from TrueNAS ${file} exactly where that release does (fault 46)`, async () => {
    await using simulator = await startSimulator({ version, times: TEST_TIMES });
    const peer = new Peer(simulator.url);
    await peer.open();
    await peer.login();
    const { differing } = await differences(peer, recordedCalls(file));
    await peer.close();
    const unexplained = differing.filter(({ line }) => !(line in reasons));
    assert.deepEqual(unexplained.map(({ line, text }) => `${line}: ${text}`), []);
    assert.deepEqual(differing.map(({ line }) => line), Object.keys(reasons).map(Number));
  });
}
