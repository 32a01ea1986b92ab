/** A new VM whose disks are copied from a checkpoint of another one. */
import { NO_CDROM } from "../../lib/configuration/sections.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import type { CreationRequest } from "../../lib/plan/creation_input.ts";
import type { DiskSource } from "../../lib/plan/types.ts";
import type { CopiedVm, OneForm } from "../../templates/pages/one/one_page.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { diskName, formLike, type OneDefaults, parentOf } from "./one_form.ts";

/** What is copied. */
export interface Copy extends CopiedVm {
  readonly vm: Vm;
  /** By the name of the new disk. */
  readonly sources: Readonly<Record<string, DiskSource>>;
}

/** Either what is copied, or why nothing can be. */
export type ReadCopy = { readonly copy: Copy } | { readonly why: string };

/**
 * Reads what a VM has in a checkpoint.
 *
 * @throws {TrueNASError} when the NAS cannot be read.
 */
export async function readCopy({ manager }: Dashboard, vm: Vm, checkpoint: string): Promise<ReadCopy> {
  const read = await manager.checkpoints.list();
  if (!read.known) return { why: `The checkpoints cannot be read, because ${read.because}` };
  const of = read.value.find(({ name }) => name === checkpoint)?.vms.find(({ vmId }) => vmId === vm.id);
  if (of === undefined) return { why: `${vm.name} is not part of a checkpoint called ${checkpoint}` };
  const disks = inOrder(vm).map((disk) => ({
    disk,
    snapshot: of.snapshots.find(({ zvol }) => zvol === disk.zvol)?.name ?? null,
  }));
  const copied = disks.flatMap(({ disk, snapshot }) => snapshot === null ? [] : [{ disk, snapshot }]);
  if (copied.length === 0) return { why: `${checkpoint} has no snapshot of a disk that ${vm.name} has now` };
  const sources = copied.map(({ disk, snapshot }, n) =>
    [diskName(n), { snapshot, sizeBytes: disk.sizeBytes ?? 0 }] as const
  );
  return {
    copy: {
      checkpoint,
      wasRunning: of.running,
      left: [
        ...disks.flatMap(({ disk: { path }, snapshot }) => snapshot === null ? [path] : []),
        ...vm.cdroms.map(({ path }) => path),
      ],
      vm: { ...vm, disks: copied.map(({ disk }) => disk), cdroms: [] },
      sources: Object.fromEntries(sources),
    },
  };
}

/** The form of the copy. Two guests with one identity should not meet by themselves, so it is not started. */
export function formOfCopy({ vm }: Copy, taken: readonly string[], defaults: OneDefaults): OneForm {
  const form = formLike(vm, taken, defaults);
  const parent = parentOf(vm.disks);
  const isSamePool = form.pool_path.split("/")[0] === parent.split("/")[0];
  return {
    ...form,
    pool_path: isSamePool ? form.pool_path : parent,
    cdrom_path: "",
    type: { ...form.type, start: false },
  };
}

/** Without an install image, unless one was chosen. */
export function bootingItself(form: OneForm): OneForm {
  return form.cdrom_path === "" ? { ...form, type: { ...form.type, cdrom: NO_CDROM } } : form;
}

/** What the form must keep, so that every copied disk has its place. */
export function copyProblems({ sources }: Copy, { type }: OneForm): readonly Problem[] {
  const missing = Object.keys(sources).filter((name) => !type.disks.some((disk) => disk.name === name));
  return [
    ...missing.map((name) => ({
      field: "",
      message: `The disk ${name} is copied. Keep a disk of that name; remove it from the new VM afterwards`,
    })),
    ...((type.image ?? "") === "" ? [] : [{
      field: "image",
      message: "The first disk is copied from the checkpoint. Choose no image",
    }]),
  ];
}

/** The request of the form, with what is copied. */
export function requestOfCopy(
  { vm, sources }: Copy,
  request: CreationRequest,
  known: readonly string[],
): CreationRequest {
  const { configuration, types = [] } = request;
  const template = hardwareOf(vm, known);
  const sections = Object.entries(configuration.types).map(([type, section]) =>
    [type, { ...section, template }] as const
  );
  return {
    ...request,
    configuration: { ...configuration, types: Object.fromEntries(sections) },
    sources: Object.fromEntries(types.map(({ type, name = type }) => [name, sources])),
  };
}

/** Settings without which the copied system may not boot. */
const HARDWARE: readonly string[] =
  "bootloader bootloader_ovmf enable_secure_boot trusted_platform_module hyperv_enlightenments time".split(
    " ",
  );

/** Those that the release knows, and the models of the first disk and NIC. */
function hardwareOf({ columns = {}, disks, nics }: Vm, known: readonly string[]) {
  const values = HARDWARE.flatMap((key) => {
    const value = columns[key] ?? null;
    return value === null || !known.includes(key) ? [] : [[key, value] as const];
  });
  const [bus, model] = [disks[0]?.bus ?? null, nics[0]?.model ?? null];
  return {
    vm: Object.fromEntries(values),
    ...(bus === null ? {} : { disk: { type: bus } }),
    ...(model === null ? {} : { nic: { type: model } }),
  };
}

function inOrder({ disks }: Vm) {
  return disks.toSorted((a, b) => a.order - b.order);
}
