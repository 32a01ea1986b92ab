/** The destroy page: what exactly will be destroyed, and the phrase that confirms it. */
import type { Child } from "hono/jsx";
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
import { GoesAndStays, type Staying } from "../parts/goes_stays.tsx";
import { Icon } from "../parts/icons.tsx";
import { MissingRoles } from "../parts/frame/connection.tsx";
import { type DestroyQuery, listedOptions, paths } from "../paths.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { VmState } from "../parts/list/vm_row.tsx";

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
  readonly staying: Staying;
  /** Roles that the account is missing and that a destruction requires. */
  readonly missingRoles: readonly string[];
}

/** The page. It looks like a dialog: what goes, what stays, the options, every name, and the phrase. */
export function DestroyPage({ frame, destroy }: { frame: PageFrame; destroy: DestroyProps }) {
  const { plan, query, only, words, problems, notice } = destroy;
  const title = only === null ? "Destroy VMs" : `Destroy ${only.name}`;
  const isTyped = (field: string) => words.some((it) => it.field === field);
  // After a typing mistake the list is not what the person meant, so it cannot be confirmed.
  const isConfirmable = plan.totals.vms > 0 && problems.every(({ field }) => isTyped(field));
  const isOffered = isConfirmable && frame.mayChange;
  return (
    <Layout {...frame} title={title} current="vms">
      <VmTrail {...(only === null ? {} : { vm: only })} />
      <section class="dialog in-page" aria-label={title}>
        <div class="top">
          <h1 dir="auto">{title}</h1>
          {isConfirmable ? <p class="soft">{describeEnd(plan)}</p> : null}
        </div>
        <div class="body stack">
          <Warning text={notice} />
          <ErrorSummary problems={problems} />
          <Unread notices={plan.notices} />
          <Blocked items={plan.vms} />
          {plan.spared.length === 0 ? null : <Spared plan={plan} query={query} />}
          {isConfirmable ? <GoesAndStays plan={plan} staying={destroy.staying} /> : null}
          {isConfirmable || plan.vms.length > 0 ? null : <NothingToDestroy />}
          {isOffered ? <Confirm {...destroy} /> : <Selection {...destroy} />}
          {isConfirmable && !frame.mayChange ? <ViewerNotice /> : null}
        </div>
        <div class="foot">
          <a class="btn" href={only === null ? paths.home() : paths.vm(only.id)}>Cancel</a>
          {isOffered
            ? (
              <button type="submit" form="destroy" class="btn danger solid" id="confirm-destroy">
                <Icon name="bin" />
                Destroy {describeTotals(plan)}
              </button>
            )
            : null}
        </div>
      </section>
      <p class="soft">
        Interrupted operations can leave resources behind. See <a href={paths.orphans()}>Orphans</a>
      </p>
    </Layout>
  );
}

/** The selection and the options, where nothing can be confirmed; submitting it updates the list. */
function Selection(destroy: DestroyProps) {
  const { only, plan } = destroy;
  const isStale = plan.missing.some(({ by }) => by === "id") && plan.vms.length > 0;
  return (
    <form method="get" action={only === null ? paths.destroy() : paths.vmDestroy(only.id)} class="stack">
      {only === null ? <Vms {...destroy} isOpen /> : null}
      <Options {...destroy}>
        <button class="btn sm" type="submit">
          {isStale ? "List the remaining VMs" : "List VMs"}
        </button>
      </Options>
    </form>
  );
}

/** The VM types, unless VMs were selected; of a selection, what exists goes along. */
function Vms({ query, plan, problems, isOpen }: DestroyProps & { readonly isOpen: boolean }) {
  const isMissing = (what: "name" | "id", wanted: string) =>
    plan.missing.some(({ by, value }) => by === what && value === wanted);
  const names = query.vms.filter((name) => !isMissing("name", name));
  const ids = query.ids.filter((id) => !isMissing("id", String(id)));
  return (
    <>
      {query.prefixes === "" && names.length + ids.length > 0
        ? <input type="hidden" name="prefixes" value="" />
        : <VmTypes prefixes={query.prefixes} problems={problems} isOpen={isOpen} />}
      {names.map((name) => <input type="hidden" name="vm" value={name} />)}
      {ids.map((id) => <input type="hidden" name="id" value={id} />)}
    </>
  );
}

function VmTypes(
  { prefixes, problems, isOpen }: {
    readonly prefixes: string;
    readonly problems: readonly Problem[];
    readonly isOpen: boolean;
  },
) {
  return (
    <details class="fold inline" open={isOpen}>
      <summary>
        <Icon name="chevron" />
        <b>VM types</b>
        <span dir="auto">{prefixes}</span>
      </summary>
      <div class="body">
        <Field
          name="prefixes"
          label="VM types"
          hideLabel
          value={prefixes}
          problems={problems}
          help="Comma-separated names without the number: worker matches worker01 and worker12, not workerold."
        />
      </div>
    </details>
  );
}

