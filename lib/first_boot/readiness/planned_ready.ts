/** How it is found out whether a planned VM answers. Pure. */
import type { PlannedVm } from "../../plan/types.ts";
import { readyTimeoutMs } from "../timeouts.ts";
import type { PlannedReady, PlannedSeed, ReadyOtherwise, ReadySection, ReadyWhen } from "../types.ts";

/** What decides about it. */
export interface ReadyFacts {
  readonly ready?: ReadySection | undefined;
  /** Whether the VM is started. */
  readonly start: boolean;
  /** Its first configuration. */
  readonly seed?: PlannedSeed | undefined;
}

/**
 * Undefined where nobody waits. A VM that fetches its cloud-init from here tells when it is done without being asked to, so it
 * is waited for unless the type says `none`.
 */
export function planReady({ ready, start, seed }: ReadyFacts): PlannedReady | undefined {
  const isTold = seed?.kind === "cloud-init" && seed.way === "url";
  const when = ready?.when ?? (isTold ? "phone-home" : "none");
  if (!start || when === "none") return undefined;
  return {
    when,
    timeoutMs: readyTimeoutMs(ready ?? {}),
    otherwise: ready?.otherwise ?? "keep",
  };
}

/**
 * Adds the wait to a VM that is started. `isAwaited`: an earlier operation has started it, so that it only has to be waited for,
 * and to be given its seed where it looks for it.
 */
export function withReady(
  { waitReady = true }: { readonly waitReady?: boolean },
  vm: PlannedVm,
  { isAwaited, ready: section }: { readonly isAwaited: boolean; readonly ready: ReadySection | undefined },
): PlannedVm {
  const ready = planReady({ ready: section, start: vm.start, seed: vm.seed });
  if (ready === undefined) return vm;
  if (isAwaited) {
    const steps = [...(vm.seed?.way === "url" ? ["seed"] : []), "ready"];
    return { ...vm, ready, action: "complete", reasons: ["it runs, and does not answer yet"], steps };
  }
  const isStarted = waitReady && vm.steps.at(-1) === "start";
  return { ...vm, ready, ...(isStarted ? { steps: [...vm.steps, "ready"] } : {}) };
}

/** The port on which Talos listens, before it is configured and after. */
const TALOS_PORT = 50_000;

/** The port whose answer shows that a node is ready; null when it shows it by something else. */
export function portOf(when: ReadyWhen): number | null {
  if (when === "talos") return TALOS_PORT;
  return when.startsWith("tcp:") ? Number(when.slice("tcp:".length)) : null;
}

/** What shows that a node is ready, as a clause: `answers on port 22`. */
export function describeWhen(when: ReadyWhen): string {
  switch (when) {
    case "phone-home":
      return "its cloud-init reports that it has finished";
    case "agent":
      return "its guest agent answers";
    case "console":
      return "its console shows that cloud-init has finished";
    case "talos":
      return `Talos answers on port ${TALOS_PORT}`;
    case "none":
      return "it was started";
    default:
      return `port ${portOf(when)} answers`;
  }
}

/** How it is known that a node answers, as a sentence without a period; `by` is what it was waited for. */
export function describeAnswer(by: string | null, address: string | null): string {
  const at = address === null ? "" : ` at ${address}`;
  if (by === "phone-home" || by === "console") return `Its cloud-init has finished${at}`;
  if (by === "agent") return `Its guest agent answers${at === "" ? "" : `, address ${address}`}`;
  if (by === "talos") return `Talos answers${at}`;
  return by?.startsWith("tcp:") ? `Port ${by.slice("tcp:".length)} answers${at}` : `It answers${at}`;
}

/** What happens to a VM that is not ready in time, as a clause. */
export function describeOtherwise(otherwise: ReadyOtherwise): string {
  switch (otherwise) {
    case "keep":
      return "it is kept";
    case "roll-back":
      return "it is removed again";
    case "stop":
      return "it is removed again and no further VM is started";
  }
}
