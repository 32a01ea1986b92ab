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
  /** What the form of settings is filled in against. */
  readonly shown: string;
  readonly notice: string | null;
  readonly problems: readonly Problem[];
  readonly typed: Typed | null;
}

/** The page. */
export function VmPage({ frame, now, choices, shown, notice, problems, typed }: VmPageProps) {
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