function Options({ plan, query, children }: DestroyProps & { readonly children: Child }) {
  // Of VMs that are all off, none is shut down.
  const isAskedShutdown = plan.totals.vms === 0 || countRunning(plan) > 0;
  return (
    <div class="row wide-gap options">
      <label class="check">
        <input type="checkbox" id="keep" name="keep" value="yes" checked={query.keepDisks} />
        Keep disks
      </label>
      {isAskedShutdown
        ? (
          <label class="check">
            <input type="checkbox" id="shutdown" name="shutdown" value="yes" checked={query.shutdown} />
            Try to shut down before powering off
          </label>
        )
        : query.shutdown
        ? <input type="hidden" name="shutdown" value="yes" />
        : null}
      {children}
      <span class="unapplied help" role="status">Not applied yet. List the VMs again first.</span>
    </div>
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

function NothingToDestroy() {
  return (
    <div class="empty">
      <h2>Nothing to destroy</h2>
      <p>No VM created here matches. Enter VM types below, then list the VMs.</p>
    </div>
  );
}

/** One form for the options and the phrase, so that whoever confirms also sends a tick that was not listed. */
function Confirm(destroy: DestroyProps) {
  const { plan, query, only, words, typed, problems, token, missingRoles } = destroy;
  return (
    <form
      method="post"
      action={only === null ? paths.destroy() : paths.vmDestroy(only.id)}
      id="destroy"
      class="stack"
    >
      {/* The Enter key presses a form's first button, which in the phrase means to destroy. */}
      <button type="submit" hidden>Destroy</button>
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token ?? ""} />
      <input type="hidden" name="listed" value={listedOptions(query)} />
      {only === null ? <Vms {...destroy} isOpen={false} /> : null}
      <Options {...destroy}>
        <button class="btn sm" type="submit" name="list" value="yes" formnovalidate>List VMs</button>
      </Options>
      <div class="stack phrases">
        <details class="fold inline">
          <summary>
            <Icon name="chevron" />
            <b>Every VM and disk by name</b>
          </summary>
          <div class="body">
            <EveryName plan={plan} />
          </div>
        </details>
        {words.map(({ field, words, vm }) => (
          <Field
            name={field}
            label={`Type “${words}” to confirm`}
            value={typed[field] ?? ""}
            problems={problems}
            exactly={words}
            {...(vm === null ? {} : { help: `${vm} may not have been created by this program.` })}
          />
        ))}
        <MissingRoles roles={missingRoles} />
      </div>
    </form>
  );
}

function EveryName({ plan }: { plan: DestructionPlan }) {
  const { snapshots } = plan.totals;
  return (
    <table class="table rows">
      <caption>
        {describeTotals(plan)}
        {plan.totals.zvols === 0 ? "" : ` (${formatBytes(plan.totals.zvolBytes)})`}
        {snapshots === 0 ? "" : ` with ${formatCount(snapshots, "snapshot")}`} will be destroyed
      </caption>
      <TableHead columns={["VM", "State", "Created here", "Disks to destroy", "Kept"]} />
      <tbody>
        {plan.vms.filter(({ blocked }) => blocked.length === 0).map((vm) => <VmToDestroyRow vm={vm} />)}
      </tbody>
    </table>
  );
}

/** `4 VMs and 7 disks` */
function describeTotals({ totals }: DestructionPlan): string {
  const disks = totals.zvols === 0 ? "" : ` and ${formatCount(totals.zvols, "disk")}`;
  return `${formatCount(totals.vms, "VM")}${disks}`;
}

/** How many of the VMs have to be turned off first. */
function countRunning({ vms }: DestructionPlan): number {
  return vms.filter(({ blocked, state }) => blocked.length === 0 && state !== "STOPPED").length;
}

function describeEnd(plan: DestructionPlan): string {
  const { shutdown, keepDisks } = plan;
  const end = keepDisks ? "Their disks are kept." : "Disks are destroyed with their data and snapshots.";
  return ["This cannot be undone.", describeOff(countRunning(plan), shutdown), end].filter(Boolean).join(" ");
}

function describeOff(running: number, shutdown: boolean): string {
  if (running === 0) return "";
  const [who, they] = running === 1 ? ["The running VM is", "it does"] : ["Running VMs are", "they do"];
  return shutdown ? `${who} shut down, and powered off if ${they} not respond.` : `${who} powered off.`;
}

/** What says that the VM was created here: `Recorded in: description, disks, this dashboard's records` */
function Marks({ vm: { marks, zvols, keeps } }: { vm: DestructionVm }) {
  const disks = zvols.length + keeps.length;
  const marked = [
    ...(marks.description ? ["description"] : []),
    ...(disks === 0 ? [] : ZVOL_MARKS[marks.zvols]),
    ...(marks.journal ? ["this dashboard's records"] : []),
  ];
  const none = "No record that it was created here";
  return <span class="where">{marked.length === 0 ? none : `Recorded in: ${marked.join(", ")}`}</span>;
}

const ZVOL_MARKS = { all: ["disks"], some: ["some disks"], none: [], unknown: [] } as const;

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
      <td data-label="Disks to destroy">
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
