/** Whether VMs answered, as operations that waited for them have seen it. Pure. */
import type { Readiness, ReadyWhen } from "../../first_boot/types.ts";
import type { OperationView, OperationVmView, StepView } from "../types.ts";

/** What an operation has seen of a VM. */
export interface SeenReadiness {
  /** The VM's uuid. */
  readonly uuid: string;
  /** How it is known. */
  readonly when: ReadyWhen;
  readonly readiness: Readiness;
}

/** What an operation that waited for a VM has seen of it; null for any other. */
export function seenBy(vm: OperationVmView): SeenReadiness | null {
  const step = vm.steps.find(({ step }) => step === "ready");
  if (step?.awaits === undefined || step.startedAt === null) return null;
  const uuid = vm.steps.map(({ evidence }) => evidence?.uuid ?? evidence?.ofUuid ?? null)
    .findLast((it) => it !== null);
  return uuid == null ? null : { uuid, when: step.awaits.when, readiness: readinessIn(step) };
}

/** What all of them have seen, by the VM's uuid; `views` have the newest first. */
export function seenByAll(views: readonly OperationView[]): ReadonlyMap<string, SeenReadiness> {
  const seen = views.toReversed().flatMap(({ vms }) => vms.flatMap((vm) => seenBy(vm) ?? []));
  return new Map(seen.map((one) => [one.uuid, one]));
}

function readinessIn({ status, signs = [], awaits, finishedAt, error }: StepView): Readiness {
  const last = signs.filter(({ kind }) => kind !== "stranger").at(-1);
  const address = signs.findLast((sign) => sign.kind !== "stranger" && sign.address !== null)?.address ??
    null;
  const at = last?.at ?? null;
  switch (status) {
    case "pending":
    case "running":
      return { state: "waiting", address, by: null, at };
    case "done":
      return { state: "ready", address, by: awaits?.when ?? null, at: finishedAt ?? at };
    case "failed":
      // The program can end while it waits, which says nothing about the node.
      return { state: error?.outcome === "unknown" ? "unknown" : "lost", address, by: null, at };
    default:
      return { state: "unknown", address, by: null, at };
  }
}
