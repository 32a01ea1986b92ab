/**
 * Gives a VM its first configuration (seed), on a CD-ROM (see iso/seed_disk_step.ts) or by URL: then it is served below a path
 * that nobody can guess, and the VM's SMBIOS tells the guest where. The path is written nowhere but there: a VM that has one
 * already keeps it, so that an operation that goes on after a restart of this program serves the seed where its guest looks.
 */
import { TrueNASError } from "../../errors/errors.ts";
import type { CreatedResources } from "../../operations/steps/created_resources.ts";
import { pollUntil, type Step, type StepCalls, type StepContext } from "../../operations/steps/run_step.ts";
import { findVm } from "../../operations/steps/run_vm.ts";
import type { PlannedVm } from "../../plan/types.ts";
import type { VmRow } from "../../truenas/method_types.ts";
import { argumentsOf, MAX_ARGS_CHARS, seedArgumentOf, withSeedArgument } from "../command_line_args.ts";
import { type SeedDiskContext, type SeedDisks, seedDiskStep } from "../iso/seed_disk_step.ts";
import type { SeedKeeper } from "../serving/seed_keeper.ts";
import type { SeedSource } from "./seed_source.ts";

/** What giving seeds needs. */
export interface SeedMeans {
  /** Null when guests cannot fetch from this program. */
  readonly keeper: SeedKeeper | null;
  readonly source: SeedSource;
  /** How seeds on CD-ROMs come to the NAS. */
  readonly disks: SeedDisks;
}

/** What the step needs. */
export interface SeedContext extends StepContext, Pick<SeedDiskContext, "signal" | "templates"> {
  readonly seeds: SeedMeans;
  readonly vm: PlannedVm;
  readonly created: CreatedResources;
}

/** Gives the VM its seed by the planned way. */
export function seedStep(work: SeedContext): Step<string> {
  return work.vm.seed?.way === "disk" ? seedOnDisk(work) : seedByUrl(work);
}

function seedOnDisk(work: SeedContext): Step<string> {
  const { seeds: { source, keeper, disks }, vm } = work;
  const render = async (uuid: string) => {
    const rendered = await source.prepare(vm, uuid, vm.seed ?? null);
    // It tells this program that it has started, where it can reach it.
    const served = keeper?.isReachable === true
      ? await keeper.serve({ vm: uuid, name: vm.name, render: null })
      : null;
    const home = served === null ? null : { server: new URL(served.url).host, pathHash: served.pathHash };
    return { ...rendered(served?.phoneHomeUrl ?? null), home };
  };
  return seedDiskStep({ ...work, disks, render });
}

/** Serves the seed and tells the VM where. */
function seedByUrl(work: SeedContext): Step<string> {
  const { vm, created } = work;
  return {
    step: "seed",
    method: "vm.update",
    makes: `seed of ${vm.name}, ${vm.seed?.kind ?? ""}`,
    // What was there before is not undone.
    ...(created.uuid === null && created.vmId !== null
      ? { evidence: () => ({ vmId: created.vmId ?? 0 }) }
      : {}),
    call: (calls) => give(work, calls),
    verify: null,
    detail: (text) => text,
  };
}

async function give(work: SeedContext, { send }: StepCalls): Promise<string> {
  const { caller, seeds: { keeper, source }, vm, created, settle } = work;
  if (keeper === null) {
    throw new TrueNASError("SEED_HOST is not set, or nothing may be changed, so no guest can fetch its seed");
  }
  const read = async () => expectVmRow(await findVm(caller, created), vm);
  const row = await read();
  const uuid = row.uuid ?? null;
  if (uuid === null) throw new TrueNASError(`TrueNAS reports no uuid for ${vm.name}, which its seed needs`);
  const render = await source.prepare(vm, uuid, vm.seed ?? null);
  const before = argumentsOf(row);
  const known = seedArgumentOf(before);
  const { url } = await keeper.serve({
    vm: uuid,
    name: vm.name,
    render: (phoneHomeUrl) => Promise.resolve(render(phoneHomeUrl)),
    ...(known === null ? {} : { known }),
  });
  const args = withSeedArgument(before, url);
  if (args.length > MAX_ARGS_CHARS) {
    throw new TrueNASError(
      `command_line_args of ${vm.name} would have ${args.length} characters, and TrueNAS takes ${MAX_ARGS_CHARS}`,
    );
  }
  const told = `the guest fetches it from ${new URL(url).host}`;
  if (args === before) return `${told}, as before`;
  const isTold = async () => argumentsOf(await read()) === args || null;
  await withoutSecret(
    url,
    () =>
      send(
        async () => void await caller.call("vm.update", [row.id, { command_line_args: args }]),
        async () => await isTold() === null ? null : undefined,
      ),
  );
  if (await pollUntil(isTold, settle) !== null) return told;
  throw new TrueNASError(
    `TrueNAS reported success for vm.update, but ${vm.name} does not have the address of its seed; check the VM in TrueNAS`,
    { method: "vm.update" },
  );
}

function expectVmRow(row: VmRow | null, { name }: PlannedVm): VmRow {
  if (row !== null) return row;
  throw new TrueNASError(`${name} no longer exists`);
}

/** A refusal can repeat what was sent, and errors are journalled and shown. */
async function withoutSecret<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replaceAll(url, "[the seed's address]");
    throw error;
  }
}
