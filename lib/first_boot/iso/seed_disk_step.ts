/**
 * Gives a VM its first configuration (seed) on a CD-ROM: a dataset of its own, marked with the VM's uuid, the image in it, and the
 * device. What is in the image is written nowhere else.
 */
import { TrueNASError } from "../../errors/errors.ts";
import type { Acquirer } from "../../images/acquiring/acquirer.ts";
import { statOf } from "../../images/acquiring/file_dataset.ts";
import type { Made } from "../../images/acquiring/transfer.ts";
import { ownerProperties } from "../../inventory/marks.ts";
import type { CreatedResources } from "../../operations/steps/created_resources.ts";
import { isDevice } from "../../operations/steps/device_step.ts";
import type { PhonesHome } from "../../operations/types.ts";
import type { Step, StepCalls, StepContext } from "../../operations/steps/run_step.ts";
import { isRefusedBeforeEffect } from "../../operations/steps/zvol_creation.ts";
import type { PlannedDevice, PlannedVm } from "../../plan/types.ts";
import type { TemplateManager } from "../../template_manager.ts";
import { expectKnown, fetchDatasets } from "../../truenas/batched_reads.ts";
import type { RenderedSeed } from "../rendering/seed.ts";
import { seedDataset, seedPath } from "./seed_dataset.ts";
import { seedIso } from "./seed_iso.ts";

/** How seeds come to the NAS. */
export interface SeedDisks {
  readonly acquirer: Acquirer;
  /** The dataset of images, in which the seeds' datasets lie. */
  readonly dataset: string;
}

/** What the step needs. */
export interface SeedDiskContext extends StepContext {
  /** Cancels. */
  readonly signal: AbortSignal;
  readonly templates: (type: string) => TemplateManager;
  readonly disks: SeedDisks;
  readonly vm: PlannedVm;
  readonly created: CreatedResources;
  /** Makes the seed, when it is its turn. */
  readonly render: (uuid: string) => Promise<RenderedSeed & { readonly home: PhonesHome | null }>;
}

/** Behind the disk, so that a guest without boot record does not cost time at each start. */
const SEED_ORDER = 1_010;

interface SeedDisk {
  readonly uuid: string;
  readonly dataset: string;
  readonly device: Extract<PlannedDevice, { dtype: "CDROM" }>;
}

/** See the file's comment. */
export function seedDiskStep(context: SeedDiskContext): Step<string> {
  const { vm, created, disks } = context;
  const uuid = created.uuid ?? vm.vmUuid;
  if (uuid === null) throw new TrueNASError(`TrueNAS reports no uuid for ${vm.name}, which its seed needs`);
  const dataset = seedDataset(disks.dataset, { name: vm.name, uuid });
  const order = Math.max(SEED_ORDER, ...vm.devices.map((device) => device.order + 1));
  const seed: SeedDisk = {
    uuid,
    dataset,
    device: { step: "seed", order, dtype: "CDROM", path: seedPath(dataset) },
  };
  const made: Made & { home: PhonesHome | null } = { dataset: null, credentials: null, home: null };
  created.zvols.set(dataset, { marked: true, answered: false });
  if (created.uuid === null) created.devices.add(seed.device);
  return {
    step: "seed",
    method: "pool.dataset.query",
    makes: dataset,
    evidence: () => ({
      ...(created.zvols.has(dataset) ? { zvol: dataset } : {}),
      ...(created.zvols.get(dataset)?.answered === true ? { answered: true } : {}),
      ...(created.devices.has(seed.device) && created.vmId !== null
        ? { vmId: created.vmId, device: seed.device }
        : {}),
      ...(made.credentials === null ? {} : { credentials: made.credentials }),
      ...(made.home === null ? {} : { home: made.home }),
    }),
    call: async (calls) => {
      const { files, home } = await context.render(uuid);
      made.home = home;
      // Journalled before the guest can have it.
      if (home !== null) await calls.next("pool.dataset.query");
      await makeDataset(context, calls, seed);
      await writeImage(context, calls, { ...seed, made, bytes: seedIso(files) });
      await attach(context, calls, seed);
      return `the guest finds it on a CD-ROM, ${seed.device.path}`;
    },
    verify: null,
    detail: (text) => text,
  };
}

