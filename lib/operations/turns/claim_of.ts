/** What the operations that create or remove VMs claim. Pure. */
import { needsImage } from "../../images/planned_image.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import type { PlannedChange } from "../../plan/changes.ts";
import type { CreationPlan, DestructionVm, PlannedDevice, PlannedVm } from "../../plan/types.ts";
import { replacedVms } from "../record/history.ts";
import { recoveryOf } from "../recovery.ts";
import type { Evidence, OperationView } from "../types.ts";
import type { Claim } from "./claims.ts";

/** A creation: all that it creates, changes or replaces of its plan. */
export function claimOfCreation({ vms }: Pick<CreationPlan, "vms">, active: readonly PlannedVm[]): Claim {
  return { ...merged(active.map(claimOfPlanned)), seen: vms.map(({ name }) => name) };
}

function claimOfPlanned({ name, devices, differences, replacement, steps }: PlannedVm): Claim {
  const all = [...devices, ...replacement?.devices ?? []];
  const changes = differences.flatMap(({ change }) => change ?? []);
  const images = devices.filter(needsImage).map(({ image }) => image);
  const made = images.filter(({ golden }) => golden !== null && steps.includes("image"));
  return merged([
    {
      vms: [name],
      zvols: [
        ...(replacement?.zvols ?? []).map((zvol) => zvol.name),
        ...(replacement?.keeps ?? []).map(({ zvol }) => zvol),
        ...made.flatMap(({ golden }) => golden ?? []),
      ],
      images: made.map((image) => image.name),
      uses: images.map((image) => image.name),
    },
    ...all.map((device) => claimOfDevice(name, device)),
    ...changes.map((change) => claimOfChange(name, change)),
  ]);
}

/** A destruction: the VMs that it removes, with their disks. */
export function claimOfDestruction(vms: readonly DestructionVm[]): Claim {
  const removed = vms.filter(({ blocked }) => blocked.length === 0);
  return {
    vms: removed.map(({ name }) => name),
    zvols: removed.flatMap(({ zvols }) => zvols.map(({ name }) => name)),
  };
}

/** Whatever goes on with, or takes back, what an operation left: all that it made, changed or was to remove. */
export function claimOfLeft(view: OperationView): Claim {
  const { resumable, removable } = recoveryOf(view);
  const left = [...new Set([...resumable, ...removable])];
  const { request } = view;
  const names = left.map(({ name }) => name);
  return merged([
    view.kind === "image" ? { images: names } : { vms: names },
    ...left.flatMap(({ name, steps }) =>
      steps.flatMap(({ evidence }) => evidence === null ? [] : claimOfEvidence(name, evidence))
    ),
    ...replacedVms(view).map(({ confirmed }) => claimOfPlanned(confirmed)),
    ...(request?.kind === "destroy" ? [claimOfDestruction(request.vms)] : []),
  ]);
}

function claimOfEvidence(vm: string, { zvol, changed, device }: Evidence): Claim {
  return merged([
    { zvols: zvol === undefined ? [] : [zvol] },
    ...(changed === undefined ? [] : [claimOfChange(vm, changed)]),
    ...(device === undefined ? [] : [claimOfDevice(vm, device)]),
  ]);
}

function claimOfDevice(vm: string, device: PlannedDevice): Claim {
  switch (device.dtype) {
    case "DISK":
      // The snapshot must not be removed or rolled back past meanwhile.
      return {
        zvols: [device.zvol, ...(device.source === undefined ? [] : [sourceOf(device.source.snapshot)])],
      };
    case "NIC":
      return { macs: new Map([[device.mac, vm]]) };
    case "DISPLAY":
      return { ports: [device.port, device.webPort ?? 0] };
    case "CDROM":
      return {};
  }
}

/** The former values too, because a change that fails restores them. */
function claimOfChange(vm: string, change: PlannedChange): Claim {
  if ("zvol" in change) return { zvols: [change.zvol] };
  if (change.kind !== "device") return {};
  const values = [change.set, change.was];
  const ports = values.flatMap(({ port, web_port }) => [port, web_port]);
  const macs = values.flatMap(({ mac }) => typeof mac === "string" ? [[mac, vm] as const] : []);
  return { ports: ports.filter((port) => typeof port === "number"), macs: new Map(macs) };
}

function merged(claims: readonly Claim[]): Claim {
  return {
    vms: claims.flatMap(({ vms = [] }) => vms),
    zvols: claims.flatMap(({ zvols = [] }) => zvols),
    images: claims.flatMap(({ images = [] }) => images),
    uses: claims.flatMap(({ uses = [] }) => uses),
    ports: claims.flatMap(({ ports = [] }) => ports).filter((port) => port > 0),
    macs: new Map(claims.flatMap(({ macs = [] }) => [...macs])),
  };
}
