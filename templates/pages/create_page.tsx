/** The creation form: it shows the plan first, and creates the VMs once the plan is confirmed. */
import type { Problem } from "../../lib/errors/errors.ts";
import { formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary, ViewerNotice, Warning } from "../parts/common.tsx";
import type { CapacityView } from "../parts/capacity.tsx";
import { Icon } from "../parts/icons.tsx";
import { ImageChoice } from "../parts/type_form/image_fields.tsx";
import { FirstBootLine } from "../parts/type_form/first_boot_fields.tsx";
import { AdvancedFields } from "../parts/type_form/advanced_fields.tsx";
import { CountField, PartFields, SizeFields } from "../parts/type_form/fields.tsx";
import type { CreateFormType } from "../parts/type_form/form.ts";
import type { FormPlace } from "../parts/type_form/inputs.tsx";
import { StorageFields } from "../parts/type_form/storage_fields.tsx";
import { type Totals, TotalsCard } from "../parts/type_form/totals.tsx";
import { parseWholeNumber } from "../../lib/inputs.ts";
import { describeWork, workOf } from "../../lib/plan/work.ts";
import { AgentApproval, type Approving } from "../parts/plan/agent_approval.tsx";
import { PlanChoices } from "../parts/plan/plan_choices.tsx";
import type { PlanSelection } from "../parts/plan/selection.ts";
import { vmName } from "../../lib/inventory/names.ts";
import { PlanView } from "../parts/plan/plan_view.tsx";
import { Confirm, Flow } from "../parts/create_steps.tsx";
import { paths } from "../paths.ts";
import type { CreationPlan } from "../../lib/plan/types.ts";
import type { CreateChoices } from "../parts/vm/vm_forms.tsx";

/** The creation form, as typed. */
export interface CreateForm {
  readonly pool_path: string;
  readonly cdrom_path: string;
  readonly types: readonly CreateFormType[];
}

/** An empty row for a disk or a network of a type. */
export interface SpareRow {
  readonly type: string;
  readonly kind: "disk" | "network";
}

/** The state of the page. */
export interface CreateProps {
  /** Null if the configuration cannot be read. */
  readonly form: CreateForm | null;
  /** Null until requested. */
  readonly plan: CreationPlan | null;
  /** What is ticked in the plan; null without one. */
  readonly selection: PlanSelection | null;
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  /** A row that a button of the form added, or null. */
  readonly spare: SpareRow | null;
  readonly totals: Totals;
  /** What the NAS has; null while that is not known. */
  readonly capacity: CapacityView | null;
  readonly token: string | null;
  readonly notice: string | null;
  /** Whether agents may carry the plan out; null where none can. */
  readonly approving: Approving | null;
}

/** The page. */
export function CreatePage({ frame, create }: { frame: PageFrame; create: CreateProps }) {
  const { form, plan, selection, problems, token, notice } = create;
  // With problems, the fields are what the person needs next.
  const isPlanned = plan !== null && problems.length === 0;
  const fields = form === null ? null : <Declared create={create} form={form} isUpdate={plan !== null} />;
  return (
    <Layout {...frame} title="Create VMs" current="create">
      <script src={frame.assets.plan} type="module"></script>
      <div id="create-page" class="stack">
        <div class="page-head">
          <div class="title">
            <h1>{isPlanned ? "Review the plan" : "Create VMs"}</h1>
            {frame.mayChange && form !== null && !isPlanned
              ? (
                <>
                  <a class="btn sm" href={paths.types()}>Edit VM types</a>
                  <a class="btn sm" href={paths.createOne()}>Create one VM</a>
                </>
              )
              : null}
          </div>
          <Flow step={isPlanned ? 2 : 1} />
        </div>
        <Warning text={notice} />
        <ErrorSummary problems={[...problems.map(withType), ...(selection?.problems ?? [])]} />
        {frame.mayChange ? null : <ViewerNotice />}
        {form === null
          ? (
            <p class="actions">
              <a class="btn primary" href={paths.types()}>Open VM types</a>
              {frame.mayChange ? <a class="btn" href={paths.createOne()}>Create one VM</a> : null}
            </p>
          )
          : null}
        {form === null || !frame.mayChange
          ? null
          : (
            <form method="post" action={paths.createPlan()} id="create-form" class="create stack">
              {/* Enter presses the first button, which must therefore never be the one that creates. */}
              <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">
                Review the plan
              </button>
              {plan === null ? null : (
                <PlanView
                  plan={plan}
                  capacity={create.capacity}
                  selection={token === null ? null : selection}
                />
              )}
              {plan === null || token === null || selection === null || !hasWork(plan) ? null : (
                <>
                  <PlanChoices plan={plan} selection={selection} />
                  <ConfirmPlan plan={plan} selection={selection} token={token} frame={frame} />
                  {create.approving === null ? null : <AgentApproval approving={create.approving} />}
                </>
              )}
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
            </form>
          )}
      </div>
    </Layout>
  );
}

