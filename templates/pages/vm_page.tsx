/** One VM with all that is known of it, and the forms that change it. */
import type { Problem } from "../../lib/errors.ts";
import { Layout } from "../layout.tsx";
import { ErrorSummary, Notice } from "../parts/common.tsx";
import { BootForm, CloneForm, DiskForms, NicAndMediaForms, SettingsForm } from "../parts/vm_forms.tsx";
import { VmNow } from "../parts/vm_now.tsx";
import { paths } from "../paths.ts";
import type { CreateChoices, PageFrame, Typed, VmNowProps } from "../props.ts";

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
  readonly problems: readonly Problem[];
  readonly typed: Typed | null;
}

/** The page. */
export function VmPage(
  { frame, now, choices, missingImages, shown, notice, problems, typed }: VmPageProps,
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
