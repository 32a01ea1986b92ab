/**
 * Protects the accuracy of the simulated NAS about images: it answers recorded uploads, conversions, pulls, snapshots and
 * clones like TrueNAS's own code, and its jobs end with the same rows.
 */
import assert from "node:assert/strict";
import { qcow2Head } from "../../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../../lib/simulator/simulator.ts";
import { addDataset, type Store } from "../../../../lib/simulator/store.ts";
import { addClone, addSnapshot } from "../../../../lib/simulator/zfs/zfs.ts";
import { TEST_TIMES } from "../../../support/pages/dashboard.ts";
import { serveImages } from "../../../support/images/image_server.ts";
import { type Answer, Peer } from "../../../support/peer.ts";
import { differences, type RecordedCall, recordedCalls } from "../../../support/recorded_calls.ts";
import { postParts, type UploadPart } from "../../../support/images/uploads.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** The share of calls that have to agree. */
const WANTED = 0.98;

const RECORDINGS = [["25.10.7", "25.10"], ["27.0.0", "27.0"]] as const;

/** The address in the recordings. */
const RECORDED_URL = "http://127.0.0.1:18990/";

function addZvol(store: Store, name: string): void {
  addDataset(store, { name, type: "VOLUME", volsizeBytes: GIB, sparse: true });
}

/** What was made between two recorded calls without being recorded, by the call that it came before. */
const STAGES: readonly (readonly [call: string, make: (store: Store) => void])[] = [
  ["filesystem.mkdir", (store) => store.links.set("/mnt/tank/link", "/mnt/tank/images")],
  ["cloudsync.credentials.create", (store) => store.folders.add("/mnt/tank/images/pull")],
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

/** Cut short in the recording, made at the same time as others, or only in one of the two networks; they have own tests. */
const LEFT_OUT =
  /characters\)|entries\)|number \d of|just after|running convert|under way|\$job|127\.0\.0\.1:1\/|norange/;

/** Contents of the uploaded files, which the recording names by their size. */
function bytesOf(path: string, size: number): Uint8Array<ArrayBuffer> {
  if (/small|big/.test(path)) return qcow2Head(/small/.test(path) ? 64 * MIB : 668 * MIB);
  return path.includes("huge") ? qcow2Head(3 * GIB) : new Uint8Array(size).fill(65);
}

interface RecordedUpload {
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: readonly { readonly name: string; readonly content: string }[];
}

/** Sends an upload with the credentials that the recording describes, because it contains none. */
async function send(simulator: Simulator, peer: Peer, call: RecordedCall, used: string): Promise<Answer> {
  const { headers, parts } = call.params[0] as RecordedUpload;
  const data = parts.find(({ name }) => name === "data")?.content ?? "";
  const content = parts.map(({ name, content }): UploadPart => ({
    name,
    content: name === "data" ? content : bytesOf(data, parseInt(content)),
  }));
  const token = await tokenFor(peer, call, used);
  const { status } = call.result as { status: number };
  const [scheme] = (headers.Authorization ?? "").split(" ");
  const password = status === 200 ? "admin:truenas" : status === 403 ? "reader:secret" : "admin:wrong";
  const authorization = scheme === "Basic"
    ? `Basic ${btoa(password)}`
    : scheme === "Token"
    ? `Token ${token}`
    : undefined;
  const path = call.method.slice("POST ".length).replace("$token", token);
  const answer = await postParts(simulator.url, content, { authorization, path });
  return { result: { status: answer.status, content_type: null, body: answer.body } };
}

async function tokenFor(peer: Peer, { note = "", result }: RecordedCall, used: string): Promise<string> {
  if (note.includes("attrs")) return await peer.result("auth.generate_token", 600, { a: 1 }) as string;
  if (note.includes("second use")) return used;
  const isRefused = (result as { body: string }).body === "Invalid token";
  return isRefused ? "nonsense" : await peer.result("auth.generate_token") as string;
}

/** An upload's answer is compared by its text, except the number of its job. */
function uploadProblem({ result: real }: RecordedCall, { result: found }: Answer): void {
  const [wanted, own] = [real, found].map((it) => {
    const { status, body } = it as { status: number; body: string };
    return `${status} ${body.replace(/\d+\}/, "N}")}`;
  });
  assert.equal(own, wanted);
}

for (const [release, version] of RECORDINGS) {
  Deno.test(`the simulated NAS answers about images, uploads and clones like TrueNAS ${release} (fault 46)`, async () => {
    const accounts = [{ username: "reader", password: "secret", roles: ["READONLY_ADMIN"] }];
    const times = { ...TEST_TIMES, deviceMs: 0 };
    await using simulator = await startSimulator({ version, times, accounts, multipartBytes: 400_000 });
    const images = { "img/small.qcow2": qcow2Head(64 * MIB), "img/big.qcow2": new Uint8Array(500_000) };
    await using server = serveImages({ files: images });
    const peer = new Peer(simulator.url);
    await peer.open();
    await peer.login();
    const { store } = simulator;
    for (const name of ["tank/golden", "tank/g1", "tank/g2"]) addDataset(store, { name, type: "FILESYSTEM" });
    for (const name of ["b1", "b2", "b3", "b4"]) addZvol(store, `tank/golden/${name}`);
    const toCome = [...STAGES];
    const used = await peer.result("auth.generate_token", 600, {}, false, true) as string;
    await postParts(simulator.url, [{ name: "data", content: "{}" }], { authorization: `Token ${used}` });
    const text = JSON.stringify(recordedCalls(`images-${release}`)).replaceAll(RECORDED_URL, server.url);
    const { played, differing } = await differences(peer, JSON.parse(text), {
      plays: (call) => !call.method.startsWith("event ") && !LEFT_OUT.test(named(call)),
      before: (call) => {
        const at = toCome.findIndex(([start]) => named(call).startsWith(start));
        for (const [, make] of at < 0 ? [] : toCome.splice(at, 1)) make(store);
        const agent = call.note === "with a stand-in agent";
        for (const vm of store.vms.values()) vm.agent = agent;
      },
      send: (call) => {
        if (!call.method.startsWith("POST ")) return null;
        return send(simulator, peer, call, used).then((answer) => {
          uploadProblem(call, answer);
          return answer;
        });
      },
    });
    await peer.close();
    const list = differing.map(({ line, text }) => `${line}: ${text}`).join("\n");
    assert.ok(differing.length <= played * (1 - WANTED), `${differing.length} of ${played} differ:\n${list}`);
    // The premise: nearly all of the recording was played, and the file was pulled in parts.
    assert.ok(played > 190, `${played} calls`);
    assert.deepEqual(server.ranges, ["bytes=0-249999", "bytes=250000-499999"]);
  });
}
