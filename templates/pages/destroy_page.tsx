/** The destroy page: what exactly will be destroyed, and the phrase that confirms it. */
import type { DestructionPlan, DestructionVm } from "../../lib/plan/types.ts";
import { formatBytes, formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { Blocked, Unread, ZvolList } from "../parts/removal.tsx";
import {
  ErrorSummary,
  Field,
  Notice,
  State,
  TableHead,
  ViewerNotice,
  VmTrail,
  Warning,
} from "../parts/common.tsx";
import { MissingRoles } from "../parts/connection.tsx";
import { destroyFields, type DestroyQuery, paths } from "../paths.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { VmState } from "../parts/vm_row.tsx";

/** Words to type into a field to confirm a destruction. */
export interface WordsToType {
  readonly field: string;
  readonly words: string;
  /** The VM to be named, because it may not have been created here; null for the phrase. */
  readonly vm: string | null;
}

/** The state of the page. */
export interface DestroyProps {
  readonly plan: DestructionPlan;
  readonly query: DestroyQuery;
  /** The VM, on the confirmation page of a single one; otherwise null. */
  readonly only: { readonly id: number; readonly name: string } | null;
  /** The phrase, and the names of VMs that may not have been created here. */
  readonly words: readonly WordsToType[];
  /** As typed, by field. */
  readonly typed: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
  readonly token: string | null;
  readonly notice: string | null;
}

/** The page. */
export function DestroyPage({ frame, destroy }: { frame: PageFrame; destroy: DestroyProps }) {
  const { plan, query, only, words, problems, notice } = destroy;
  const title = only === null ? "Destroy VMs" : `Destroy ${only.name}`;
  const isTyped = (field: string) => words.some((it) => it.field === field);
  return (
    <Layout {...frame} title={title} current="vms">
      {only === null ? null : <VmTrail vm={only} />}
      <h1 dir="auto">{title}</h1>
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      <DestroyForm query={query} plan={plan} only={only} problems={problems} />
      <Unread notices={plan.notices} />
      <Blocked items={plan.vms} />
      {plan.spared.length === 0 ? null : <Spared plan={plan} query={query} />}
      {/* After a typing mistake the list is not what the person meant, so it cannot be confirmed. */}
      {plan.totals.vms === 0 || problems.some(({ field }) => !isTyped(field))
        ? <NothingToDestroy blocked={plan.vms.length > 0} />
        : frame.mayChange
        ? <Confirm {...destroy} missingRoles={frame.missingRoles} />
        : <ViewerNotice />}
      <p>
        Interrupted operations can leave resources behind. See <a href={paths.orphans()}>Orphans</a>
      </p>
    </Layout>
  );
}

/** The selection; submitting it updates the list and changes nothing. */
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
              help="Comma-separated names without the number: worker matches worker01 and worker12, not workerold."
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
      <label class="check">
        <input type="checkbox" id="keep" name="keep" value="yes" checked={query.keepDisks} />
        Keep disks
      </label>
      <label class="check">
        <input type="checkbox" id="shutdown" name="shutdown" value="yes" checked={query.shutdown} />
        Try to shut down before powering off
      </label>
      <button class="btn" type="submit">List VMs</button>
    </form>
  );
}

/** VMs whose names match but that may not have been created here; each has to be added explicitly. */
function Spared({ plan, query }: { plan: DestructionPlan; query: DestroyQuery }) {
  return (
    <Notice tone="warn">
      <p>
        <strong>
          {formatCount(plan.spared.length, "VM")}{" "}
          with a matching name may not have been created by this program
        </strong>{" "}
        and will be left unchanged:
      </p>
      <ul>
        {plan.spared.map(({ name, state, because }) => (
          <li data-spared={name}>
            <strong>{name}</strong> <VmState state={state} /> {because}.{" "}
            <a href={paths.destroy({ ...query, vms: [...query.vms, name] })}>
              Add {name} to the list anyway
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
      <p>No VM created here matches. Enter VM types above, then list the VMs.</p>
    </div>
  );
}

function Confirm(
  { plan, query, only, words, typed, problems, token, missingRoles }: DestroyProps & {
    readonly missingRoles: readonly string[];
  },
) {
  const { totals } = plan;
  const zvols = totals.zvols === 0 ? "" : ` and ${formatCount(totals.zvols, "zvol")}`;
  const snapshots = totals.snapshots === 0 ? "" : ` with ${formatCount(totals.snapshots, "snapshot")}`;
  const size = totals.zvols === 0 ? "" : ` (${formatBytes(totals.zvolBytes)})`;
  return (
    <form method="post" action={only === null ? paths.destroy() : paths.vmDestroy(only.id)}>
      {destroyFields(query).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token ?? ""} />
      <table class="table rows">
        <caption>
          {formatCount(totals.vms, "VM")}
          {zvols}
          {size}
          {snapshots} will be destroyed
        </caption>
        <TableHead columns={["VM", "State", "Created here", "Zvols to destroy", "Kept"]} />
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
            {...(vm === null ? {} : { help: `${vm} may not have been created by this program.` })}
          />
        ))}
        <p class="actions">
          <button type="submit" class="btn danger" id="confirm-destroy">
            Destroy {formatCount(totals.vms, "VM")}
            {zvols}
          </button>
          <a class="btn" href={paths.home()}>Cancel</a>
        </p>
        <MissingRoles roles={missingRoles} />
      </Notice>
    </form>
  );
}

function describeEnd({ shutdown, keepDisks }: DestructionPlan): string {
  const off = shutdown
    ? "Running VMs are shut down, and powered off if they do not respond"
    : "Running VMs are powered off";
  return keepDisks
    ? `${off}. Their disks are kept.`
    : `${off}. Zvols are destroyed with their data and the snapshots listed above.`;
}

function Marks({ vm: { marks, zvols, keeps } }: { vm: DestructionVm }) {
  const disks = zvols.length + keeps.length;
  const words = [
    `description: ${marks.description ? "yes" : "no"}`,
    `zvols: ${disks === 0 ? "none" : ZVOL_MARKS[marks.zvols]}`,
    `journal: ${marks.journal ? "yes" : "no"}`,
  ];
  return <span class="where">{words.join(", ")}</span>;
}

const ZVOL_MARKS = { all: "yes", some: "some", none: "no", unknown: "unknown" } as const;

function VmToDestroyRow({ vm }: { vm: DestructionVm }) {
  return (
    <tr data-vm={vm.name} data-state={vm.state}>
      <th scope="row">
        <a href={paths.vm(vm.id)}>{vm.name}</a>
        <span class="where">ID {vm.id}</span>
      </th>
      <td data-label="State">
        <VmState state={vm.state} />
      </td>
      <td data-label="Created here">
        {vm.marked ? <State tone="good" word="Yes" /> : <State tone="warn" word="Unknown" />}
        <Marks vm={vm} />
      </td>
      <td data-label="Zvols to destroy">
        <ZvolList zvols={vm.zvols} />
      </td>
      <td data-label="Kept">
        {vm.keeps.length === 0 ? <span class="none">none</span> : (
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
