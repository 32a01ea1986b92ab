/** Protects the cost of the list: expected zvols are read in parallel with the VMs, and each zvol only once. */
import assert from "node:assert/strict";
import { TrueNASCallError } from "../../../lib/errors/errors.ts";
import type { Caller } from "../../../lib/truenas/client.ts";
import { readVms } from "../../../lib/truenas/read_inventory.ts";

const SIZES: Readonly<Record<string, number>> = { "tank/a": 1, "tank/b": 2 };

/** A NAS with VM `vm`, whose disks are tank/a and tank/b; records its calls, grouped by those made at the same time. */
function nas(refuses: boolean): { caller: Caller; rounds: string[][] } {
  const rounds: string[][] = [];
  let round: string[] | null = null;
  const devices = Object.keys(SIZES).map((zvol, id) => ({
    id,
    vm: 1,
    order: null,
    attributes: { dtype: "DISK", path: `/dev/zvol/${zvol}` },
  }));
  const vm = { id: 1, name: "vm", vcpus: 1, cores: 1, threads: 1, memory: 64, status: { state: "STOPPED" } };
  const call = async (method: string, params: readonly unknown[]) => {
    if (round === null) rounds.push(round = []);
    const names = method === "vm.query" ? [] : (params as [[[string, string, string[]]]])[0][0][2];
    round.push([method, ...names].join(" "));
    await new Promise((resolve) => setTimeout(resolve, 1));
    round = null;
    if (method === "vm.query") return [{ ...vm, autostart: false, devices }];
    if (refuses) {
      throw new TrueNASCallError(method, {
        code: -32001,
        errno: 13,
        errname: null,
        reason: "no",
        fields: [],
      });
    }
    return names.filter((name) => name in SIZES).map((id) => ({
      id,
      type: "VOLUME",
      volsize: { parsed: SIZES[id] },
    }));
  };
  return { caller: { call } as unknown as Caller, rounds };
}

Deno.test("readVms() reads expected zvols in parallel with the VMs, and others afterwards", async () => {
  const sizes = async (refuses: boolean, expected?: readonly string[]) => {
    const { caller, rounds } = nas(refuses);
    const vms = await readVms(caller, expected === undefined ? {} : { expected });
    return { rounds, sizes: vms.flatMap(({ disks }) => disks.map(({ sizeBytes }) => sizeBytes)) };
  };
  assert.deepEqual(await sizes(false), {
    rounds: [["vm.query"], ["pool.dataset.query tank/a tank/b"]],
    sizes: [1, 2],
  });
  assert.deepEqual(await sizes(false, ["tank/a", "tank/b", "tank/gone"]), {
    rounds: [["vm.query", "pool.dataset.query tank/a tank/b tank/gone"]],
    sizes: [1, 2],
  });
  assert.deepEqual(await sizes(false, ["tank/a"]), {
    rounds: [["vm.query", "pool.dataset.query tank/a"], ["pool.dataset.query tank/b"]],
    sizes: [1, 2],
  });
  assert.deepEqual(await sizes(true, ["tank/a"]), {
    rounds: [["vm.query", "pool.dataset.query tank/a"]],
    sizes: [null, null],
  }, "who may not read some need not be asked for others");
});