interface ConfirmPlanProps {
  readonly plan: CreationPlan;
  readonly selection: PlanSelection;
  readonly token: string;
  readonly frame: PageFrame;
}

/** The button names every number; with ticks a script keeps them right, and without one it names none. */
function ConfirmPlan({ plan, selection, token, frame }: ConfirmPlanProps) {
  const work = workOf(plan, selection);
  const { create: creates } = workOf(plan, { change: [], replace: [] });
  const isTicked = plan.vms.some(canBeTicked);
  const grows = plan.vms.some(({ differences }) => differences.some(({ change }) => change?.kind === "grow"));
  const lasting = [
    ...(grows ? ["Making a disk larger"] : []),
    ...(plan.vms.some(({ action }) => action === "replace") ? ["replacing a VM"] : []),
  ].map((what, n) => n === 0 ? `${what.charAt(0).toUpperCase()}${what.slice(1)}` : what);
  const blocked = plan.vms.filter(({ action }) => action === "blocked").map(({ name }) => name);
  const help = [
    ...(creates > 0 ? [isTicked ? startsOf(plan).replace(/^They/, "New VMs") : startsOf(plan)] : []),
    ...(isTicked ? ["What is not ticked stays as it is."] : []),
    lasting.length === 0
      ? "You can stop and undo at any time."
      : `You can stop at any time. ${lasting.join(" and ")} cannot be undone.`,
    ...(blocked.length === 0 ? [] : [leftOut(blocked)]),
  ];
  return (
    <>
      {isTicked ? <input type="hidden" name="creates" value={creates} /> : null}
      <Confirm
        plan={plan}
        token={token}
        missingRoles={frame.missingRoles}
        help={help.join(" ")}
        verb={describeWork(work) || "Nothing is ticked"}
        action={paths.create()}
        startOver={paths.create()}
        {...(isTicked ? { unscriptedVerb: "Carry out", creates } : {})}
      />
    </>
  );
}

/** At most so many names are listed. */
const MAX_NAMES = 5;

/** `worker03 is blocked and left out.` */
function leftOut(names: readonly string[]): string {
  const listed = names.length > MAX_NAMES ? formatCount(names.length, "VM") : names.join(", ");
  return `${listed} ${names.length === 1 ? "is" : "are"} blocked and left out.`;
}

/** Whether the plan does anything, or could. */
export function hasWork(plan: CreationPlan): boolean {
  return plan.totals.vms > 0 || plan.vms.some(canBeTicked);
}

function canBeTicked({ action }: CreationPlan["vms"][number]): boolean {
  return action === "change" || action === "replace";
}

