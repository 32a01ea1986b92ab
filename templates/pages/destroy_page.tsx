/** What a destruction would remove, exactly, and the phrase that confirms it. */
import type { DestructionPlan, DestructionVm } from "../../lib/plan/types.ts";
import { formatBytes, formatCount } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import { Blocked, Snapshots, Unread } from "../parts/removal.tsx";
import { ErrorSummary, Field, Notice, State, ViewerNotice } from "../parts/common.tsx";
import { MissingRoles } from "../parts/connection.tsx";
import { VmState } from "../parts/vm_list.tsx";
import { destroyFields, paths } from "../paths.ts";
import type { DestroyProps, DestroyQuery, PageFrame } from "../props.ts";

/** The page. */
export function DestroyPage({ frame, destroy }: { frame: PageFrame; destroy: DestroyProps }) {
  const { plan, query, only, words, problems, notice } = destroy;
  const title = only === null ? "Destroy VMs" : `Destroy ${only.name}`;
  const isTyped = (field: string) => words.some((it) => it.field === field);
  return (
    <Layout {...frame} title={title} current={only === null ? "destroy" : "vms"}>
      {only === null ? null : (
        <p class="trail">
          <a href={paths.home()}>VMs</a> <a href={paths.vm(only.id)} dir="auto">{only.name}</a>
        </p>
      )}
      <h1 dir="auto">{title}</h1>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      <DestroyForm query={query} plan={plan} only={only} problems={problems} />
      <Unread notices={plan.notices} />
      <Blocked items={plan.vms} />
      {plan.spared.length === 0 ? null : <Spared plan={plan} query={query} />}
      {/* A list without what was mistyped is not what was meant: it is not offered. */}
      {plan.totals.vms === 0 || problems.some(({ field }) => !isTyped(field))
        ? <NothingToDestroy blocked={plan.vms.length > 0} />
        : frame.mayChange
        ? <Confirm {...destroy} lacks={frame.lacks} />
        : <ViewerNotice />}
      <p>
        <a href={paths.orphans()}>Leftovers of what was interrupted</a>{" "}
        are on a page of their own: half-made VMs and zvols in no VM.
      </p>
    </Layout>
  );
}

/** What is asked for; sending it lists again and changes nothing. */
function DestroyForm(
  { query, plan, only, problems }: Pick<DestroyProps, "query" | "plan" | "only" | "problems">,
) {
  const isMissing = (what: "name" | "id", wanted: string) =>
    plan.missing.some(({ by, value }) => by === what && value === wanted);
  return (
    <form method="get" action={only === null ? paths.destroy() : paths.vmDestroy(only.id)} class="filters">
      {only === null
        ? (
          <>
            <Field
              name="prefixes"
              label="VM types"
              value={query.prefixes}
              problems={problems}
              help="Comma-separated names before their number: worker means worker01 and worker12, not workerold."
            />
            {query.vms.filter((name) => !isMissing("name", name)).map((name) => (
              <input type="hidden" name="vm" value={name} />
            ))}
            {query.ids.filter((id) => !isMissing("id", String(id))).map((id) => (
              <input type="hidden" name="id" value={id} />
            ))}
          </>
        )
        : null}
      <label class="tick">
        <input type="checkbox" id="keep" name="keep" value="yes" checked={query.keepDisks} />
        Keep the disks
      </label>
      <label class="tick">
        <input type="checkbox" id="shutdown" name="shutdown" value="yes" checked={query.shutdown} />
        Shut down before powering off
      </label>
      <button type="submit">List them</button>
    </form>
  );
}

