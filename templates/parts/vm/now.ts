/** What the pages of one VM show of the present: everything but their forms. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import type { VmTab } from "../../paths.ts";
import type { VmFactsProps } from "./facts.tsx";
import type { VmHeadProps } from "./head.tsx";
import type { PlaceProps } from "./place.tsx";

/** One VM now. */
export interface VmNowProps extends VmHeadProps, VmFactsProps, PlaceProps {
  /** Its operations, newest first. */
  readonly operations: readonly OperationView[];
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
}

/** Ids of the devices that a tab lists. */
export function devicesOf(vm: Vm, tab: VmTab): readonly number[] {
  const ids = (devices: readonly { readonly deviceId: number }[]) => devices.map(({ deviceId }) => deviceId);
  if (tab === "disks") return ids(vm.disks);
  if (tab === "network") return ids(vm.nics);
  if (tab !== "boot") return [];
  return ids([...vm.disks, ...vm.cdroms].toSorted((a, b) => a.order - b.order || a.deviceId - b.deviceId));
}
