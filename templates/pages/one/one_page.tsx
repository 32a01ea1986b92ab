/** The form of one VM, which is created without a VM type; it fits on one screen. */
import { formatCount } from "../../../lib/units.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import type { CreationPlan } from "../../../lib/plan/types.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Field, Notice, Tick, ViewerNotice, Warning } from "../../parts/common.tsx";
import type { CapacityView } from "../../parts/capacity.tsx";
import { Confirm, Flow } from "../../parts/create_steps.tsx";
import { Icon } from "../../parts/icons.tsx";
import { PlanView } from "../../parts/plan/plan_view.tsx";
import { ImageChoice } from "../../parts/type_form/image_fields.tsx";
import { AdvancedFields } from "../../parts/type_form/advanced_fields.tsx";
import { PartFields, SizeFields } from "../../parts/type_form/fields.tsx";
import type { CreateFormType } from "../../parts/type_form/form.ts";
import type { FormPlace } from "../../parts/type_form/inputs.tsx";
import { DatasetField, ImageField } from "../../parts/type_form/storage_fields.tsx";
import { type Totals, TotalsCard } from "../../parts/type_form/totals.tsx";
import type { CreateChoices } from "../../parts/vm/vm_forms.tsx";
import { paths } from "../../paths.ts";

/** The form, as typed. */
export interface OneForm {
  readonly pool_path: string;
  readonly cdrom_path: string;
  /** Its name is the VM's, and its count is 1. */
  readonly type: CreateFormType;
  /** A row for a disk or a network that is not filled in yet. */
  readonly spare: "disk" | "network" | null;
}

/** The VM that the form was filled in from. */
export interface LikeVm {
  readonly vm: Vm;
  /** Its type, when the configuration has it, and whether that type overrides template values. */
  readonly type: { readonly name: string; readonly hasOverrides: boolean } | null;
}

/** What is copied from a checkpoint of that VM. */
export interface CopiedVm {
  /** Its name. */
  readonly checkpoint: string;
  /** Whether the VM was running when it was taken. */
  readonly wasRunning: boolean;
  /** Disks and install images that are not taken along. */
  readonly left: readonly string[];
}

/** The state of the page. */
export interface OnePageProps {
  readonly form: OneForm;
  readonly like: LikeVm | null;
  /** The checkpoint that the disks are to be copied from; null when they are new and empty. */
  readonly checkpoint: string | null;
  /** What it has of the VM; null when nothing is copied, or nothing can be. */
  readonly copy: CopiedVm | null;
  /** Null until requested. */
  readonly plan: CreationPlan | null;
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  readonly totals: Totals;
  /** What the NAS has and uses; null while it is not known. */
  readonly capacity: CapacityView | null;
  readonly token: string | null;
  readonly notice: string | null;
}

/** The buttons of the form. */
const PLACE: FormPlace = { prefix: "", id: "one-form", action: paths.createOneForm };

/** The page. */
export function OnePage({ frame, page }: { frame: PageFrame; page: OnePageProps }) {
  const { like, plan, problems, notice, checkpoint, copy } = page;
  const isPlanned = plan !== null && problems.length === 0;
  return (
    <Layout {...frame} title="Create one VM" current="create">
      <div class="page-head">
        <div class="title">
          <h1>{isPlanned ? "Review the plan" : "Create one VM"}</h1>
          {like === null ? null : (
            <span class="soft">
              {checkpoint === null ? "like" : "copied from"}{" "}
              <a href={paths.vm(like.vm.id)} dir="auto">{like.vm.name}</a>
            </span>
          )}
        </div>
        <Flow step={isPlanned ? 2 : 1} />
      </div>
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {frame.mayChange ? null : <ViewerNotice />}
      {like === null || isPlanned || !frame.mayChange || checkpoint !== null
        ? null
        : <LikeNotice {...like} />}
      {like === null || copy === null || !frame.mayChange ? null : <CopyNotice vm={like.vm} {...copy} />}
      {frame.mayChange ? <Form frame={frame} page={page} isPlanned={isPlanned} /> : null}
    </Layout>
  );
}

function Form(
  { frame, page, isPlanned }: { frame: PageFrame; page: OnePageProps; isPlanned: boolean },
) {
  const { like, plan, token } = page;
  return (
    <form method="post" action={paths.createOnePlan()} id={PLACE.id} class="create stack">
      {/* Enter presses the first button, which must therefore never be the one that creates. */}
      <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">
        Review the plan
      </button>
      {/* The form of a VM type, which can be filled in from this one, has these fields too. */}
      <input type="hidden" name="change" value="type" />
      <input type="hidden" name="count" value="1" />
      {like === null ? null : <input type="hidden" name="like" value={like.vm.id} />}
      {page.checkpoint === null ? null : <input type="hidden" name="checkpoint" value={page.checkpoint} />}
      {plan === null ? null : <PlanView plan={plan} capacity={page.capacity} />}
      {plan === null || token === null || plan.totals.vms === 0 ? null : (
        <Confirm
          plan={plan}
          token={token}
          missingRoles={frame.missingRoles}
          help="You can stop and undo at any time."
          verb={`Create ${page.form.type.name}`}
          action={paths.createOne()}
          startOver={paths.createOne()}
        />
      )}
      {isPlanned
        ? (
          <details class="card fold" id="declared">
            <summary>
              <Icon name="chevron" />
              <b>Change the VM</b>
              <span>Name, size, disks and networks; then update the plan</span>
            </summary>
            <div class="body stack">
              <Described page={page} isUpdate />
            </div>
          </details>
        )
        : <Described page={page} isUpdate={plan !== null} />}
    </form>
  );
}

