/** One VM: its head, and the tab that the address names. */
import type { Checkpoint } from "../../../lib/checkpoints/checkpoint.ts";
import type { Reading } from "../../../lib/inventory/inventory.ts";
import { VmCheckpoints } from "../checkpoints/vm_checkpoints.tsx";
import type { Problem } from "../../../lib/errors/errors.ts";
import type { AuditEntry } from "../../../lib/observability/audit_entry.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Notice, Time, ViewerNotice, Warning } from "../../parts/common.tsx";
import type { CreateChoices, Typed } from "../../parts/vm/vm_forms.tsx";
import { VmClone } from "./vm_clone.tsx";
import { VmBoot } from "../../parts/vm/devices/boot.tsx";
import type { VmLineage } from "../../../lib/images/listing/lineage.ts";
import { VmDisks } from "../../parts/vm/devices/disks.tsx";
import { DevicesChanged } from "../../parts/vm/devices/device.tsx";
import { VmHead } from "../../parts/vm/head.tsx";
import { VmHistory } from "../../parts/vm/history.tsx";
import { VmNetwork } from "../../parts/vm/devices/network.tsx";
import { devicesOf, type VmNowProps } from "../../parts/vm/now.ts";
import { VmOverview } from "../../parts/vm/overview.tsx";
import { paths, type VmTab } from "../../paths.ts";

/** A change that was made. */
export interface Saved {
  /** Its kind. */
  readonly what: string;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
  /** The VM is in use, so the change takes effect at its next start. */
  readonly waits: boolean;
}

const SAVED: Readonly<Record<string, string>> = {
  settings: "Settings saved",
  "add-disk": "Disk added",
  "grow-disk": "Disk grown",
  "add-nic": "NIC added",
  "attach-iso": "Image attached",
  "boot-first": "Boot order saved",
  "remove-device": "Device removed",
};

/** A tab of this page; the console has its own. */
export type VmPageTab = Exclude<VmTab, "console">;

/** Props of the page. */
export interface VmPageProps {
  readonly frame: PageFrame;
  readonly tab: VmPageTab;
  readonly now: VmNowProps;
  /** The VM's newest lines of the audit log, and how many there are. */
  readonly audit: { readonly entries: readonly AuditEntry[]; readonly total: number };
  readonly choices: CreateChoices;
  /** The checkpoints that the VM is part of; read only for their tab and for a clone. */
  readonly checkpoints: Reading<readonly Checkpoint[]>;
  /** Which image its first disk comes from, and what was cloned from its disks; read only for the tab of disks. */
  readonly lineage: VmLineage;
  /** Attached images that no longer exist on the NAS. */
  readonly missingImages: readonly string[];
  /** Fingerprint of the settings the form was filled in from. */
  readonly shown: string;
  readonly notice: string | null;
  readonly saved: Saved | null;
  readonly problems: readonly Problem[];
  readonly typed: Typed | null;
}

/** The page. */
export function VmPage(page: VmPageProps) {
  const { frame, tab, now, missingImages, notice, saved, problems } = page;
  const { vm } = now;
  const title = TITLES[tab] === null ? vm.name : `${TITLES[tab]} of ${vm.name}`;
  const stream = paths.vmEvents(vm.id, tab, devicesOf(vm, tab));
  return (
    <Layout {...frame} title={title} current="vms" stream={stream}>
      <VmHead {...now} current={tab} />
      <Warning text={notice} />
      {saved === null ? null : <SavedNotice {...saved} />}
      {missingImages.map((path) => <MissingImage path={path} isStopped={vm.state === "STOPPED"} />)}
      <ErrorSummary problems={problems} />
      <DevicesChanged isShown={false} vm={vm} tab={tab} />
      <Tab {...page} />
    </Layout>
  );
}

const TITLES = {
  overview: null,
  disks: "Disks",
  network: "Network",
  boot: "Boot and media",
  checkpoints: "Checkpoints",
  history: "History",
  clone: "Clone",
} as const satisfies Record<VmPageTab, string | null>;

function Tab({ tab, now, audit, checkpoints, lineage, problems, typed, choices, shown }: VmPageProps) {
  const { vm, mayChange } = now;
  const form = { vm, problems, typed, choices, shown };
  switch (tab) {
    case "overview":
      return <VmOverview now={now} form={form} />;
    case "disks":
      return <VmDisks form={form} lineage={lineage} mayChange={mayChange} />;
    case "network":
      return <VmNetwork form={form} mayChange={mayChange} />;
    case "boot":
      return <VmBoot form={form} mayChange={mayChange} />;
    case "checkpoints":
      return <VmCheckpoints vm={vm} checkpoints={checkpoints} mayChange={mayChange} />;
    case "history":
      return <VmHistory vm={vm} operations={now.operations} {...audit} now={now.now} />;
    case "clone":
      return mayChange ? <VmClone form={form} checkpoints={checkpoints} /> : <ViewerNotice />;
  }
}

function SavedNotice({ what, at, waits }: Saved) {
  const words = SAVED[what] ?? "Change saved";
  return (
    <Notice tone="good" id="saved" role="status">
      <p>
        <strong>{words}</strong> at <Time at={at} />.{waits
          ? ` The VM is in use, so ${
            what === "settings" ? "the new vCPUs and memory take" : "this takes"
          } effect at its next start. Restart it here, or stop and start it; a reboot inside the guest is not enough.`
          : ""}
      </p>
    </Notice>
  );
}

/** TrueNAS does not start a VM while an image is missing. */
function MissingImage({ path, isStopped }: { readonly path: string; readonly isStopped: boolean }) {
  return (
    <div data-missing-image={path}>
      <Notice tone="warn">
        <p>
          <strong>
            The attached image <code>{path}</code> no longer exists on the NAS.
          </strong>{" "}
          {isStopped
            ? "TrueNAS cannot start the VM without it. Remove the install image from the VM, or put the file back."
            : "The VM keeps running, but TrueNAS cannot start it again without the image. Put the file back, or shut the VM down and remove its install image."}
        </p>
      </Notice>
    </div>
  );
}