/** What is declared, with what it takes beside it, and the button that leads to its plan. */
function Declared({ create, form, isUpdate }: {
  readonly create: CreateProps;
  readonly form: CreateForm;
  readonly isUpdate: boolean;
}) {
  const { problems, choices, spare, totals } = create;
  return (
    <div class="columns type-form">
      <div class="stack">
        {form.types.map((type) => (
          <TypeCard
            type={type}
            problems={problems}
            choices={choices}
            spare={spare}
          />
        ))}
        <p class="add-type">
          <a class="btn plain" href={paths.newType()}>
            <Icon name="plus" />Add a VM type
          </a>
          <a class="btn plain" href={paths.types()}>All VM types</a>
        </p>
        <StorageCard form={form} choices={choices} problems={problems} />
      </div>
      <aside>
        <TotalsCard
          totals={totals}
          place={FORM_PLACE}
          action={isUpdate ? "Update the plan" : "Review the plan"}
          help="VMs that exist already are not counted. Nothing changes on the NAS until you confirm the plan."
        />
      </aside>
    </div>
  );
}

/** Where the buttons of one type's fields lead. */
function placeOf(type: string): FormPlace {
  return { ...FORM_PLACE, prefix: `${type}.` };
}

/** The buttons of the whole form. */
const FORM_PLACE: FormPlace = {
  prefix: "",
  id: "create-form",
  swaps: "create-page",
  action: paths.createForm,
};

function StorageCard({ form, choices, problems }: {
  readonly form: CreateForm;
  readonly choices: CreateChoices;
  readonly problems: readonly Problem[];
}) {
  return (
    <section class="card" aria-labelledby="storage-heading">
      <header>
        <h2 id="storage-heading">For all types</h2>
      </header>
      <div class="body fields-2">
        <StorageFields storage={form} choices={choices} problems={problems} />
      </div>
    </section>
  );
}

/** One VM type: what most people set, and the rest in a fold. */
function TypeCard({ type, problems, choices, spare }: {
  readonly type: CreateFormType;
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  readonly spare: SpareRow | null;
}) {
  const fields = { type, problems, place: placeOf(type.name) };
  const id = `type-${type.name}`;
  return (
    <section class="card type-card" id={id} aria-labelledby={`${id}-heading`}>
      <header>
        <div class="row">
          <h2 id={`${id}-heading`}>{type.name}</h2>
          <span class="soft said">{namesOf(type)}</span>
        </div>
        <a class="btn sm plain" href={paths.editType(type.name)}>Edit this type</a>
      </header>
      <div class="body stack">
        <div class="fields">
          <CountField {...fields} />
          <SizeFields {...fields} />
        </div>
        <ImageChoice {...fields} choices={choices} />
        <PartFields {...fields} choices={choices} spare={spare?.type === type.name ? spare.kind : null} />
        <FirstBootLine {...fields} />
      </div>
      <AdvancedFields {...fields} choices={choices} />
    </section>
  );
}

/** `worker01 to worker05` */
function namesOf({ name, count }: CreateFormType): string {
  const last = parseWholeNumber(count, { lowest: 0, highest: 99 });
  if (last === null) return "";
  if (last === 0) return "none";
  return last === 1 ? vmName(name, 1) : `${vmName(name, 1)} to ${vmName(name, last)}`;
}

/** Whether the VMs of a plan are started. */
function startsOf({ vms }: CreationPlan): string {
  const made = vms.filter(({ steps }) => steps.length > 0);
  const started = made.filter(({ start }) => start).length;
  if (started === 0) return "They are not started.";
  return started === made.length
    ? "They are started once created."
    : `${formatCount(started, "VM")} of them will be started.`;
}

/** In the summary a problem says which type, disk or network it is about. */
function withType(problem: Problem): Problem {
  const [type = "", part = "", n] = problem.field.split(".");
  if (part === "" || type === "storage") return problem;
  const where = n !== undefined && /^\d+$/.test(n) ? `${type}, ${part} ${Number(n) + 1}` : type;
  return { ...problem, message: `${where}: ${problem.message}` };
}
