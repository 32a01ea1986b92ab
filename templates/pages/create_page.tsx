/** The creation form: it shows the plan first, and creates the VMs once the plan is confirmed. */
import type { OnFailure } from "../../lib/configuration/on_failure.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { Choice, Choices, ErrorSummary, Field, Tick, ViewerNotice, Warning } from "../parts/common.tsx";
import { Icon } from "../parts/icons.tsx";
import { PlanView } from "../parts/plan_view.tsx";
import { MissingRoles } from "../parts/connection.tsx";
import { paths } from "../paths.ts";
import type { CreationPlan } from "../../lib/plan/types.ts";
import type { CreateChoices } from "../parts/vm_forms.tsx";

/** A disk's row, as typed. */
export interface DiskRow {
  readonly name: string;
  readonly sizeGib: string;
}

/** A network's row, as typed. */
export interface NetworkRow {
  readonly name: string;
  readonly bridge: string;
  /** Fixed MACs, separated by commas or spaces; if empty, MACs are derived. */
  readonly macs: string;
}

/** One VM type in the form, as typed. */
export interface CreateFormType {
  readonly name: string;
  readonly count: string;
  readonly memory: string;
  readonly cpu: string;
  readonly threads: string;
  readonly start: boolean;
  readonly autostart: boolean;
  readonly overcommit: boolean;
  readonly sparse: boolean;
  readonly description: string;
  readonly parallel: string;
  readonly onFailure: string;
  /** Keys that the configuration file overrides in the templates; the form keeps them. */
  readonly overrides: readonly string[];
  readonly disks: readonly DiskRow[];
  readonly networks: readonly NetworkRow[];
}

/** The creation form, as typed. */
export interface CreateForm {
  readonly pool_path: string;
  readonly cdrom_path: string;
  readonly types: readonly CreateFormType[];
}

/** The state of the page. */
export interface CreateProps {
  /** Null if the configuration cannot be read. */
  readonly form: CreateForm | null;
  /** Null until requested. */
  readonly plan: CreationPlan | null;
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  readonly token: string | null;
  readonly notice: string | null;
}

const BRIDGES = "bridge-choices";
const ISOS = "iso-choices";
const DATASETS = "dataset-choices";

/** The page. */
export function CreatePage({ frame, create }: { frame: PageFrame; create: CreateProps }) {
  const { form, plan, problems, choices, token, notice } = create;
  // With problems, the fields are what the person needs next.
  const isPlanned = plan !== null && problems.length === 0;
  const fields = form === null ? null : <Declared form={form} problems={problems} isUpdate={plan !== null} />;
  return (
    <Layout {...frame} title="Create VMs" current="create">
      <div class="page-head">
        <div class="title">
          <h1>{isPlanned ? "Review the plan" : "Create VMs"}</h1>
          {frame.mayChange && form !== null && !isPlanned
            ? <a class="btn sm" href={paths.types()}>Edit VM types</a>
            : null}
        </div>
        <Flow step={isPlanned ? 2 : 1} />
      </div>
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {frame.mayChange ? null : <ViewerNotice />}
      {form === null
        ? (
          <p class="actions">
            <a class="btn primary" href={paths.types()}>Open VM types</a>
          </p>
        )
        : null}
      {form === null || !frame.mayChange
        ? null
        : (
          <form method="post" action={paths.createPlan()} class="create stack">
            {/* Enter presses the first button, which must therefore never be the one that creates. */}
            <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">
              Review the plan
            </button>
            {plan === null ? null : <PlanView plan={plan} />}
            {plan === null || token === null || plan.totals.vms === 0
              ? null
              : <Confirm plan={plan} token={token} missingRoles={frame.missingRoles} />}
            {isPlanned
              ? (
                <details class="card fold" id="declared">
                  <summary>
                    <Icon name="chevron" />
                    <b>Change what is declared</b>
                    <span>Counts, sizes, disks and networks; then update the plan</span>
                  </summary>
                  <div class="body stack">{fields}</div>
                </details>
              )
              : fields}
            <Choices id={BRIDGES} choices={choices.bridges} />
            <Choices id={ISOS} choices={choices.isos} />
            <Choices id={DATASETS} choices={choices.datasets} />
          </form>
        )}
    </Layout>
  );
}

/** What is declared, and the button that leads to its plan. */
function Declared({ form, problems, isUpdate }: {
  readonly form: CreateForm;
  readonly problems: readonly Problem[];
  readonly isUpdate: boolean;
}) {
  return (
    <>
      <StorageFields form={form} problems={problems} />
      {form.types.map((type) => <TypeFields type={type} problems={problems} />)}
      <p class="actions">
        <button type="submit" class={isUpdate ? "btn" : "btn primary"} id="show-plan">
          {isUpdate ? "Update the plan" : "Review the plan"}
        </button>
        <span class="help">Nothing changes on the NAS until you confirm the plan.</span>
      </p>
    </>
  );
}

const FLOW = ["Describe", "Review the plan", "Watch"] as const;

