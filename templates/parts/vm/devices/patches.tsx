/** What a stream sends about one VM: each part of its page that can change, apart from the forms. */
import type { Child } from "hono/jsx";
import type { AuditEntry } from "../../../../lib/observability/audit_entry.ts";
import type { VmTab } from "../../../paths.ts";
import { DevicesChanged, REMOVE, RemoveAction, removeId } from "./device.tsx";
import { deviceFactsId, DiskFacts } from "./disks.tsx";
import { VmFacts } from "../facts.tsx";
import { VmGone, VmStateLine, VmTabs } from "../head.tsx";
import { VmHistory } from "../history.tsx";
import { Lately } from "../lately.tsx";
import { VmButtons, VmMenu } from "../menu.tsx";
import { NicFacts } from "./network.tsx";
import { devicesOf, type VmNowProps } from "../now.ts";
import { LATELY } from "../overview.tsx";
import { Place } from "../place.tsx";

/** A part of a page with the id of what it replaces. */
export interface VmPart {
  readonly id: string;
  readonly html: string;
}

/** What the parts depend on. */
export interface VmPartsProps {
  readonly now: VmNowProps;
  readonly tab: VmTab;
  /** Ids of the devices that the page lists, as in its stream's address. */
  readonly devices: string;
  readonly audit: { readonly entries: readonly AuditEntry[]; readonly total: number };
}

/** The parts of a VM's page. The menu's items are one, so that an open menu stays open. */
export function vmParts({ now, tab, devices, audit }: VmPartsProps): readonly VmPart[] {
  const { vm } = now;
  return [
    part("vm-state", <VmStateLine {...now} />),
    part("vm-buttons", <VmButtons {...now} />),
    part("vm-menu", <VmMenu {...now} />),
    part("vm-tabs", <VmTabs vm={vm} current={tab} />),
    ...tabParts({ now, tab, devices, audit }),
  ];
}

function tabParts({ now, tab, devices, audit }: VmPartsProps): readonly VmPart[] {
  const { vm } = now;
  switch (tab) {
    case "overview":
      return [
        part("vm-facts", <VmFacts {...now} />),
        part("vm-place", <Place {...now} />),
        part("vm-lately", <Lately vm={vm} operations={now.operations.slice(0, LATELY)} />),
      ];
    case "disks":
      return [
        ...vm.disks.map((disk) => part(deviceFactsId(disk.deviceId), <DiskFacts vm={vm} disk={disk} />)),
        ...removals(now, vm.disks, REMOVE.disk),
        changed({ now, tab, devices }),
      ];
    case "network":
      return [
        ...vm.nics.map((nic) => part(deviceFactsId(nic.deviceId), <NicFacts nic={nic} />)),
        ...removals(now, vm.nics, REMOVE.nic),
        changed({ now, tab, devices }),
      ];
    case "boot":
      return [...removals(now, vm.cdroms, REMOVE.cdrom), changed({ now, tab, devices })];
    case "history":
      return [
        part("vm-history", <VmHistory vm={vm} operations={now.operations} {...audit} now={now.now} />),
      ];
    case "checkpoints":
    case "console":
    case "clone":
      return [];
  }
}

/** Devices can be removed once the VM is stopped; viewers have no buttons. */
function removals(
  { vm, mayChange }: VmNowProps,
  devices: readonly { readonly deviceId: number }[],
  label: string,
): readonly VmPart[] {
  if (!mayChange) return [];
  return devices.map(({ deviceId }) =>
    part(removeId(deviceId), <RemoveAction vm={vm} deviceId={deviceId} label={label} />)
  );
}

function changed({ now: { vm }, tab, devices }: Pick<VmPartsProps, "now" | "tab" | "devices">): VmPart {
  const isShown = devicesOf(vm, tab).join("-") !== devices;
  return part("vm-devices-changed", <DevicesChanged isShown={isShown} vm={vm} tab={tab} />);
}

/** The parts of a page whose VM was removed: what could be done with it goes. */
export function vmGoneParts(): readonly VmPart[] {
  return [
    part("vm-gone", <VmGone />),
    part("vm-buttons", <span class="actions" id="vm-buttons" />),
    part("vm-menu", <div class="panel" id="vm-menu" />),
  ];
}

function part(id: string, content: Child): VmPart {
  return { id, html: `${<hx-partial hx-target={`#${id}`} hx-swap="outerMorph">{content}</hx-partial>}` };
}
