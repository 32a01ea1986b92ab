/** Missing images of VMs; TrueNAS does not start a VM with a missing image. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import type { Caller } from "../../truenas/client.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import { readMissingFiles } from "../../truenas/read_inventory.ts";

const REMEDY = "remove the install image on the VM's page, or restore the file";

/** Starts a VM; if the NAS refuses because an image is missing, the error names the image and the remedy. */
export async function startWithImages<T>(
  caller: Caller,
  { id, name }: { readonly id: number; readonly name: string },
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (cause) {
    if (!(cause instanceof TrueNASCallError)) throw cause;
    const missing = await missingImages(caller, id).catch(() => []);
    if (missing.length === 0) throw cause;
    const message = `${name} was not started because ${
      describe(missing)
    } on the NAS; ${REMEDY} (TrueNAS: "${cause.refusal.reason}")`;
    throw new TrueNASError(message, { method: "vm.start", cause });
  }
}

/**
 * Checks before a restart shuts the VM down, because TrueNAS would then refuse the start.
 *
 * @throws {TrueNASError} when an image is missing.
 */
export async function expectImages(
  caller: Caller,
  { id, name }: { readonly id: number; readonly name: string },
): Promise<void> {
  const missing = await missingImages(caller, id);
  if (missing.length === 0) return;
  const why = `${name} could not start again because ${describe(missing)} on the NAS`;
  throw new TrueNASError(
    `${why}. It was not shut down and keeps running; restore the file, or shut it down and remove the install image`,
  );
}

async function missingImages(caller: Caller, id: number): Promise<readonly string[]> {
  const vm = await fetchVm(caller, id);
  return await readMissingFiles(caller, (vm?.cdroms ?? []).map(({ path }) => path));
}

function describe(missing: readonly string[]): string {
  return missing.length === 1
    ? `its image ${missing[0]} no longer exists`
    : `its images ${missing.join(", ")} no longer exist`;
}
