/** The head of every page of one VM: where it is, its name and state, what can be done, and its tabs. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { typeOf } from "../../../lib/inventory/names.ts";
import type { Readiness } from "../../../lib/first_boot/types.ts";
import type { Busy } from "../../../lib/operations/record/store.ts";
import { paths, type VmTab } from "../../paths.ts";
import { Notice, Time } from "../common.tsx";
import { ReadyBadge } from "../ready.tsx";
import { BusyState, VmState } from "../list/vm_row.tsx";
import { VmActions, type VmActionsProps } from "./menu.tsx";

/** Props of the head. */
export interface VmHeadProps extends VmActionsProps {
  /** The operation that is working on the VM. */
  readonly busy: Busy | null;
  /** Whether it answers; null when nobody waited for it, or it is off. */
  readonly ready: Readiness | null;
  /** When the VM was read, while the NAS is not connected; in milliseconds since 1970 (UTC), otherwise null. */
  readonly staleSince: number | null;
}

/** The head. */
export function VmHead({ current, ...head }: VmHeadProps & { readonly current: VmTab }) {
  const { vm } = head;
  const type = typeOf(vm.name);
  return (
    <>
      <nav class="trail" aria-label="Breadcrumb">
        <a href={paths.home()}>VMs</a>
        {type === null ? null : (
          <>
            <span aria-hidden="true">/</span>
            <a href={paths.home({ type })} dir="auto">{type}</a>
          </>
        )}
      </nav>
      <div class="page-head vm-head">
        <div class="title">
          <h1 dir="auto">{vm.name}</h1>
          <VmStateLine {...head} />
        </div>
        <VmActions {...head} />
      </div>
      <VmTabs vm={vm} current={current} />
      <div id="vm-gone" class="notices" />
    </>
  );
}

/** The state, and how old it is; live updates replace it. */
export function VmStateLine(
  { vm, busy, ready, staleSince }: Pick<VmHeadProps, "vm" | "busy" | "ready" | "staleSince">,
) {
  return (
    <span id="vm-state" data-vm={vm.name} data-state={vm.state}>
      {busy === null ? <VmState state={vm.state} /> : <BusyState busy={busy} />}
      <ReadyBadge ready={ready} />
      {staleSince === null ? null : (
        <span class="warn tone" data-stale="true">
          as of <Time at={staleSince} />
        </span>
      )}
    </span>
  );
}

/** The tabs with their counts; live updates replace them. */
export function VmTabs({ vm, current }: { vm: Vm; current: VmTab }) {
  const tab = (of: VmTab, label: string, count?: number) => (
    <a
      id={`tab-${of}`}
      href={paths.vm(vm.id, of)}
      aria-current={of === (current === "clone" ? "overview" : current) ? "page" : undefined}
    >
      {label}
      {count === undefined ? null : <small>{count}</small>}
    </a>
  );
  return (
    <nav class="tabs" id="vm-tabs" aria-label={vm.name}>
      {tab("overview", "Overview")}
      {tab("disks", "Disks", vm.disks.length)}
      {tab("network", "Network", vm.nics.length)}
      {tab("boot", "Boot and media")}
      {tab("console", "Console")}
      {tab("checkpoints", "Checkpoints")}
      {tab("history", "History")}
    </nav>
  );
}

/** Shown when the VM is removed while its page is open. */
export function VmGone() {
  return (
    <div id="vm-gone" class="notices">
      <Notice tone="warn">
        <p>
          <strong>This VM no longer exists.</strong> It was removed from the NAS after you opened this page.
          {" "}
          <a href={paths.home()}>Go to VMs</a>
        </p>
      </Notice>
    </div>
  );
}
