/** Set-up: connecting a NAS in a few steps. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { ErrorSummary } from "../../parts/common.tsx";
import { Layout, type PageFrame } from "../../layout.tsx";
import { paths } from "../../paths.ts";
import { type AccountProps, AccountStep } from "./account_step.tsx";
import {
  type AddressProps,
  AddressStep,
  type CertificateProps,
  CertificateStep,
  ProtectStep,
} from "./connect_steps.tsx";
import { type PlaceProps, PlaceStep } from "./place_step.tsx";
import { type Step, type StepName, Steps } from "./steps.tsx";

/** The form of the current step. */
export type CurrentStep =
  | { readonly name: "protect" }
  | { readonly name: "address"; readonly address: AddressProps }
  | { readonly name: "certificate"; readonly certificate: CertificateProps }
  | { readonly name: "account"; readonly account: AccountProps }
  | { readonly name: "place"; readonly place: PlaceProps };

/** Props of the page. */
export interface SetupProps {
  readonly frame: PageFrame;
  readonly current: CurrentStep;
  /** Notes of the finished steps. */
  readonly notes: Readonly<Partial<Record<StepName, string>>>;
  /** Whether the dashboard's own password is the first step. */
  readonly protects: boolean;
  /** Whether a NAS is connected already, so that set-up can be left. */
  readonly canLeave: boolean;
  readonly problems: readonly Problem[];
}

const STEPS: readonly { readonly name: StepName; readonly title: string; readonly later: string }[] = [
  { name: "protect", title: "Protect the dashboard", later: "A password for this page" },
  { name: "address", title: "Find your NAS", later: "Its name or IP address" },
  { name: "certificate", title: "Trust its certificate", later: "" },
  { name: "account", title: "Sign in", later: "An API key, or user name and password" },
  { name: "place", title: "Choose a place and an image", later: "Where disks go, and what VMs boot from" },
];

const COUNTS = ["No", "One", "Two", "Three", "Four", "Five"] as const;

/** The page. */
export function SetupPage({ frame, current, notes, protects, canLeave, problems }: SetupProps) {
  const shown = STEPS.filter(({ name }) => name !== "protect" || protects);
  const here = shown.findIndex(({ name }) => name === current.name);
  const steps = shown.map(({ name, title, later }, index): Step => ({
    name,
    title,
    note: index < here ? notes[name] ?? "" : later,
    status: index < here ? "past" : index === here ? "here" : "later",
    change: name === "protect" ? null : paths.setup({ change: name }),
  }));
  return (
    <Layout {...frame} title="Connect your NAS" current={null} closed>
      <div class="calm" id="setup" data-setup={current.name}>
        <header>
          <h1>{canLeave ? "Change the connection" : "Connect your NAS"}</h1>
          <p class="soft">
            {COUNTS[shown.length]} steps, about two minutes. Nothing on the NAS is changed.
            {canLeave ? " The present connection stays until you finish." : ""}
          </p>
        </header>
        <ErrorSummary problems={problems} />
        <Steps steps={steps}>
          <StepForm current={current} problems={problems} />
        </Steps>
        {canLeave
          ? (
            <form method="post" action={paths.setupStep("leave")}>
              <button class="btn plain" type="submit">Keep the present connection</button>
            </form>
          )
          : null}
      </div>
    </Layout>
  );
}

function StepForm({ current, problems }: Pick<SetupProps, "current" | "problems">) {
  switch (current.name) {
    case "protect":
      return <ProtectStep problems={problems} />;
    case "address":
      return <AddressStep {...current.address} problems={problems} />;
    case "certificate":
      return <CertificateStep {...current.certificate} />;
    case "account":
      return <AccountStep {...current.account} problems={problems} />;
    case "place":
      return <PlaceStep {...current.place} problems={problems} />;
  }
}
