/** Creates zvols with the properties that identify their VM and operation. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { isMethodMissing, isRefusedWith } from "../../errors/refusals.ts";
import { ownerProperties } from "../../inventory/marks.ts";
import type { PlannedDevice } from "../../plan/types.ts";
import { expectKnown, fetchDatasets } from "../../truenas/batched_reads.ts";
import type { CreatedResources } from "./created_resources.ts";
import type { StepCalls, StepContext } from "./run_step.ts";

/** A disk of a plan. */
export type PlannedDisk = Extract<PlannedDevice, { dtype: "DISK" }>;

/** A zvol to create. */
export interface NewZvol {
  readonly zvol: string;
  readonly sizeBytes: number;
  readonly sparse: boolean | null;
  readonly force?: boolean;
  readonly blockSize?: string | null;
}

/** Creates a zvol; `owner` is the uuid of its VM. */
export async function createZvol(
  { caller, log }: StepContext,
  { send }: Pick<StepCalls, "send">,
  { zvol, sizeBytes, sparse, force = false, blockSize = null }: NewZvol,
  owner: string,
): Promise<void> {
  const spec = {
    name: zvol,
    type: "VOLUME",
    volsize: sizeBytes,
    ...(sparse === true ? { sparse } : {}),
    ...(force ? { force_size: true } : {}),
    ...(blockSize === null ? {} : { volblocksize: blockSize }),
    user_properties: ownerProperties(owner, log.id),
  };
  const verify = async () => {
    const [dataset] = expectKnown(await fetchDatasets(caller, [zvol]));
    return dataset?.mark?.operation === log.id ? { id: zvol } : null;
  };
  await send(() => caller.call("pool.dataset.create", [spec]), verify);
}

/** Whether the account can create zvols directly; cleared at the first refusal. */
export interface ZvolPermission {
  mayCreate: boolean;
}

/** Creates the zvol of a planned disk; without permission for that, creating the device creates it. */
export async function createPlannedZvol(
  context: StepContext & { readonly zvols: ZvolPermission; readonly created: CreatedResources },
  calls: StepCalls,
  device: PlannedDisk,
  owner: string,
): Promise<void> {
  const { zvols, created } = context;
  if (!zvols.mayCreate) return expectThick(device);
  try {
    await createZvol(context, calls, device, owner);
    created.zvols.set(device.zvol, { marked: true, answered: true });
  } catch (error) {
    if (isMethodMissing(error) || isRefusedWith(error, "EACCES")) {
      zvols.mayCreate = false;
      created.zvols.set(device.zvol, { marked: false, answered: false });
      return expectThick(device);
    }
    if (isRefusedBeforeEffect(error)) created.zvols.delete(device.zvol);
    throw error;
  }
}

/** vm.device.create only creates thick zvols. */
function expectThick({ sparse, zvol }: PlannedDisk): void {
  if (sparse !== true) return;
  throw new TrueNASError(
    `The account is not allowed to create the sparse zvol ${zvol}; grant it the role DATASET_WRITE, or turn sparse off`,
  );
}

/** TrueNAS validates before it writes, so after a refusal that names fields nothing was created. */
export function isRefusedBeforeEffect(error: unknown): boolean {
  if (error instanceof TrueNASCallError) return error.refusal.fields.length > 0;
  return error instanceof TrueNASError && error.outcome === "not-done";
}
