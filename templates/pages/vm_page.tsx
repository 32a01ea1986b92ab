/** One VM with all that is known of it, and the forms that change it. */
import type { Problem } from "../../lib/errors/errors.ts";
import { Layout } from "../layout.tsx";
import { ErrorSummary, Notice, Time } from "../parts/common.tsx";
import { BootForm, CloneForm, DiskForms, NicAndMediaForms, SettingsForm } from "../parts/vm_forms.tsx";
import { VmNow } from "../parts/vm_now.tsx";
import { paths } from "../paths.ts";
import type { CreateChoices, PageFrame, Typed, VmNowProps } from "../props.ts";

/** A change that was made. */
export interface Saved {
  /** Its kind. */
  readonly what: string;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
  /** The VM is in use, and sees it when it starts the next time. */
  readonly waits: boolean;
}

const SAVED: Readonly<Record<string, string>> = {
  settings: "The settings were saved",
  "add-disk": "The disk was added",
  "grow-disk": "The disk was grown",
  "add-nic": "The NIC was added",
  "attach-iso": "The image was attached",
  "boot-first": "The boot order was saved",
  "remove-device": "The device was removed",
};

/** What the page is given. */
export interface VmPageProps {
  readonly frame: PageFrame;
  readonly now: VmNowProps;
  readonly choices: CreateChoices;
  /** Images that it has and that are not on the NAS. */
  readonly missingImages: readonly string[];
  /** What the form of settings is filled in against. */
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
      <p class="trail">
        <a href={paths.home()}>VMs</a>
      </p>
      <h1 dir="auto">{vm.name}</h1>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      {saved === null ? null : <SavedNotice {...saved} />}
      {missingImages.map((path) => <MissingImage path={path} isStopped={vm.state === "STOPPED"} />)}
      <ErrorSummary problems={problems} />
      <VmNow {...now} />
      {frame.mayChange
        ? (
          <>
            <h2>Change</h2>
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
  const words = SAVED[what] ?? "The change was saved";
  return (
    <div class="notice tone-good" id="saved" role="status">
      <p>
        <strong>{words}</strong> at <Time at={at} />.{waits
          ? ` The VM is in use, so ${
            what === "settings" ? "the new vCPUs and memory take" : "this takes"
          } effect when it starts the next time. Restart it here, or stop and start it; a reboot inside the guest is not enough.`
          : ""}
      </p>
    </div>
  );
}

/** TrueNAS does not start a VM while an image is missing. */
function MissingImage({ path, isStopped }: { readonly path: string; readonly isStopped: boolean }) {
  return (
    <div data-missing-image={path}>
      <Notice tone="warn">
        <p>
          <strong>
            The attached image <code>{path}</code> is not on the NAS any more.
          </strong>{" "}
          {isStopped
            ? "TrueNAS does not start the VM without it. Detach the image, or put the file back."
            : "The VM runs on, and TrueNAS does not start it again without it. Put the file back, or detach the image once the VM is stopped."}
        </p>
      </Notice>
    </div>
  );
}
