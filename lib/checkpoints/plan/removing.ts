/** Plans the removal of a checkpoint. Pure. */
import { fingerprint } from "../../plan/fingerprint.ts";
import type { CheckpointVm } from "../checkpoint.ts";
import { type PlanFacts, rightProblems, unreadProblems } from "./facts.ts";
import type { CheckpointRemovalPlan, VmToForget } from "./plans.ts";

/** The plan. */
export function planCheckpointRemoval(name: string, facts: PlanFacts): CheckpointRemovalPlan {
  const { read, rights } = facts;
  const checkpoint = read.known ? read.value.checkpoints.find((it) => it.name === name) ?? null : null;
  const vms = (checkpoint?.vms ?? []).map(plannedVm);
  const problems = [
    ...unreadProblems(facts),
    ...(read.known && checkpoint === null
      ? [{ field: "", message: `There is no checkpoint called ${name}` }]
      : []),
    ...rightProblems(rights, { needs: [["SNAPSHOT_DELETE"]], deletes: true }),
    ...(vms.length > 0 && vms.every(({ blocked }) => blocked.length > 0)
      ? [{ field: "", message: "None of its snapshots can be removed" }]
      : []),
  ];
  return {
    checkpoint: name,
    vms,
    freesBytes: checkpoint?.usedBytes ?? null,
    problems,
    phrase: `remove ${name}`,
    fingerprint: fingerprint([name, vms]),
  };
}

function plannedVm({ name, snapshots }: CheckpointVm): VmToForget {
  return {
    name,
    snapshots: snapshots.map(({ name, createtxg }) => ({ name, createtxg })),
    blocked: snapshots.flatMap(({ name, holds, clones }) => [
      ...(holds.length === 0 ? [] : [`${name} has a hold (${holds.join(", ")}); release it in TrueNAS`]),
      ...clones.map((clone) => `${clone} is a clone of ${name}; promote it in TrueNAS first`),
    ]),
  };
}