/** Which of the three steps the page is. */
function Flow({ step }: { step: 1 | 2 }) {
  return (
    <ol class="flow" aria-label="Steps">
      {FLOW.map((label, n) => (
        <li class={n + 1 < step ? "past" : undefined} aria-current={n + 1 === step ? "step" : undefined}>
          <b>{n + 1 < step ? <Icon name="check" /> : n + 1}</b>
          <span>{label}</span>
        </li>
      ))}
    </ol>
  );
}

/** What can happen when a VM fails, in words. */
export const FAILURE_CHOICES = {
  "roll-back": "Roll it back and continue with the others",
  keep: "Keep it for inspection",
  stop: "Roll it back and start no more VMs",
} as const satisfies Record<OnFailure, string>;

interface ConfirmProps {
  readonly plan: NonNullable<CreateProps["plan"]>;
  readonly token: string;
  readonly missingRoles: readonly string[];
}

function Confirm({ plan, token, missingRoles }: ConfirmProps) {
  return (
    <>
      <div class="apply">
        <input type="hidden" name="token" value={token} />
        <input type="hidden" name="plan" value={plan.fingerprint} />
        <button type="submit" class="btn primary lg" formaction={paths.create()} id="confirm-create">
          Create {formatCount(plan.totals.vms, "VM")}
        </button>
        <span class="soft">Only missing parts are created, and you can stop and undo at any time.</span>
        <span class="end">
          <a class="btn" href={paths.create()}>Start over</a>
        </span>
      </div>
      <MissingRoles roles={missingRoles} />
    </>
  );
}

function StorageFields({ form, problems }: { form: CreateForm; problems: readonly Problem[] }) {
  return (
    <fieldset>
      <legend>Storage</legend>
      <div class="fields">
        <Field
          name="storage.pool_path"
          label="Dataset for zvols"
          value={form.pool_path}
          problems={problems}
          list={DATASETS}
          help="For example tank/vms"
        />
        <Field
          name="storage.cdrom_path"
          label="Install image"
          value={form.cdrom_path}
          problems={problems}
          list={ISOS}
          help="Full path, for example /mnt/tank/iso/debian.iso"
        />
      </div>
    </fieldset>
  );
}

function TypeFields({ type, problems }: { type: CreateFormType; problems: readonly Problem[] }) {
  const name = (field: string) => `${type.name}.${field}`;
  const field = (key: string) => ({ name: name(key), problems });
  const disks = [...type.disks, { name: "", sizeGib: "" }];
  const networks = [...type.networks, { name: "", bridge: "", macs: "" }];
  return (
    <fieldset id={`type-${type.name}`}>
      <legend>{type.name}</legend>
      <div class="fields">
        <Field {...field("count")} label="Count" value={type.count} numeric help="0 to 99" />
        <Field {...field("memory")} label="Memory (MiB)" value={type.memory} numeric />
        <Field {...field("cpu")} label="vCPUs" value={type.cpu} numeric help="Total per VM" />
        <Field
          {...field("threads")}
          label="Threads per core"
          value={type.threads}
          numeric
          help="1 if empty"
        />
      </div>
      <div class="ticks row">
        <Tick name={name("start")} label="Start after creation" ticked={type.start} />
        <Tick name={name("autostart")} label="Start when the NAS boots" ticked={type.autostart} />
        <Tick
          name={name("overcommit")}
          label="Start even if memory is short (overcommit)"
          ticked={type.overcommit}
        />
        <Tick
          name={name("sparse")}
          label="Sparse disks: use space only as data is written"
          ticked={type.sparse}
        />
      </div>
      <Field {...field("description")} label="Description" value={type.description} />
      <div class="fields">
        <Field
          {...field("parallel")}
          label="VMs at a time"
          value={type.parallel}
          numeric
          help="The NAS's limit if empty"
        />
        <Choice
          {...field("on_failure")}
          label="If a VM fails"
          value={type.onFailure}
          choices={FAILURE_CHOICES}
        />
      </div>
      {type.overrides.length === 0 ? null : (
        <p class="help">
          The configuration overrides these template values: {type.overrides.join(", ")}.
        </p>
      )}
      <div class="columns">
        <div role="group" aria-label={`Disks of ${type.name}`}>
          <p class="subhead" aria-hidden="true">Disks</p>
          {disks.map((disk, n) => (
            <div class="pair">
              <Field {...field(`disk.${n}.name`)} label="Name" value={disk.name} />
              <Field {...field(`disk.${n}.size`)} label="Size (GiB)" value={disk.sizeGib} numeric />
            </div>
          ))}
          <p class="help">Fill in the empty row to add a disk. Clear a row to remove its disk.</p>
        </div>
        <div role="group" aria-label={`Networks of ${type.name}`}>
          <p class="subhead" aria-hidden="true">Networks</p>
          {networks.map((network, n) => (
            <div class="pair">
              <Field {...field(`network.${n}.name`)} label="Name" value={network.name} />
              <Field {...field(`network.${n}.bridge`)} label="Bridge" value={network.bridge} list={BRIDGES} />
              <Field {...field(`network.${n}.macs`)} label="MACs" value={network.macs} />
            </div>
          ))}
          <p class="help">
            If MACs is empty, each VM gets a derived MAC that stays the same when the VM is created again. To
            choose MACs yourself, enter one per VM, separated by spaces.
          </p>
        </div>
      </div>
    </fieldset>
  );
}
