/** The steps that shut a running VM down for a change, and start it again. */
import { TrueNASError } from "../../../errors/errors.ts";
import { isRefusedWith, isTransient } from "../../../errors/refusals.ts";
import { formatBytes, formatMib, MIB } from "../../../units.ts";
import { fetchVm } from "../../../truenas/batched_reads.ts";
import { followJob } from "../../../truenas/jobs.ts";
import type { KeptMemory, VmMemory } from "../../limits/memory_reservation.ts";
import type { Step } from "../run_step.ts";
import { expectEffect, expectImages, startVm } from "../vm_steps.ts";
import { type ChangeContext, readOwnVm } from "./effect.ts";

/** Longest shutdown that TrueNAS allows (shutdown_timeout), and the power-off after it. */
const STOP_MS = 330_000;

/** What starting a VM needs. */
export interface PowerContext extends ChangeContext {
  readonly memory: VmMemory;
}

/** How a VM runs after its change. */
export interface RunsWith {
  readonly memoryMib: number;
  /** Starts even if the NAS is short of memory. */
  readonly overcommit: boolean;
}

/** What shutting a VM down needs, whose memory is kept for it. */
export interface StopContext extends PowerContext {
  readonly memory: KeptMemory;
}

/** Shuts a VM down, and powers it off if it does not respond; not one that could not start again. */
export function stopStep(context: StopContext, { memoryMib, overcommit }: RunsWith): Step<string> {
  const { existing: { id, name, uuid } } = context;
  return {
    step: "stop",
    method: "vm.stop",
    evidence: () => ({ vmId: id, ...(uuid === null ? {} : { ofUuid: uuid }) }),
    precondition: async () => {
      const { status: { state }, memory } = await readOwnVm(context);
      if (state !== "RUNNING") {
        const remedy = state === "SUSPENDED" ? "resume it or power it off first" : "plan again";
        throw new TrueNASError(`${name} is ${state.toLowerCase()}, so it cannot be restarted; ${remedy}`);
      }
      await expectImages(context, id);
      if (overcommit) return;
      const need = { memoryMib: Math.max(memoryMib, memory), moreMib: memoryMib - memory };
      await expectMemory(context, need.moreMib);
      context.memory.begin(need);
    },
    call: async () => {
      const state = await readState(context, "STOPPED") ?? await shutDown(context, "stop");
      context.memory.freed();
      return state;
    },
    verify: () => readState(context, "STOPPED"),
    passes: (error) => passesRestart(context, error),
    detail: (state) => state,
  };
}

/** A NAS that restarts stops VMs that were just started, and starts some by itself, also one that was just shut down. */
function passesRestart({ outages }: PowerContext, error: unknown): boolean {
  return isTransient(error) || outages.hasRestarted;
}

async function shutDown(context: PowerContext, step: string): Promise<string> {
  const { caller, existing: { id }, log, settle, vmName } = context;
  const job = await caller.call("vm.stop", [id, { force: false, force_after_timeout: true }]);
  await followJob(caller, "vm.stop", job, {
    pollMs: settle.pollMs,
    timeoutMs: STOP_MS,
    onProgress: (percent) => log.append({ type: "progress", vm: vmName, step, percent }),
  });
  return await expectEffect(context, { id, method: "vm.stop", verify: () => readState(context, "STOPPED") });
}

/** The VM's state, if it is this one. */
async function readState({ caller, existing: { id } }: PowerContext, wanted: string): Promise<string | null> {
  const state = (await fetchVm(caller, id))?.state;
  return state === wanted ? state : null;
}

/** TrueNAS does not start a VM whose memory is not free, and then the VM would stay off. */
async function expectMemory({ memory, existing: { name } }: StopContext, moreMib: number): Promise<void> {
  if (moreMib <= 0) return;
  const freeBytes = await memory.freeBytes(moreMib);
  // If the account may not read it, TrueNAS itself decides at the start.
  if (freeBytes === null || moreMib * MIB <= freeBytes) return;
  throw new TrueNASError(
    `${name} would not start again: it needs ${formatMib(moreMib)} more memory, and ${
      formatBytes(Math.max(0, freeBytes))
    } are free on the NAS. It was not shut down and keeps running`,
  );
}

/** Starts a VM that was shut down; `step` is `start`, or `undo-stop` with its former values. */
export function startAgainStep(
  context: PowerContext,
  { step, memoryMib, overcommit }: RunsWith & { readonly step: string },
): Step<string> {
  const { existing: { id } } = context;
  const verify = () => readState(context, "RUNNING");
  return {
    step,
    method: "vm.start",
    ...(step === "start" ? { evidence: () => ({ vmId: id }) } : {}),
    call: async (calls) => {
      // A NAS that restarted, or a person, may have started it before it had all its changes.
      if (await verify() !== null) {
        await calls.next("vm.stop");
        await calls.send(
          async () => await readState(context, "STOPPED") ?? await shutDown(context, step),
          () => readState(context, "STOPPED"),
          { passes: (error) => passesRestart(context, error) },
        );
        await calls.next("vm.start");
      }
      await startVm(context, { id, memoryMib, overcommit });
      return await expectEffect(context, { id, method: "vm.start", verify });
    },
    verify,
    passes: (error) => isRefusedWith(error, "ENOMEM") || passesRestart(context, error),
    detail: (state) => state,
  };
}
