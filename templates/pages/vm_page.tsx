/** One VM: its facts, and the forms that change it. */
import type { Problem } from "../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary, Notice, Time, VmTrail, Warning } from "../parts/common.tsx";
import {
  BootForm,
  CloneForm,
  type CreateChoices,
  DiskForms,
  NicAndMediaForms,
  SettingsForm,
  type Typed,
} from "../parts/vm_forms.tsx";
import { VmNow, type VmNowProps } from "../parts/vm_now.tsx";
import { paths } from "../paths.ts";

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

/** Props of the page. */
export interface VmPageProps {
  readonly frame: PageFrame;
  readonly now: VmNowProps;
  readonly choices: CreateChoices;
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
export function VmPage(
  { frame, now, choices, missingImages, shown, notice, saved, problems, typed }: VmPageProps,
) {
  const { vm } = now;
  const form = { vm, problems, typed, choices, shown };
  return (
    <Layout {...frame} title={vm.name} current="vms" stream={paths.vmEvents(vm.id)}>
      <VmTrail />
      <h1 dir="auto">{vm.name}</h1>
      <Warning text={notice} />
      {saved === null ? null : <SavedNotice {...saved} />}
      {missingImages.map((path) => <MissingImage path={path} isStopped={vm.state === "STOPPED"} />)}
      <ErrorSummary problems={problems} />
      <VmNow {...now} />
      {frame.mayChange
        ? (
          <>
            <h2>Change this VM</h2>
            <SettingsForm {...form} />
            <DiskForms {...form} />
            <BootForm {...form} />
            <NicAndMediaForms {...form} />
            <CloneForm {...form} />
          </>
        )
        : null}
    </Layout>
  );
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
