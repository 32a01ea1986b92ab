/** The form that creates: first it shows the plan, then the same fields make it so. */
import type { OnFailure } from "../../lib/configuration/on_failure.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { formatCount } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import { Choice, Choices, ErrorSummary, Field, Notice, Tick, ViewerNotice } from "../parts/common.tsx";
import { PlanView } from "../parts/plan_view.tsx";
import { MissingRoles } from "../parts/connection.tsx";
import { paths } from "../paths.ts";
import type { CreateForm, CreateFormType, CreateProps, PageFrame } from "../props.ts";

const BRIDGES = "bridge-choices";
const ISOS = "iso-choices";
const DATASETS = "dataset-choices";

/** The page. */
export function CreatePage({ frame, create }: { frame: PageFrame; create: CreateProps }) {
  const { form, plan, problems, choices, token, notice } = create;
  return (
    <Layout {...frame} title="Create VMs" current="create">
      <h1>Create VMs</h1>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      {frame.mayChange ? null : <ViewerNotice />}
      {form === null || !frame.mayChange
        ? null
        : (
          <form method="post" action={paths.createPlan()} class="create">
            {/* The first button is the one that Enter presses: it must never be the one that creates. */}
            <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">
              Show the plan
            </button>
            {plan === null ? null : <PlanView plan={plan} />}
            {plan === null || token === null || plan.totals.vms === 0
              ? null
              : <Confirm plan={plan} token={token} lacks={frame.lacks} />}
            <StorageFields form={form} problems={problems} />
            {form.types.map((type) => <TypeFields type={type} problems={problems} />)}
            <Choices id={BRIDGES} choices={choices.bridges} />
            <Choices id={ISOS} choices={choices.isos} />
            <Choices id={DATASETS} choices={choices.datasets} />
            <p class="actions">
              <button type="submit" class={plan === null ? "primary" : undefined} id="show-plan">
                {plan === null ? "Show the plan" : "Show the plan again"}
              </button>
              <span class="help">Nothing is changed on the NAS until you confirm the plan.</span>
            </p>
          </form>
        )}
    </Layout>
  );
}

const FAILURE_CHOICES = {
  "roll-back": "Roll it back; the others go on",
  keep: "Keep it for inspection",
  stop: "Roll it back and begin no further VM",
} as const satisfies Record<OnFailure, string>;

interface ConfirmProps {
  readonly plan: NonNullable<CreateProps["plan"]>;
  readonly token: string;
  readonly lacks: readonly string[];
}

function Confirm({ plan, token, lacks }: ConfirmProps) {
  return (
    <>
      <p class="actions">
        <input type="hidden" name="token" value={token} />
        <input type="hidden" name="plan" value={plan.fingerprint} />
        <button type="submit" class="primary" formaction={paths.create()} id="confirm-create">
          Create {formatCount(plan.totals.vms, "VM")}
        </button>
      </p>
      <MissingRoles lacks={lacks} />
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
          help="A file below /mnt, in a dataset"
        />
      </div>
    </fieldset>
  );
}

function TypeFields({ type, problems }: { type: CreateFormType; problems: readonly Problem[] }) {
  const name = (field: string) => `${type.name}.${field}`;
  const disks = [...type.disks, { name: "", sizeGib: "" }];
  const networks = [...type.networks, { name: "", bridge: "", macs: "" }];
  return (
    <fieldset id={`type-${type.name}`}>
      <legend>{type.name}</legend>
      <div class="fields">
        <Field
          name={name("count")}
          label="Count"
          value={type.count}
          problems={problems}
          numeric
          help="0 to 99"
        />
        <Field name={name("memory")} label="Memory (MiB)" value={type.memory} problems={problems} numeric />
        <Field name={name("cpu")} label="vCPUs" value={type.cpu} problems={problems} numeric help="In all" />
        <Field
          name={name("threads")}
          label="Threads per core"
          value={type.threads}
          problems={problems}
          numeric
          help="1 if empty"
        />
      </div>
      <div class="ticks">
        <Tick name={name("start")} label="Start when made" ticked={type.start} />
        <Tick name={name("autostart")} label="Start with the NAS" ticked={type.autostart} />
        <Tick
          name={name("overcommit")}
          label="Start even if memory does not suffice"
          ticked={type.overcommit}
        />
        <Tick
          name={name("sparse")}
          label="Sparse zvols: take space only as it is written"
          ticked={type.sparse}
        />
      </div>
      <Field name={name("description")} label="Description" value={type.description} problems={problems} />
      <div class="fields">
        <Field
          name={name("parallel")}
          label="VMs at a time"
          value={type.parallel}
          problems={problems}
          numeric
          help="As many as the NAS takes if empty"
        />
        <Choice
          name={name("on_failure")}
          label="If a VM fails"
          value={type.onFailure}
          choices={FAILURE_CHOICES}
          problems={problems}
        />
      </div>
      {type.overrides.length === 0 ? null : (
        <p class="help">
          The configuration overrides the templates here: {type.overrides.join(", ")}.
        </p>
      )}
      <div class="columns">
        <div role="group" aria-label={`Disks of ${type.name}`}>
          <p class="subhead" aria-hidden="true">Disks</p>
          {disks.map((disk, n) => (
            <div class="pair">
              <Field name={name(`disk.${n}.name`)} label="Name" value={disk.name} problems={problems} />
              <Field
                name={name(`disk.${n}.size`)}
                label="Size (GiB)"
                value={disk.sizeGib}
                problems={problems}
                numeric
              />
            </div>
          ))}
          <p class="help">Fill the empty row for one more; empty a row to leave it out.</p>
        </div>
        <div role="group" aria-label={`Networks of ${type.name}`}>
          <p class="subhead" aria-hidden="true">Networks</p>
          {networks.map((network, n) => (
            <div class="pair">
              <Field name={name(`network.${n}.name`)} label="Name" value={network.name} problems={problems} />
              <Field
                name={name(`network.${n}.bridge`)}
                label="Bridge"
                value={network.bridge}
                problems={problems}
                list={BRIDGES}
              />
              <Field
                name={name(`network.${n}.macs`)}
                label="MACs"
                value={network.macs}
                problems={problems}
              />
            </div>
          ))}
          <p class="help">
            Without MACs each VM gets one that stays the same when it is made again. To fix them, list one for
            each VM, between spaces.
          </p>
        </div>
      </div>
    </fieldset>
  );
}
