/**
 * Protects the simulated NAS's queue of conversions, which is dangerous on a real one: one runs, one waits, every further
 * call joins the one that waits and is never done; and up to 25.10 an aborted one goes on writing.
 */
import assert from "node:assert/strict";
import { CONVERTING, IMAGE, type ImagesLab, onReleases } from "../../../support/images/images_lab.ts";
import { endedJob } from "../../../support/recorded_calls.ts";
import { Peer } from "../../../support/peer.ts";

const SLOW = { times: { convertMs: 400 } } as const;

interface Row {
  readonly id: number;
  readonly state: string;
  readonly arguments: readonly [{ readonly destination: string }];
}

async function convert({ peer }: ImagesLab, zvol: string): Promise<number> {
  return await peer.result("vm.device.convert", { source: IMAGE, destination: zvol }) as number;
}

async function rowOf({ peer }: ImagesLab, id: number): Promise<Row> {
  const [row] = await peer.result("core.get_jobs", [["id", "=", id]]) as Row[];
  assert.ok(row, `there is no job ${id}`);
  return row;
}

async function running(lab: ImagesLab, id: number): Promise<void> {
  while ((await rowOf(lab, id)).state === "WAITING");
}

function contents({ simulator }: ImagesLab): (string | null)[] {
  return ["a", "b", "c"].map((name) => simulator.store.datasets.get(`tank/images/${name}`)?.content ?? null);
}

function addZvols({ addZvol }: ImagesLab): void {
  for (const name of ["a", "b", "c"]) addZvol(`tank/images/${name}`);
}

onReleases(
  CONVERTING,
  "one conversion runs, one waits, and the third is answered with the waiting one's id",
  async (lab) => {
    addZvols(lab);
    const first = await convert(lab, "tank/images/a");
    await running(lab, first);
    const second = await convert(lab, "tank/images/b");
    const third = await convert(lab, "tank/images/c");
    assert.ok(first !== second && second === third);
    assert.equal((await rowOf(lab, second)).state, "WAITING");
    assert.equal((await endedJob(lab.peer, third)).state, "SUCCESS");
    // The arguments tell whose work it was: the third zvol is still empty.
    assert.equal((await rowOf(lab, third)).arguments[0].destination, "tank/images/b");
    assert.deepEqual(contents(lab), [IMAGE, IMAGE, null]);
  },
  SLOW,
);

onReleases(CONVERTING, "conversions sent at once join each other, even the first one", async (lab) => {
  addZvols(lab);
  const zvols = ["tank/images/a", "tank/images/b", "tank/images/c"];
  const ids = await Promise.all(zvols.map((zvol) => convert(lab, zvol)));
  assert.ok(new Set(ids).size < zvols.length, `jobs ${ids}`);
  for (const id of ids) assert.equal((await endedJob(lab.peer, id)).state, "SUCCESS");
  assert.equal(contents(lab)[2], null);
});

onReleases(
  ["25.10"],
  "an aborted conversion goes on writing, and a second one runs beside it",
  async (lab) => {
    addZvols(lab);
    const first = await convert(lab, "tank/images/a");
    await running(lab, first);
    await lab.peer.result("core.job_abort", first);
    assert.equal((await rowOf(lab, first)).state, "ABORTED");
    const second = await convert(lab, "tank/images/a");
    assert.equal((await endedJob(lab.peer, second)).state, "SUCCESS");
    while (contents(lab)[0] !== "two conversions at once");
    assert.deepEqual(contents(lab), ["two conversions at once", null, null]);
  },
  SLOW,
);

onReleases(["26.0", "27.0"], "aborting a running conversion does nothing", async (lab) => {
  addZvols(lab);
  const first = await convert(lab, "tank/images/a");
  await running(lab, first);
  await lab.peer.result("core.job_abort", first);
  assert.equal((await endedJob(lab.peer, first)).state, "SUCCESS");
  assert.deepEqual(contents(lab), [IMAGE, null, null]);
}, SLOW);

onReleases(CONVERTING, "a waiting conversion can be aborted and is never done", async (lab) => {
  addZvols(lab);
  const first = await convert(lab, "tank/images/a");
  await running(lab, first);
  const second = await convert(lab, "tank/images/b");
  await lab.peer.result("core.job_abort", second);
  assert.equal((await rowOf(lab, second)).state, "ABORTED");
  await endedJob(lab.peer, first);
  assert.deepEqual(contents(lab), [IMAGE, null, null]);
}, SLOW);

onReleases(CONVERTING, "a restart forgets the jobs and leaves half a disk", async (lab) => {
  addZvols(lab);
  const id = await convert(lab, "tank/images/a");
  while (contents(lab)[0] === null) await rowOf(lab, id);
  await lab.simulator.goAway();
  await lab.simulator.comeBack({ restarted: true });
  assert.deepEqual(lab.simulator.store.jobs, new Map());
  assert.deepEqual(contents(lab), [`part of ${IMAGE}`, null, null]);
}, SLOW);

onReleases(
  CONVERTING,
  "another account's waiting conversion is not joined but refused",
  async (lab) => {
    addZvols(lab);
    const other = new Peer(lab.simulator.url);
    await other.open();
    await other.login("maker", "secret");
    const first = await convert(lab, "tank/images/a");
    await running(lab, first);
    await convert(lab, "tank/images/b");
    const refused = await other.refusal("vm.device.convert", { source: IMAGE, destination: "tank/images/c" });
    assert.deepEqual(refused, ["-32001 [EBUSY] This job is already being performed by another user"]);
    // It does not see the others' jobs either.
    assert.deepEqual(await other.result("core.get_jobs"), []);
    await other.close();
  },
  { ...SLOW, accounts: [{ username: "maker", password: "secret", roles: ["VM_DEVICE_WRITE"] }] },
);

onReleases(
  ["24.10", "25.04.2", "25.10"],
  "imports onto different zvols run in parallel, onto one they queue",
  async (lab) => {
    addZvols(lab);
    const start = async (name: string) =>
      await lab.peer.result("vm.import_disk_image", {
        diskimg: IMAGE,
        zvol: `tank/images/${name}`,
      }) as number;
    const [a, again, b] = [await start("a"), await start("a"), await start("b")];
    await Promise.all([running(lab, a), running(lab, b)]);
    const states = await Promise.all([a, again, b].map(async (id) => (await rowOf(lab, id)).state));
    assert.deepEqual(new Set(states.filter((it) => it !== "WAITING")), new Set(["RUNNING"]));
    for (const id of [a, again, b]) assert.equal((await endedJob(lab.peer, id)).state, "SUCCESS");
    assert.deepEqual(contents(lab), [IMAGE, IMAGE, null]);
  },
  SLOW,
);

onReleases(CONVERTING, "subscribers are told every percent and the end", async (lab) => {
  addZvols(lab);
  await lab.peer.result("core.subscribe", "core.get_jobs");
  await endedJob(lab.peer, await convert(lab, "tank/images/a"));
  const events = lab.peer.events as unknown as { fields: { progress: { percent: number }; state: string } }[];
  const percents = new Set(events.map(({ fields }) => fields.progress.percent));
  assert.equal(percents.size, 101);
  assert.deepEqual([...new Set(events.map(({ fields }) => fields.state))], ["WAITING", "RUNNING", "SUCCESS"]);
});
