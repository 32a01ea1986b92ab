/** How each VM of a destruction goes, so that the NAS is kept busy and what is interrupted can be told. Pure. */
import type { DestructionVm } from "../plan/types.ts";
import { MAX_RUNNING_CALLS } from "../truenas/protocol.ts";

/** How a VM is destroyed. */
export interface DestructionWay {
  /** If it runs, it is asked to shut down before it is powered off. */
  readonly shutdown: boolean;
  /**
   * When its zvols go. `with`: vm.delete takes them. `before`: each with its device, by vm.device.delete. `after`: by
   * name, by pool.dataset.delete.
   */
  readonly zvols: "with" | "before" | "after";
}

/** The steps, in order. */
export function destructionSteps({ shutdown, zvols }: DestructionWay): readonly string[] {
  return [
    "look",
    ...(shutdown ? ["shutdown"] : []),
    "poweroff",
    ...(zvols === "before" ? ["disks"] : []),
    "delete",
    ...(zvols === "after" ? ["zvols"] : []),
    "check",
  ];
}

/** What is to be known of the NAS, the account and the wish. */
export interface Circumstances {
  /** Whether the NAS runs one vm.delete at a time, zvols included, as up to 25.10. */
  readonly serialDeletes: boolean;
  /** Whether the account may delete zvols by name, as far as is known. */
  readonly mayDeleteZvols: boolean;
  /** What a call takes, in milliseconds; 0 when it is not known. */
  readonly callMs: number;
  /** Whether running VMs are asked to shut down. */
  readonly shutdown: boolean;
}

/** What deleting a zvol takes at least beside the call itself, in milliseconds. */
const ZVOL_MS = 300;

/** So many of all VMs go before their zvols at most: with more, the zvols are what is late (docs/benchmarks.md). */
const MOST_FIRST = 0.4;

/**
 * Where one vm.delete runs at a time, zvols go beside each other before their VMs, and the VMs one after another: a VM
 * is there until its zvols are gone, so that what was interrupted is known by it.
 *
 * Until the first VM is without zvols there is nothing to delete then. The more of the time those deletions take, the
 * more VMs go before their zvols. These are VMs whose zvols all say on the NAS that they were made for that VM, so
 * that they are known when it is gone.
 */
export function waysTo(
  vms: readonly DestructionVm[],
  circumstances: Circumstances,
): (vm: DestructionVm) => DestructionWay {
  const { serialDeletes, shutdown } = circumstances;
  const names = vms.flatMap(({ zvols }) => zvols.map(({ name }) => name));
  // One alone goes as quickly with its VM.
  if (!serialDeletes || names.length < 2) return () => ({ shutdown, zvols: "with" });
  const isShared = (zvol: string) => names.indexOf(zvol) !== names.lastIndexOf(zvol);
  const mayGoFirst = ({ marks, zvols, keeps }: DestructionVm) =>
    marks.zvols === "all" && keeps.length === 0 && zvols.length > 0 &&
    zvols.every(({ name, sizeBytes }) => sizeBytes !== null && !isShared(name));
  const most = mostFirst(vms.length, names.length, circumstances);
  const first = new Set(vms.filter(mayGoFirst).slice(0, most).map(({ id }) => id));
  return ({ id }) => ({ shutdown, zvols: first.has(id) ? "after" : "before" });
}

/** How many VMs go before their zvols. */
function mostFirst(
  vms: number,
  zvols: number,
  { mayDeleteZvols, shutdown, callMs }: Circumstances,
): number {
  // Which of them shuts down first is not known.
  if (!mayDeleteZvols || shutdown || callMs === 0) return 0;
  const deletionsMs = vms * callMs;
  const othersMs = (2 * vms * callMs + zvols * (callMs + ZVOL_MS)) / MAX_RUNNING_CALLS;
  return Math.round(MOST_FIRST * vms * Math.min(1, deletionsMs / othersMs));
}
