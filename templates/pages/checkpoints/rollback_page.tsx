/** Rolling back to a checkpoint: each VM and disk, the later snapshots that go, and the phrase. */
import type { RollbackPlan, VmToRollBack, ZvolToRollBack } from "../../../lib/checkpoints/plan/plans.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { formatCount } from "../../../lib/units.ts";
import type { PageFrame } from "../../layout.tsx";
import { Notice, TableHead, ViewerNotice } from "../../parts/common.tsx";
import { Confirmation, PhraseForm, PlanNotices } from "../../parts/confirmation.tsx";
import { VmState } from "../../parts/list/vm_row.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";

/** The state of the page. */
export interface RollbackPageProps {
  readonly plan: RollbackPlan;
  /** The VMs that were asked for; null: all. */
  readonly names: readonly string[] | null;
  /** As typed. */
  readonly phrase: string;
  readonly problems: readonly Problem[];
  readonly token: string;
  readonly notice: string | null;
}

/** The page. */
export function RollbackPage({ frame, page }: { frame: PageFrame; page: RollbackPageProps }) {
  const { plan } = page;
  const title = `Roll back to ${plan.checkpoint}`;
  const active = plan.vms.filter(({ blocked }) => blocked.length === 0);
  const isOffered = plan.problems.length === 0 && frame.mayChange;
  return (
    <Confirmation
      {...page}
      frame={frame}
      current="checkpoints"
      back={{ label: "Checkpoints", href: paths.checkpoints() }}
      title={title}
      said="This cannot be undone: everything written to these disks since the checkpoint is lost."
      button={isOffered
        ? {
          form: "rollback",
          id: "confirm-rollback",
          icon: "undo",
          words: `Roll back ${formatCount(active.length, "VM")}`,
        }
        : null}
    >
      <PlanNotices notices={plan.notices} />
      <BlockedVms vms={plan.vms} />
      {plan.newer > 0 && frame.mayChange ? <Discard {...page} /> : null}
      {active.length === 0 ? null : <Vms vms={active} />}
      {isOffered ? <Confirm {...page} /> : null}
      {frame.mayChange ? null : <ViewerNotice />}
    </Confirmation>
  );
}

/** The tick that lets later snapshots go; submitting it shows what that means, before anything can be confirmed. */
function Discard({ plan, names }: RollbackPageProps) {
  return (
    <form method="get" action={paths.checkpointRollback(plan.checkpoint)} class="stack" id="discard-form">
      {(names ?? []).map((name) => <input type="hidden" name="vm" value={name} />)}
      <Notice tone="warn">
        <p>
          <strong>
            {formatCount(plan.newer, "later snapshot")}{" "}
            {plan.discardNewer ? "will be removed" : "would be lost"}.
          </strong>{" "}
          ZFS rolls a disk back only after everything newer is gone.
        </p>
        <p class="actions">
          <label class="check">
            <input
              type="checkbox"
              id="field-discard"
              name="discard"
              value="yes"
              checked={plan.discardNewer}
            />
            Discard later snapshots
          </label>
          <button type="submit" class="btn sm" id="apply-discard">Apply</button>
        </p>
      </Notice>
    </form>
  );
}

function BlockedVms({ vms }: { vms: readonly VmToRollBack[] }) {
  const stuck = vms.filter(({ blocked }) => blocked.length > 0);
  if (stuck.length === 0) return null;
  return (
    <Notice tone="bad">
      <p>
        <strong>{formatCount(stuck.length, "VM")} cannot be rolled back now</strong>{" "}
        and will be left unchanged:
      </p>
      <ul>
        {stuck.map(({ name, blocked }) => (
          <li data-blocked={name}>
            <strong dir="auto">{name}</strong>: <Said text={blocked.join("; ")} />.
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Vms({ vms }: { vms: readonly VmToRollBack[] }) {
  return (
    <table class="table rows">
      <caption class="visually-hidden">{formatCount(vms.length, "VM")}</caption>
      <TableHead columns={["VM", "Disks, and snapshots removed", "Changed since, not rolled back"]} />
      <tbody>
        {vms.map((vm) => (
          <tr data-vm={vm.name} data-state={vm.state}>
            <th scope="row">
              <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a> <VmState state={vm.state} />
              {vm.stops ? <span class="where">shut down, and started again</span> : null}
              {vm.running ? <span class="where">was running at the checkpoint</span> : null}
            </th>
            <td data-label="Disks, and snapshots removed">
              <ul class="plain">
                {vm.zvols.map((zvol) => <Disk zvol={zvol} />)}
              </ul>
            </td>
            <td data-label="Changed since, not rolled back">
              {vm.changes.length === 0
                ? <span class="none">nothing</span>
                : <Said text={vm.changes.join("; ")} />}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Disk({ zvol: { zvol, newer } }: { zvol: ZvolToRollBack }) {
  return (
    <li>
      <code>{zvol}</code>
      {newer.length === 0 ? null : (
        <span class="where" data-discards={newer.length}>
          loses <Said text={newer.map(({ name }) => name.slice(zvol.length)).join(", ")} />
        </span>
      )}
    </li>
  );
}

function Confirm({ names, ...page }: RollbackPageProps) {
  const { plan } = page;
  return (
    <PhraseForm {...page} id="rollback" action={paths.checkpointRollback(plan.checkpoint)}>
      {(names ?? []).map((name) => <input type="hidden" name="vm" value={name} />)}
      {plan.discardNewer ? <input type="hidden" name="discard" value="yes" /> : null}
    </PhraseForm>
  );
}