/** What is described, with what it takes beside it. */
function Described({ page, isUpdate }: { page: OnePageProps; isUpdate: boolean }) {
  return (
    <div class="columns type-form">
      <VmCard page={page} />
      <aside class="stack">
        <TotalsCard
          totals={page.totals}
          place={PLACE}
          action={isUpdate ? "Update the plan" : "Review the plan"}
          help="Nothing changes on the NAS until you confirm the plan."
        />
        {page.checkpoint === null ? <SaveAsType /> : null}
      </aside>
    </div>
  );
}

function SaveAsType() {
  return (
    <p class="save-type">
      <button
        type="submit"
        class="btn plain sm"
        name="as"
        value="type"
        id="save-as-type"
        formaction={paths.typeForm()}
        formnovalidate
      >
        <Icon name="copy" />Save as a VM type…
      </button>
      <span class="help">To create more of them later</span>
    </p>
  );
}

function VmCard({ page }: { page: OnePageProps }) {
  const { form, problems, choices } = page;
  const { type } = form;
  const fields = { type, problems, place: PLACE };
  return (
    <section class="card type-card" aria-label="The VM">
      <div class="body stack">
        <div class="fields-2">
          <Field
            name="name"
            label="Name"
            value={type.name}
            problems={problems}
            help="Letters, digits and underscores, for example db01"
          />
          <ImageField storage={form} choices={choices} problems={problems} />
        </div>
        <SizeFields {...fields} legend="Size" cpuHelp="In all" />
        {page.checkpoint === null ? <ImageChoice {...fields} choices={choices} /> : null}
        <PartFields {...fields} choices={choices} spare={form.spare} />
        <div class="fields-2">
          <DatasetField storage={form} choices={choices} problems={problems} />
          <div class="start-now">
            <Tick name="start" label="Start once created" ticked={type.start} />
          </div>
        </div>
      </div>
      <AdvancedFields {...fields} choices={choices} isOne />
    </section>
  );
}

/** What a copy has of the VM, and what it has not. */
function CopyNotice({ vm, checkpoint, wasRunning, left }: CopiedVm & { readonly vm: Vm }) {
  const others = [...left, ...vm.others.map(({ dtype, what }) => what === "" ? dtype : `${dtype} ${what}`)];
  return (
    <Notice tone="quiet" id="copy">
      <p>
        The disks are copies of <b dir="auto">{vm.name}</b> as it was in the checkpoint{" "}
        <b>{checkpoint}</b>; disks that you add are empty. MAC addresses, display port and uuid are new.
        {wasRunning ? " The VM was running then, so its disks are as after a power failure." : ""}
      </p>
      <p>
        The system on them is the same, with its host name, keys and fixed addresses. Change those before both
        VMs are in one network.
      </p>
      <p>
        The copies need the checkpoint. While they exist, it cannot be removed, and {vm.name}{" "}
        cannot be rolled back to an earlier one or destroyed with its disks.
      </p>
      {others.length === 0 ? null : <p>Not copied: {others.join(", ")}.</p>}
    </Notice>
  );
}

/** What was taken over from a VM, and what was not. */
function LikeNotice({ vm, type }: LikeVm) {
  const hasImage = vm.cdroms.length > 0;
  const unknown = vm.disks.filter(({ sizeBytes }) => sizeBytes === null).length;
  const others = vm.others.map(({ dtype, what }) => what === "" ? dtype : `${dtype} ${what}`);
  return (
    <Notice tone="quiet" id="like">
      <p>
        {hasImage ? "Size, disk sizes, networks and install image" : "Size, disk sizes and networks"}{" "}
        are those of{" "}
        <b dir="auto">{vm.name}</b>. Disks are new and empty, and MAC addresses are new. To copy the data as
        well, <a href={paths.vm(vm.id, "clone")}>clone it</a>.
      </p>
      {unknown === 0 ? null : <p>The size of {formatCount(unknown, "disk")} is unknown. Enter it below.</p>}
      {hasImage ? null : <p>It has no install image, so the configured one is filled in.</p>}
      {others.length === 0 ? null : <p>Not copied: {others.join(", ")}.</p>}
      {type === null ? null : (
        <p>
          {type.hasOverrides
            ? `VM type ${type.name} overrides template values, which this VM does not get. `
            : ""}
          To create more VMs of type {type.name}, <a href={paths.create()}>raise its count</a> instead.
        </p>
      )}
    </Notice>
  );
}
