/** How plans read on a terminal. Pure. */
import { describeOtherwise, describeWhen } from "../../first_boot/readiness/planned_ready.ts";
import type { PlannedImage } from "../../images/planned_image.ts";
import {
  describeAddress,
  describeImages,
  describeReasons,
  describeSurplus,
  describeTotals,
} from "../../plan/description.ts";
import type { CreationPlan, DestructionPlan, PlannedVm, PlannedZvol } from "../../plan/types.ts";
import { formatBytes, formatCount, formatDuration, formatMib } from "../../units.ts";
import { describeSeeds } from "./seed_wait.ts";
import { table } from "../terminal/terminal.ts";

/** The plan as text. */
export function describePlan(plan: CreationPlan): string {
  const findings = plan.findings.map(({ severity, vms, field, message, line }) =>
    `${severity}: ${placeOf({ vms, field })}${message}${line === undefined ? "" : ` (line ${line})`}`
  );
  const rows = plan.vms.map((vm) => {
    const { name, action, vcpus, memoryMib } = vm;
    return [name, action, formatCount(vcpus, "vCPU"), formatMib(memoryMib), describeDevices(vm, plan)];
  });
  const surplus = plan.surplus.map((vm) => {
    const { name, vcpus, memoryMib } = vm;
    return [name, "surplus", formatCount(vcpus, "vCPU"), formatMib(memoryMib), describeSurplus(vm)];
  });
  const images = describeImages(plan);
  const seeds = describeSeeds(plan);
  const sum = `Plan: ${describeTotals(plan)}`;
  return [
    table(["VM", "ACTION", "CPU", "MEMORY", "DEVICES"], [...rows, ...surplus]),
    ...findings,
    ...images,
    ...seeds,
    ...describeWaits(plan),
    sum,
  ]
    .join("\n");
}

/** One line for each type of which it is known how its VMs show that they answer. */
function describeWaits({ vms }: CreationPlan): readonly string[] {
  const started = vms.filter(({ steps }) => steps.includes("start"));
  const waits = new Map(
    started.flatMap(({ type, ready }) => ready === undefined ? [] : [[type, ready] as const]),
  );
  return [...waits].map(([type, { when, timeoutMs, otherwise }]) =>
    `${type} is ready when ${describeWhen(when)}; if it does not within ${formatDuration(timeoutMs)}, ` +
    `${describeOtherwise(otherwise)}. create waits for that with --wait-ready`
  );
}

function placeOf({ vms, field }: { readonly vms: readonly string[]; readonly field: string }): string {
  const place = vms.length === 1 ? vms[0] : field;
  return place ? `${place}: ` : "";
}

function describeDevices(vm: PlannedVm, plan: CreationPlan): string {
  const why = describeReasons(vm, plan);
  if (why.length > 0) return why.join("; ");
  return vm.devices.map((device) => {
    switch (device.dtype) {
      case "DISPLAY":
        return `display ${device.port}`;
      case "CDROM":
        return device.path;
      case "NIC":
        return [`${device.attach}=${device.mac}`, ...describeAddress(device.ip)].join(" ");
      case "DISK":
        return `${device.zvol} ${formatBytes(device.sizeBytes)}${describeImage(device.image)}`;
    }
  }).join(", ");
}

function describeImage(image: PlannedImage | undefined): string {
  return image === undefined ? "" : ` (${image.golden === null ? "copy" : "clone"} of ${image.name})`;
}

export function describeDestruction({ vms, prefixes, notices, spared, totals }: DestructionPlan): string {
  const kept = spared.map(({ name, because }) => `${name} stays: ${because} (add it with --vm ${name})`);
  if (vms.length === 0) {
    const nothing = prefixes.length === 0
      ? "Nothing to destroy"
      : `Nothing to destroy: no VM created here matches ${prefixes.join(" or ")} followed by digits`;
    return [...kept, nothing].join("\n");
  }
  const toDestroy = vms.filter(({ blocked }) => blocked.length === 0);
  const rows = toDestroy.map(({ id, name, state, zvols, keeps }) => [
    name,
    String(id),
    state,
    zvols.map(({ name, sizeBytes }) => `${name}${sizeBytes === null ? "" : ` ${formatBytes(sizeBytes)}`}`)
      .join(", "),
    keeps.map(({ path, because }) => `${path} stays: ${because}`).join(", "),
  ]);
  const snapshots = totals.snapshots === 0 ? [] : [formatCount(totals.snapshots, "snapshot")];
  const counts = [formatCount(totals.vms, "VM"), formatCount(totals.zvols, "disk"), ...snapshots];
  return [
    ...(rows.length === 0 ? [] : [table(["VM", "ID", "STATE", "DISKS TO DESTROY", "KEPT"], rows)]),
    ...toDestroy.flatMap(({ zvols }) => zvols).flatMap(describeSnapshots),
    ...notices,
    ...vms.flatMap(({ name, blocked }) => blocked.map((why) => `${name} stays: ${why}`)),
    ...kept,
    `${counts.slice(0, -1).join(", ")} and ${counts.at(-1)} will be destroyed permanently`,
  ].join("\n");
}

function describeSnapshots({ name, snapshots }: PlannedZvol): string[] {
  if (snapshots === null || snapshots.length === 0) return [];
  const names = snapshots.map((snapshot) => snapshot.name.slice(name.length)).join(", ");
  return [`Destroys ${formatCount(snapshots.length, "snapshot")} of ${name} first: ${names}`];
}
