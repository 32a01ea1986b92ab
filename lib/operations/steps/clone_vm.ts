/** Clones a VM and marks the clone and its zvols, because TrueNAS copies the description but no properties. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { argumentsOf, seedArgumentOf, withoutSeedArgument } from "../../first_boot/command_line_args.ts";
import { isMarked, markedDescription, ownerProperties } from "../../inventory/marks.ts";
import type { VmRow } from "../../truenas/method_types.ts";
import { vmQuery } from "../../truenas/methods.ts";
import { toVm } from "../../truenas/rows.ts";
import { formatCount } from "../../units.ts";
import { pollUntil, type Step, type StepCalls, type StepContext } from "./run_step.ts";
import { expectVm } from "./run_vm.ts";

/** A clone in progress. */
interface Clone {
  /** Id of the VM to clone. */
  readonly source: number;
  readonly name: string;
  /** Ids of VMs that already had the name. */
  readonly before: readonly number[];
}

/** Clones a VM. The call verifies itself, because the clone also has to be marked. */
export function cloneStep(
  context: StepContext,
  vm: { readonly id: number; readonly name: string; readonly uuid: string | null },
  { name }: { readonly name: string },
): Step<string> {
  const { caller } = context;
  let uuid: string | null = null;
  return {
    step: "clone",
    method: "vm.clone",
    evidence: () => uuid === null ? null : { uuid },
    precondition: async () => void await expectVm(caller, vm),
    call: async ({ next }) => {
      const before = (await caller.call("vm.query", vmQuery(["name", "=", name]))).map(({ id }) => id);
      const clone = { source: vm.id, name, before };
      return await createClone(
        context,
        clone,
        {
          mark: () => markClone(context, clone, { next, onFound: (id) => uuid = id }),
          detach: () => detachSeed(context, clone, next),
        },
      );
    },
    verify: null,
    detail: (result) => result,
  };
}

async function createClone(
  context: StepContext,
  clone: Clone,
  { mark, detach }: { readonly mark: () => Promise<void>; readonly detach: () => Promise<string> },
): Promise<string> {
  const { source, name } = clone;
  try {
    await context.caller.call("vm.clone", [source, name]);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    if (error.outcome === "not-done" && !(error instanceof TrueNASCallError)) throw error;
    if (error.outcome === "not-done" || !await isComplete(context, clone)) {
      throw await withIncompleteClone(error, name, mark);
    }
  }
  try {
    await mark();
    return `Cloned as ${name}${await detach()}`;
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return `Cloned as ${name}, but marking it as created here failed, so destroying it requires its name: ${error.message}`;
  }
}

/** Whether the clone exists with all its devices, after a call without an answer. TrueNAS does not clone RAW devices. */
async function isComplete(
  { caller, settle }: StepContext,
  { source, name, before }: Clone,
): Promise<boolean> {
  const count = ({ devices }: VmRow) => devices.filter(({ attributes }) => attributes.dtype !== "RAW").length;
  const verify = async () => {
    const rows = await caller.call("vm.query", vmQuery());
    const original = rows.find(({ id }) => id === source);
    const clone = rows.find((row) => row.name === name && !before.includes(row.id));
    if (original === undefined || clone === undefined) return null;
    return count(clone) >= count(original) || null;
  };
  return await pollUntil(verify, settle).catch(() => null) !== null;
}

/**
 * Up to 25.10 a failed clone leaves an incomplete VM behind. It is marked like any VM created here, so that Orphans finds
 * and removes it.
 */
async function withIncompleteClone(
  refusal: TrueNASError,
  name: string,
  mark: () => Promise<void>,
): Promise<TrueNASError> {
  try {
    await mark();
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    if (error instanceof NoClone) return refusal;
    const state = `Whatever was created could not be read or marked (${error.message})`;
    return new TrueNASError(`${refusal.message}. ${state}; look for ${name} in TrueNAS`, { cause: refusal });
  }
  const state = `TrueNAS left the incomplete VM ${name}; remove it on the Orphans page`;
  return new TrueNASError(`${refusal.message}. ${state}`, { method: "vm.clone", cause: refusal });
}

/** No VM was created by cloning. */
class NoClone extends TrueNASError {
  override readonly name = "NoClone";
}

/** The original's first configuration (seed) would make the clone another VM of the same name; the text is about one that stays. */
async function detachSeed(
  { caller }: StepContext,
  { name, before }: Clone,
  next: StepCalls["next"],
): Promise<string> {
  const rows = await caller.call("vm.query", vmQuery(["name", "=", name]));
  const seed = rows.map(toVm).find(({ id }) => !before.includes(id))?.seedDisk ?? null;
  if (seed === null) return "";
  try {
    await next("vm.device.delete");
    await caller.call("vm.device.delete", [seed.deviceId, { zvol: false, raw_file: false, force: false }]);
    return "";
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return `. It has the CD-ROM ${seed.path} with the original's first configuration (seed); remove it in TrueNAS: ${error.message}`;
  }
}

async function markClone(
  { caller, log }: StepContext,
  { name, before }: Clone,
  { next, onFound }: { readonly next: StepCalls["next"]; readonly onFound: (uuid: string | null) => void },
): Promise<void> {
  const rows = await caller.call("vm.query", vmQuery());
  const vms = rows.map(toVm);
  const found = vms.filter((vm) => vm.name === name && !before.includes(vm.id));
  const [clone] = found;
  if (clone === undefined || found.length > 1) {
    throw new NoClone(`the NAS has ${formatCount(found.length, "new VM")} with that name`);
  }
  const { id, uuid, description } = clone;
  onFound(uuid);
  const args = argumentsOf(rows.find((row) => row.id === id) ?? {});
  const change = {
    ...(isMarked(description) ? {} : { description: markedDescription(description) }),
    // The seed of the original is not the clone's: it would take itself for the original.
    ...(seedArgumentOf(args) === null ? {} : { command_line_args: withoutSeedArgument(args) }),
  };
  if (Object.keys(change).length > 0) {
    await next("vm.update");
    await caller.call("vm.update", [id, change]);
  }
  const others = vms.filter((vm) => vm.id !== id);
  const usedByOthers = new Set(others.flatMap(({ disks }) => disks.map(({ zvol }) => zvol)));
  for (const { zvol } of clone.disks) {
    if (zvol === null || usedByOthers.has(zvol)) continue;
    await next("pool.dataset.update");
    const properties = ownerProperties(uuid ?? "", log.id);
    await caller.call("pool.dataset.update", [zvol, { user_properties_update: properties }]);
  }
}
