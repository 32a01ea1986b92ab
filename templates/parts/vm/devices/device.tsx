/** Parts that the tabs of disks, network cards and media share. */
import type { Child } from "hono/jsx";
import type { Vm } from "../../../../lib/inventory/inventory.ts";
import { paths, type VmTab } from "../../../paths.ts";
import { Notice } from "../../common.tsx";

/** A card with one entry for each device. */
export function DeviceList(
  { title, empty, help, children }: {
    title: string;
    empty: string;
    help?: Child;
    children: readonly Child[];
  },
) {
  return (
    <section class="card" aria-label={title}>
      <header>
        <div>
          <h2>{title}</h2>
          {help}
        </div>
      </header>
      {children.length === 0 ? <p class="body soft">{empty}</p> : <ul class="devices">{children}</ul>}
    </section>
  );
}

/** A form that stays folded until it is needed; open again when it was rejected. */
export function DeviceFold(
  { label, of, isOpen = false, children }: { label: string; of: string; isOpen?: boolean; children?: Child },
) {
  return (
    <details class="way" open={isOpen}>
      <summary class="btn sm" aria-label={`${label} ${of}`}>{label}</summary>
      <div class="fold-body">{children}</div>
    </details>
  );
}

/** The id of a device's button to remove it. */
export function removeId(deviceId: number): string {
  return `remove-${deviceId}`;
}

/** The button to remove a device. TrueNAS removes none of a VM that is in use, and what is to be done comes after it. */
export function RemoveAction({ vm, deviceId, label }: { vm: Vm; deviceId: number; label: string }) {
  const isInUse = vm.state !== "STOPPED";
  return (
    <div class="stack" id={removeId(deviceId)}>
      <p>
        <button type="submit" class="btn danger" disabled={isInUse}>{label}</button>
      </p>
      {isInUse
        ? <p class="help">TrueNAS removes it only while the VM is stopped. Shut the VM down first.</p>
        : null}
    </div>
  );
}

/** Removes a device of which nothing is lost. */
export function RemoveButton(
  { vm, tab, deviceId, label }: { vm: Vm; tab: VmTab; deviceId: number; label: string },
) {
  return (
    <form method="post" action={paths.vmForm(vm.id, "remove")} class="stack">
      <input type="hidden" name="device" value={deviceId} />
      <input type="hidden" name="tab" value={tab} />
      <RemoveAction vm={vm} deviceId={deviceId} label={label} />
    </form>
  );
}

/** What the buttons to remove a device say, by tab. */
export const REMOVE = {
  disk: "Remove disk",
  nic: "Remove NIC",
  cdrom: "Remove install image",
} as const;

/** Shown when devices came or went while the page is open: what is typed stays, so the list is left alone. */
export function DevicesChanged({ isShown, vm, tab }: { isShown: boolean; vm: Vm; tab: VmTab }) {
  return (
    <div id="vm-devices-changed" class="notices">
      {isShown
        ? (
          <Notice tone="warn">
            <p>
              <strong>This list has changed.</strong> Devices were added or removed elsewhere.{" "}
              <a href={paths.vm(vm.id, tab)}>Show the current list</a>
            </p>
          </Notice>
        )
        : null}
    </div>
  );
}
