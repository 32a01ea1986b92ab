/** Images that VMs have and that are not on the NAS any more: TrueNAS does not start a VM then. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import type { Caller } from "../../truenas/client.ts";
import { fetchVm } from "../../truenas/looks.ts";
import { readMissingFiles } from "../../truenas/read_inventory.ts";

const REMEDY = "detach the image on the VM's page, or put the file back";

/** Runs what starts a VM; where the NAS refuses and an image of the VM is missing, the error says which, and what to do. */
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
    const message = `${name} was not started, because ${
      describe(missing)
    } on the NAS any more: ${REMEDY} (the NAS answered: ${cause.refusal.reason})`;
    throw new TrueNASError(message, { method: "vm.start", cause });
  }
}

/**
 * A restart shuts the VM down first, and the start that follows would be refused.
 *
 * @throws {TrueNASError} when an image is missing.
 */
export async function expectImages(
  caller: Caller,
  { id, name }: { readonly id: number; readonly name: string },
): Promise<void> {
  const missing = await missingImages(caller, id);
  if (missing.length === 0) return;
  const why = `${name} would not start again, because ${describe(missing)} on the NAS any more`;
  throw new TrueNASError(
    `${why}; it was not shut down and runs on: put the file back, or shut it down and detach the image`,
  );
}

async function missingImages(caller: Caller, id: number): Promise<readonly string[]> {
  const vm = await fetchVm(caller, id);
  return await readMissingFiles(caller, (vm?.cdroms ?? []).map(({ path }) => path));
}

function describe(missing: readonly string[]): string {
  return missing.length === 1 ? `its image ${missing[0]} is not` : `its images ${missing.join(", ")} are not`;
}
