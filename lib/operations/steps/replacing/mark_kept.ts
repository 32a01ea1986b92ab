/** Makes the zvols that a replaced VM leaves name the new VM. */
import { TrueNASError } from "../../../errors/errors.ts";
import { ownerProperties } from "../../../inventory/marks.ts";
import { expectKnown, fetchDatasets, fetchDiskUsers } from "../../../truenas/batched_reads.ts";
import { vmIdOf } from "../device_step.ts";
import { pollUntil, type Step } from "../run_step.ts";
import type { Replacing } from "./replacing.ts";

/** The zvols that have to name the new VM, by step. */
export function toMark({ replacement: { steps, devices } }: Replacing) {
  return devices.filter((device) => device.dtype === "DISK")
    .filter(({ step }) => steps.includes(`mark-${step}`));
}

/** A kept zvol names its VM and operation like one that was created for it, so that it is destroyed only with this VM. */
export function markStep({ caller, context, creation }: Replacing, step: string, zvol: string): Step<string> {
  const uuid = creation.created.uuid ?? creation.vm.vmUuid ?? "";
  const properties = ownerProperties(uuid, context.log.id);
  const verify = async () => {
    const [dataset] = expectKnown(await fetchDatasets(caller, [zvol]));
    return dataset?.mark?.vm === uuid && dataset.mark.operation === context.log.id ? zvol : null;
  };
  return {
    step: `mark-${step}`,
    method: "pool.dataset.update",
    makes: zvol,
    precondition: async () => {
      const users = await fetchDiskUsers(caller, [zvol]);
      const isOurs = users.length > 0 && users.every(({ id }) => id === vmIdOf(creation.created));
      if (!isOurs) throw new TrueNASError(`${zvol} is not a disk of this VM alone. It was not marked`);
    },
    call: async () => {
      await context.cancellable.call("pool.dataset.update", [zvol, { user_properties_update: properties }]);
      const marked = await pollUntil(verify, context.settle);
      if (marked !== null) return marked;
      throw new TrueNASError(`TrueNAS reported success, but ${zvol} was not marked`, {
        method: "pool.dataset.update",
      });
    },
    verify,
    detail: (name) => name,
  };
}
