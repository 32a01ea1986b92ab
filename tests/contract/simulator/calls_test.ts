/**
 * Protects the accuracy of the simulated NAS: it answers recorded calls, valid and invalid, like TrueNAS's own code,
 * with the same kind of answer, code, error number, attributes and text, and results of the same shape.
 */
import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset, type Store } from "../../../lib/simulator/store.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { TEST_TIMES } from "../../support/dashboard.ts";
import { Peer } from "../../support/peer.ts";
import { differences, type Playing, type RecordedCall, recordedCalls } from "../../support/recorded_calls.ts";

/** The share of calls that have to agree. */
const WANTED = 0.98;

async function assertLike(
  file: string,
  version: SimulatedVersion,
  playing: (simulator: Simulator) => Playing = () => ({}),
): Promise<number> {
  await using simulator = await startSimulator({ version, times: TEST_TIMES });
  const peer = new Peer(simulator.url);
  await peer.open();
  await peer.login();
  const { played, differing } = await differences(peer, recordedCalls(file), playing(simulator));
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

const GIB = 1024 ** 3;

function addZvol(store: Store, name: string): void {
  addDataset(store, { name, type: "VOLUME", volsizeBytes: GIB, sparse: true });
}

/** What was made between two recorded calls without being recorded, by the call that it came before. */
const STAGES: readonly (readonly [call: string, make: (store: Store) => void])[] = [
  ["pool.snapshot.rollback tank/g1/vm1-disk0@s3", (store) => {
    for (const name of ["s1", "s2", "s3"]) addSnapshot(store, `tank/g1/vm1-disk0@${name}`);
  }],
  ['pool.snapshot.rollback tank/g1/vm1-disk0@s1 {"recursive":true} c1 is newer and has a clone', (store) => {
    addSnapshot(store, "tank/g1/vm1-disk0@c1");
    addClone(store, "tank/g1/vm1-disk0@c1", "tank/g2/kid");
  }],
  ['pool.snapshot.rollback tank/g1@grp {"recursive_rollback":true}', (store) => {
    for (const name of ["tank/g1", "tank/g1/vm1-disk0", "tank/g1/vm2-disk0"]) {
      addSnapshot(store, `${name}@grp`);
    }
  }],
  ['pool.dataset.delete tank/golden/r1 {"recursive":true} one idle clone', (store) => {
    addZvol(store, "tank/golden/r1");
    addSnapshot(store, "tank/golden/r1@a");
    addClone(store, "tank/golden/r1@a", "tank/g2/idle");
  }],
  ['pool.dataset.delete tank/golden/r2 {"recursive":true} one clone that has', (store) => {
    addZvol(store, "tank/golden/r2");
    addSnapshot(store, "tank/golden/r2@a");
    addClone(store, "tank/golden/r2@a", "tank/g2/snapd");
    addSnapshot(store, "tank/g2/snapd@own");
  }],
];

function named({ method, params, note = "" }: RecordedCall): string {
  const words = params.map((it) => typeof it === "string" ? it : JSON.stringify(it));
  return [method, ...words, note].join(" ");
}

/** Methods of the files on images that are simulated, and so played. */
const SIMULATED =
  /^(vm\.(create|query|start|poweroff|clone|get_guest_network_interfaces)|vm\.device\.create|pool\.(dataset|snapshot)\.\w+|zfs\.resource\.(snapshot\.)?\w+|auth\.generate_token|filesystem\.(stat|listdir))$/;

/** Ours cannot be compared: the text is cut short in the recording; files are uploaded, which is not simulated. */
const LEFT_OUT = /characters\)|entries\)|tank\/images\/(pull|new|d1|link|e\.txt|ws)/;

for (const [release, version] of RECORDINGS) {
  Deno.test(`the simulated NAS answers about snapshots and clones like TrueNAS ${release} (fault 46)`, async () => {
    const played = await assertLike(`images-${release}`, version, ({ store }) => {
      for (const name of ["tank/golden", "tank/g1", "tank/g2"]) {
        addDataset(store, { name, type: "FILESYSTEM" });
      }
      for (const name of ["b1", "b2", "b3", "b4"]) addZvol(store, `tank/golden/${name}`);
      for (const name of ["small.qcow2", "small.raw"]) store.files.add(`/mnt/tank/images/${name}`);
      const toCome = [...STAGES];
      return {
        plays: (call) => SIMULATED.test(call.method) && !LEFT_OUT.test(named(call)),
        before: (call) => {
          const at = toCome.findIndex(([start]) => named(call).startsWith(start));
          for (const [, make] of at < 0 ? [] : toCome.splice(at, 1)) make(store);
          const agent = call.note === "with a stand-in agent";
          for (const vm of store.vms.values()) vm.agent = agent;
        },
      };
    });
    // The premise: most of the calls that are no upload, no conversion and no event.
    assert.ok(played > 100, `${played} calls`);
  });
}
