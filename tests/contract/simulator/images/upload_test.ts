/**
 * Protects the simulated NAS's way of taking files: who may upload, what a job says after a 200, where it writes, and what
 * each release does about links, zvols, locked datasets and a full pool.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { addDataset } from "../../../../lib/simulator/store.ts";
import { IMAGE, type ImagesLab, onReleases, RELEASES } from "../../../support/images/images_lab.ts";
import { endedJob, type JobRow } from "../../../support/recorded_calls.ts";
import { postParts, upload } from "../../../support/images/uploads.ts";

const PATH = "/mnt/tank/images/new.qcow2";

async function tokenOf({ peer }: ImagesLab, ...params: unknown[]): Promise<string> {
  return await peer.result("auth.generate_token", ...params) as string;
}

async function put(
  lab: ImagesLab,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  options = {},
): Promise<JobRow> {
  const id = await upload(lab.simulator.url, await tokenOf(lab), { path, bytes, options });
  return await endedJob(lab.peer, id);
}

function parts(path = PATH) {
  const data = JSON.stringify({ method: "filesystem.put", params: [path] });
  return [{ name: "data", content: data }, { name: "file", content: new Uint8Array(10) }];
}

onReleases(RELEASES, "a file that comes in many chunks arrives byte by byte", async (lab) => {
  const bytes = new Uint8Array(3_000_000).map((_, index) => index % 251);
  // The end of a line and of a part occur inside as well.
  bytes.set(new TextEncoder().encode("\r\n--\r\n------"), 1_000_000);
  assert.equal((await put(lab, PATH, bytes, { mode: 420 })).state, "SUCCESS");
  const file = lab.simulator.store.files.get(PATH);
  assert.equal(file?.digest?.copy().digest("hex"), createHash("sha256").update(bytes).digest("hex"));
  const { size } = await lab.peer.result("filesystem.stat", PATH) as { size: number };
  assert.equal(size, bytes.length);
});

onReleases(RELEASES, "an upload can be continued", async (lab) => {
  await put(lab, PATH, new Uint8Array([1, 2, 3]));
  await put(lab, PATH, new Uint8Array([4, 5]), { append: true });
  const wanted = createHash("sha256").update(new Uint8Array([1, 2, 3, 4, 5])).digest("hex");
  assert.equal(lab.simulator.store.files.get(PATH)?.digest?.copy().digest("hex"), wanted);
});

onReleases(RELEASES, "an empty upload empties the file, because nothing deletes one", async (lab) => {
  await put(lab, PATH, new Uint8Array(1_000));
  await put(lab, PATH, new Uint8Array());
  assert.equal(lab.simulator.store.files.get(PATH)?.sizeBytes, 0);
});

onReleases(RELEASES, "a full pool is told by the job alone: the upload is answered with 200", async (lab) => {
  const { state, error } = await put(lab, PATH, new Uint8Array(2_000_000));
  assert.deepEqual([state, error], ["FAILED", "[Errno 28] No space left on device"]);
}, { poolFreeBytes: 1_000_000 });

onReleases(RELEASES, "a locked and a read-only dataset take no file", async (lab) => {
  const { store } = lab.simulator;
  addDataset(store, { name: "tank/locked", type: "FILESYSTEM", isLocked: true });
  addDataset(store, { name: "tank/frozen", type: "FILESYSTEM", isReadonly: true });
  const locked = await put(lab, "/mnt/tank/locked/a.qcow2", new Uint8Array(3));
  assert.match(locked.error ?? "", /^\[EINVAL\] Unable to put contents .* exists on a locked dataset$/);
  const frozen = await put(lab, "/mnt/tank/frozen/a.qcow2", new Uint8Array(3));
  assert.equal(frozen.error, "[Errno 30] Read-only file system: '/mnt/tank/frozen/a.qcow2'");
});

onReleases(
  RELEASES,
  "up to 25.10 a file goes onto a zvol or into memory, from 26 on onto no link",
  async (lab) => {
    lab.addZvol("tank/images/z", 16_384);
    const isNew = lab.version === "26.0" || lab.version === "27.0";
    const onto = await put(lab, "/dev/zvol/tank/images/z", new Uint8Array(100));
    assert.equal(onto.state, isNew ? "FAILED" : "SUCCESS");
    assert.equal(lab.simulator.store.datasets.get("tank/images/z")?.writtenBytes, isNew ? 0 : 100);
    if (isNew) return;
    const tooLong = await put(lab, "/dev/zvol/tank/images/z", new Uint8Array(20_000));
    assert.equal(tooLong.error, "[Errno 28] No space left on device");
    assert.equal((await put(lab, "/dev/zvol/tank/images/none", new Uint8Array(3))).state, "SUCCESS");
    assert.ok(lab.simulator.store.files.has("/dev/zvol/tank/images/none"));
  },
);

onReleases(
  ["25.10", "27.0"],
  "a token is bound to the address, the time and the number of uses that it was made for",
  async (lab) => {
    const status = async (token: string) =>
      (await postParts(lab.simulator.url, parts(), { authorization: `Token ${token}` })).status;
    assert.equal(await status(await tokenOf(lab, 600, {}, true)), 200);
    assert.equal(await status(await tokenOf(lab, -1, {}, false)), 403);
    assert.equal(await status(await tokenOf(lab, 600, { a: 1 })), 403);
    const once = await tokenOf(lab, 600, {}, false, true);
    assert.deepEqual([await status(once), await status(once)], [200, 403]);
  },
);

onReleases(
  RELEASES,
  "an account without full rights and one with a second factor are refused",
  async (lab) => {
    const status = async (login: string) =>
      (await postParts(lab.simulator.url, parts(), { authorization: `Basic ${btoa(login)}` })).status;
    // The second factor is the whole NAS's, so the administrator's password is refused too.
    assert.deepEqual([await status("writer:secret"), await status("admin:truenas")], [401, 401]);
    const [writer] = lab.simulator.store.accounts.splice(1, 1);
    assert.ok(writer);
    lab.simulator.store.accounts.push({ ...writer, otp: null });
    assert.deepEqual([await status("writer:secret"), await status("admin:truenas")], [403, 200]);
  },
  { accounts: [{ username: "writer", password: "secret", otp: "1", roles: ["FILESYSTEM_DATA_WRITE"] }] },
);

onReleases(["25.10", "27.0"], "an API key is accepted where it came safely", async (lab) => {
  const key = lab.simulator.store.accounts[0]?.apiKey ?? "";
  const { status } = await postParts(lab.simulator.url, parts(), { authorization: `Bearer ${key}` });
  assert.equal(status, 200);
  const wrong = await postParts(lab.simulator.url, parts(), { authorization: "Bearer 1-wrong" });
  assert.equal(wrong.status, 401);
});

onReleases(RELEASES, "a folder that exists is told with the size of its files", async ({ peer }) => {
  const rows = await peer.result("filesystem.listdir", "/mnt/tank/images") as {
    path: string;
    size: number;
  }[];
  assert.deepEqual(rows.map(({ path }) => path), [IMAGE]);
  await peer.result("filesystem.mkdir", { path: "/mnt/tank/images/empty" });
  const again = await peer.result("filesystem.listdir", "/mnt/tank/images") as { type: string }[];
  assert.deepEqual(again.map(({ type }) => type), ["FILE", "DIRECTORY"]);
});