/** VMs that only have such a name: each is added by a choice of its own. */
function Spared({ plan, query }: { plan: DestructionPlan; query: DestroyQuery }) {
  const one = plan.spared.length === 1;
  return (
    <Notice tone="warn">
      <p>
        <strong>
          {formatCount(plan.spared.length, "VM")} with such a name {one ? "does" : "do"}{" "}
          not seem to be made by this program
        </strong>, so {one ? "it is" : "they are"} left alone:
      </p>
      <ul>
        {plan.spared.map(({ name, state, because }) => (
          <li data-spared={name}>
            <strong>{name}</strong> <VmState state={state} /> {because}.{" "}
            <a href={paths.destroy({ ...query, vms: [...query.vms, name] })}>
              Add {name} to the list all the same
            </a>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function NothingToDestroy({ blocked }: { blocked: boolean }) {
  if (blocked) return null;
  return (
    <div class="empty">
      <h2>Nothing to destroy</h2>
      <p>No VM created here matches these names. Correct them above, and list again.</p>
    </div>
  );
}

function Confirm(
  { plan, query, only, words, typed, problems, token, lacks }: DestroyProps & {
    readonly lacks: readonly string[];
  },
) {
  const { totals } = plan;
  const zvols = totals.zvols === 0 ? "" : ` and ${formatCount(totals.zvols, "zvol")}`;
  const snapshots = totals.snapshots === 0 ? "" : `, with ${formatCount(totals.snapshots, "snapshot")},`;
  const size = totals.zvols === 0 ? "" : ` of ${formatBytes(totals.zvolBytes)}`;
  return (
    <form method="post" action={only === null ? paths.destroy() : paths.vmDestroy(only.id)}>
      {destroyFields(query).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token ?? ""} />
      <table class="rows">
        <caption>
          {formatCount(totals.vms, "VM")}
          {zvols}
          {size}
          {snapshots} will be gone for good
        </caption>
        <thead>
          <tr>
            <th scope="col">VM</th>
            <th scope="col">State</th>
            <th scope="col">Made here</th>
            <th scope="col">Zvols that go</th>
            <th scope="col">What stays</th>
          </tr>
        </thead>
        <tbody>
          {plan.vms.filter(({ blocked }) => blocked.length === 0).map((vm) => <VmToDestroyRow vm={vm} />)}
        </tbody>
      </table>
      <Notice tone="bad">
        <p>
          <strong>This cannot be undone.</strong> {describeEnd(plan)}
        </p>
        {words.map(({ field, words, vm }) => (
          <Field
            name={field}
            label={`Type “${words}” to confirm`}
            value={typed[field] ?? ""}
            problems={problems}
            {...(vm === null ? {} : { help: `${vm} does not seem to be created here.` })}
          />
        ))}
        <p class="actions">
          <button type="submit" class="danger" id="confirm-destroy">
            Destroy {formatCount(totals.vms, "VM")}
            {zvols}
          </button>
          <a class="button" href={paths.home()}>Cancel</a>
        </p>
        <MissingRoles lacks={lacks} />
      </Notice>
    </form>
  );
}

function describeEnd({ shutdown, keepDisks }: DestructionPlan): string {
  const off = shutdown
    ? "Running VMs are asked to shut down, and powered off when they do not"
    : "Running VMs are powered off";
  return keepDisks
    ? `${off}; their disks stay.`
    : `${off}, and the zvols are destroyed with their data and the snapshots that are listed.`;
}

function Marks({ vm: { marks, zvols, keeps } }: { vm: DestructionVm }) {
  const disks = zvols.length + keeps.length;
  const words = [
    `description: ${marks.description ? "yes" : "no"}`,
    `zvols: ${disks === 0 ? "none there" : ZVOL_MARKS[marks.zvols]}`,
    `journal: ${marks.journal ? "yes" : "no"}`,
  ];
  return <span class="where">{words.join(", ")}</span>;
}

const ZVOL_MARKS = { all: "yes", some: "some", none: "no", unknown: "not known" } as const;

function VmToDestroyRow({ vm }: { vm: DestructionVm }) {
  return (
    <tr data-vm={vm.name} data-state={vm.state}>
      <th scope="row">
        <a href={paths.vm(vm.id)}>{vm.name}</a>
        <span class="where">id {vm.id}</span>
      </th>
      <td data-label="State">
        <VmState state={vm.state} />
      </td>
      <td data-label="Made here">
        {vm.marked ? <State tone="good" word="Yes" /> : <State tone="warn" word="Does not seem so" />}
        <Marks vm={vm} />
      </td>
      <td data-label="Zvols that go">
        {vm.zvols.length === 0 ? <span class="none">none</span> : (
          <ul class="plain">
            {vm.zvols.map(({ name, sizeBytes, snapshots }) => (
              <li>
                <code>{name}</code> {sizeBytes === null ? "size not known" : formatBytes(sizeBytes)}
                <Snapshots snapshots={snapshots} zvol={name} />
              </li>
            ))}
          </ul>
        )}
      </td>
      <td data-label="What stays">
        {vm.keeps.length === 0 ? <span class="none">nothing</span> : (
          <ul class="plain">
            {vm.keeps.map(({ path, because }) => (
              <li>
                <code>{path}</code> {because}
              </li>
            ))}
          </ul>
        )}
      </td>
    </tr>
  );
}
