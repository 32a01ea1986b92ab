/** The orphans page: unfinished VMs and unused disks created by this program, and the phrase that confirms destroying them. */
import { isSeedDataset } from "../../lib/first_boot/iso/seed_dataset.ts";
import type { OrphanPlan, OrphanVm, OrphanZvol } from "../../lib/plan/orphans.ts";
import { formatBytes, formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary, Field, Notice, TableHead, ViewerNotice, Warning } from "../parts/common.tsx";
import { HistoryTabs } from "../parts/history.tsx";
import { Blocked, type BlockedItem, Snapshots, Unread, ZvolList } from "../parts/removal.tsx";
import { paths } from "../paths.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { VmState } from "../parts/list/vm_row.tsx";

/** The state of the page. */
export interface OrphansProps {
  readonly plan: OrphanPlan;
  /** As typed. */
  readonly phrase: string;
  readonly problems: readonly Problem[];
  readonly token: string | null;
  readonly notice: string | null;
}

/** The page. */
export function OrphansPage({ frame, orphans }: { frame: PageFrame; orphans: OrphansProps }) {
  const { plan, problems, notice } = orphans;
  const all = plan.zvols.known ? plan.zvols.value : [];
  const isRemovable = ({ blocked }: BlockedItem) => blocked.length === 0;
  const [vms, zvols] = [plan.vms.filter(isRemovable), all.filter(isRemovable)];
  return (
    <Layout {...frame} title="Orphans" current="activity">
      <h1>Orphans</h1>
      <HistoryTabs current="orphans" />
      <p class="soft">
        Interrupted operations can leave resources behind: unfinished VMs, and disks that no VM uses. Only
        those created by this program are listed.
      </p>
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {plan.zvols.known ? null : (
        <Notice tone="warn">
          <p>Disks are not listed, because {plan.zvols.because}.</p>
        </Notice>
      )}
      <Unread notices={plan.notices} />
      <Blocked items={[...plan.vms, ...all]} />
      {plan.left.length === 0 ? null : (
        <p>
          Left out: {plan.left.join(", ")}. <a href={paths.orphans()}>Show all</a>
        </p>
      )}
      {plan.vms.length + all.length === 0
        ? (
          <div class="empty">
            <h2>No orphans</h2>
            <p>Every VM created here is complete, and every disk created here belongs to a VM.</p>
          </div>
        )
        : vms.length + zvols.length === 0
        ? null
        : frame.mayChange
        ? <Confirm {...orphans} vms={vms} zvols={zvols} />
        : <ViewerNotice />}
    </Layout>
  );
}

function Confirm(
  { plan, vms, zvols, phrase, problems, token }: OrphansProps & {
    readonly vms: readonly OrphanVm[];
    readonly zvols: readonly OrphanZvol[];
  },
) {
  const inVms = vms.flatMap((vm) => vm.zvols);
  const size = [...inVms, ...zvols].reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const all = inVms.length + zvols.length;
  const what = [
    ...(vms.length === 0 ? [] : [formatCount(vms.length, "VM")]),
    ...(all === 0 ? [] : [formatCount(all, "disk")]),
  ].join(" and ");
  return (
    <form method="post" action={paths.orphans()}>
      {plan.left.map((name) => <input type="hidden" name="leave" value={name} />)}
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token ?? ""} />
      <table class="table rows">
        <caption>{what}, {formatBytes(size)}</caption>
        <TableHead columns={["Orphan", "Reason", "Size", "Choice"]} numeric={["Size"]} />
        <tbody>
          {vms.map((vm) => <VmRow vm={vm} plan={plan} />)}
          {zvols.map((zvol) => <ZvolRow zvol={zvol} plan={plan} />)}
        </tbody>
      </table>
      <Notice tone="bad">
        <p>
          <strong>This cannot be undone.</strong> {zvols.some(({ snapshots }) => (snapshots?.length ?? 0) > 0)
            ? "Disks are destroyed with their data and the snapshots listed above."
            : "Disks are destroyed with their data."}
        </p>
        <Field
          name="phrase"
          label={`Type “${plan.phrase}” to confirm`}
          value={phrase}
          problems={problems}
          exactly={plan.phrase}
        />
        <p class="actions">
          <button type="submit" class="btn danger solid" id="confirm-clean">Destroy {what}</button>
          <a class="btn" href={paths.home()}>Cancel</a>
        </p>
      </Notice>
    </form>
  );
}

function VmRow({ vm, plan }: { vm: OrphanVm; plan: OrphanPlan }) {
  return (
    <tr data-vm={vm.name} data-state={vm.state}>
      <th scope="row">
        <a href={paths.vm(vm.id)}>{vm.name}</a> <VmState state={vm.state} />
        <span class="where">ID {vm.id}</span>
      </th>
      <td data-label="Reason">{vm.because.charAt(0).toUpperCase() + vm.because.slice(1)}</td>
      <td class="num" data-label="Size">
        <ZvolList zvols={vm.zvols} />
      </td>
      <td data-label="Choice">
        <a href={paths.orphans([...plan.left, vm.name])}>Leave {vm.name} out</a>
      </td>
    </tr>
  );
}

function ZvolRow({ zvol, plan }: { zvol: OrphanZvol; plan: OrphanPlan }) {
  return (
    <tr data-zvol={zvol.name}>
      <th scope="row">
        <code>{zvol.name}</code>
        {isSeedDataset(zvol.name) ? " first configuration (seed)" : ""}
        <Snapshots snapshots={zvol.snapshots} zvol={zvol.name} />
      </th>
      <td data-label="Reason">
        {zvol.madeFor === null
          ? "The VM it was created for no longer exists"
          : `Created for ${zvol.madeFor}, which does not use it`}
      </td>
      <td class="num" data-label="Size">
        {zvol.sizeBytes === null ? "unknown" : formatBytes(zvol.sizeBytes)}
      </td>
      <td data-label="Choice">
        <a href={paths.orphans([...plan.left, zvol.name])}>Leave {zvol.name} out</a>
      </td>
    </tr>
  );
}