/** An interrupted operation may have made it for the same VM. */
async function makeDataset(
  context: SeedDiskContext,
  calls: StepCalls,
  { dataset, uuid }: SeedDisk,
): Promise<void> {
  const { caller, created, disks, log } = context;
  const read = async () => expectKnown(await fetchDatasets(caller, [dataset]))[0];
  const there = await read();
  if (there !== undefined && there.mark?.vm !== uuid) {
    created.zvols.delete(dataset);
    throw new TrueNASError(
      `The dataset ${dataset} exists, and was not made for this VM; rename it on the NAS`,
    );
  }
  if (there === undefined) {
    await disks.acquirer.inTurn({ dataset: disks.dataset, name: "" }, () => makeParent(context, calls));
    await calls.next("pool.dataset.create");
    const spec = { name: dataset, type: "FILESYSTEM", user_properties: ownerProperties(uuid, log.id) };
    const isOurs = async () => (await read())?.mark?.vm === uuid ? { id: dataset } : null;
    try {
      await calls.send(() => caller.call("pool.dataset.create", [spec]), isOurs);
    } catch (error) {
      if (isRefusedBeforeEffect(error)) created.zvols.delete(dataset);
      throw error;
    }
  }
  created.zvols.set(dataset, { marked: true, answered: true });
}

/** Like that of images, it stays. */
async function makeParent({ caller, disks: { dataset } }: SeedDiskContext, calls: StepCalls): Promise<void> {
  const isThere = async () =>
    expectKnown(await fetchDatasets(caller, [dataset])).length > 0 ? { id: dataset } : null;
  if (await isThere() !== null) return;
  await calls.next("pool.dataset.create");
  await calls.send(
    () => caller.call("pool.dataset.create", [{ name: dataset, type: "FILESYSTEM" }]),
    isThere,
  );
}

async function writeImage(
  context: SeedDiskContext,
  calls: StepCalls,
  { dataset, device: { path }, made, bytes }: SeedDisk & {
    readonly made: Made;
    readonly bytes: Uint8Array<ArrayBuffer>;
  },
): Promise<void> {
  const { caller, signal, disks: { acquirer }, vm } = context;
  const name = dataset.slice(dataset.lastIndexOf("/") + 1);
  await acquirer.write({ context, caller, signal, step: "seed", calls, made }, {
    dataset: dataset.slice(0, -name.length - 1),
    name,
    path,
    bytes,
  });
  const found = await statOf(caller, path);
  if (found?.size === bytes.length) return;
  throw new TrueNASError(
    `The first configuration (seed) of ${vm.name} did not arrive on the NAS as it was sent: ${path} ${
      found === null ? "is not there" : `has ${found.size} bytes instead of ${bytes.length}`
    }`,
  );
}

async function attach(
  { caller, templates, vm, created }: SeedDiskContext,
  calls: StepCalls,
  { device }: SeedDisk,
) {
  if (created.vmId === null) throw new Error("A step needs the VM, which was not created");
  const vmId = created.vmId;
  const find = async () => {
    const rows = await caller.call("vm.device.query", [[["vm", "=", vmId]]]);
    return rows.find((row) => isDevice(row, device)) ?? null;
  };
  if (await find() !== null) return;
  await calls.next("vm.device.create");
  const spec = { ...templates(vm.type).createCdromDevice(vmId, device.path), order: device.order };
  try {
    await calls.send(() => caller.call("vm.device.create", [spec]), find);
  } catch (error) {
    if (isRefusedBeforeEffect(error)) created.devices.delete(device);
    throw error;
  }
}
