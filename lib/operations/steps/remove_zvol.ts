/** Removes one unused zvol that this program created: checks it first, and verifies the removal. */
import { TrueNASError } from "../../errors/errors.ts";
import { seedDatasetOfVm } from "../../first_boot/iso/seed_dataset.ts";
import type { OrphanZvol } from "../../plan/orphans.ts";
import { fetchDatasets } from "../../truenas/batched_reads.ts";
import { readVms } from "../../truenas/read_inventory.ts";
import { Cancelled, runStep, type Step } from "./run_step.ts";
import { runVm, type VmContext } from "./run_vm.ts";
import { expectAsShown, hasSnapshots, removalContext, removeSnapshots, zvolsStep } from "./zvol_removal.ts";

/** The steps, in order. */
export function zvolRemovalSteps(zvol: OrphanZvol): readonly string[] {
  return ["verify", ...(hasSnapshots([zvol]) ? ["snapshots"] : []), "delete", "check"];
}

/** What removing a zvol needs. */
export interface ZvolRemovalContext extends VmContext {
  /** Resolves when the zvols that must be removed first have finished. */
  readonly after: Promise<unknown>;
}

/** Removes the zvol. Never throws; the log contains the result. */
export async function removeZvol(context: ZvolRemovalContext, zvol: OrphanZvol): Promise<void> {
  const { name, blocked } = zvol;
  const removal = removalContext({ ...context, vmName: name }, context.cancellable);
  await runVm(removal, {
    run: async () => {
      if (blocked.length > 0) throw new TrueNASError(`Not removed: ${blocked.join("; ")}`);
      await context.after;
      if (context.signal.aborted) throw new Cancelled();
      const exists = await runStep(removal, verifyStep(context, zvol));
      if (!exists) return { outcome: "already-gone", message: "Already gone" };
      await removeSnapshots(removal, [zvol]);
      await runStep(removal, zvolsStep(removal, { step: "delete", zvols: [zvol] }));
      return { outcome: "destroyed", message: await runStep(removal, checkStep(context, name)) };
    },
    onFailure: ({ message, cancelled }) =>
      cancelled
        ? { outcome: "cancelled", message: "Cancelled; the zvol was not changed" }
        : { outcome: "failed", message },
  });
}

/** Verifies that it is still the zvol that was shown: same mark, not used by a VM, and without new dependents. */
function verifyStep({ caller }: VmContext, zvol: OrphanZvol): Step<boolean> {
  return {
    step: "verify",
    method: "pool.dataset.query",
    call: async () => {
      const [found, vms] = await Promise.all([fetchDatasets(caller, [zvol.name]), readVms(caller)]);
      if (!found.known) {
        throw new TrueNASError(`The zvol could not be read because ${found.because}. It was not changed`);
      }
      const user = vms.find((vm) =>
        seedDatasetOfVm(vm) === zvol.name || vm.disks.some((disk) => disk.zvol === zvol.name)
      );
      if (user !== undefined) throw new TrueNASError(`${user.name} now uses the zvol. It was not changed`);
      const [dataset] = found.value;
      if (dataset === undefined) return false;
      if (JSON.stringify(dataset.mark) !== JSON.stringify(zvol.mark)) {
        throw new TrueNASError(
          "The zvol has changed since the list was shown. It was not removed; open Orphans again",
        );
      }
      await expectAsShown(caller, [zvol], "it");
      return true;
    },
    verify: null,
    detail: (exists) => exists ? "used by no VM" : "no longer exists",
  };
}

function checkStep({ caller }: VmContext, zvol: string): Step<string> {
  return {
    step: "check",
    method: "pool.dataset.query",
    call: async () => {
      const found = await fetchDatasets(caller, [zvol]);
      if (!found.known) {
        return `The NAS reported that it was removed, which could not be verified because ${found.because}`;
      }
      if (found.value.length === 0) return "Removed";
      throw new TrueNASError(`${zvol} still exists`);
    },
    verify: null,
    detail: (result) => result,
  };
}
