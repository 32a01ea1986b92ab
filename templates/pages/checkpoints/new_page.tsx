/** Taking a checkpoint: its name and note, and the VMs. */
import type { CheckpointPlan, VmToCheckpoint } from "../../../lib/checkpoints/plan/plans.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { formatCount } from "../../../lib/units.ts";
import type { PageFrame } from "../../layout.tsx";
import { Field, TableHead, ViewerNotice } from "../../parts/common.tsx";
import { Confirmation, PlanNotices } from "../../parts/confirmation.tsx";
import { VmState } from "../../parts/list/vm_row.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";

/** Which VMs the page was asked for. */
export interface CheckpointQuery {
  readonly ids: readonly number[];
  readonly types: readonly string[];
}

/** The state of the page. */
export interface NewCheckpointProps {
  readonly plan: CheckpointPlan;
  readonly query: CheckpointQuery;
  readonly name: string;
  readonly note: string;
  readonly problems: readonly Problem[];
  readonly token: string;
  readonly notice: string | null;
}

/** The page. */
export function NewCheckpointPage({ frame, page }: { frame: PageFrame; page: NewCheckpointProps }) {
  const { plan } = page;
  const taken = plan.vms.filter(({ blocked }) => blocked.length === 0);
  return (
    <Confirmation
      {...page}
      frame={frame}
      current="checkpoints"
      back={{ label: "Checkpoints", href: paths.checkpoints() }}
      title="Take a checkpoint"
      said={`One snapshot of each disk of ${formatCount(taken.length, "VM")}, under one name.`}
      button={frame.mayChange && taken.length > 0
        ? {
          form: "checkpoint",
          id: "confirm-checkpoint",
          icon: "plus",
          words: `Take checkpoint of ${formatCount(taken.length, "VM")}`,
          isDanger: false,
        }
        : null}
    >
      <PlanNotices notices={plan.notices} />
      {frame.mayChange ? <Form {...page} /> : <ViewerNotice />}
      <Vms plan={plan} />
    </Confirmation>
  );
}

function Form({ plan, query, name, note, problems, token }: NewCheckpointProps) {
  return (
    <form method="post" action={paths.checkpoints()} id="checkpoint" class="stack">
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token} />
      {query.ids.map((id) => <input type="hidden" name="id" value={id} />)}
      {query.types.map((type) => <input type="hidden" name="type" value={type} />)}
      <Field name="name" label="Name" value={name} problems={problems} help="For example before-upgrade." />
      <Field
        name="note"
        label="Note"
        value={note}
        problems={problems}
        help="What state the VMs are in, such as “v1.13, all well”."
      />
      <label class="check">
        <input type="checkbox" id="shutdown" name="shutdown" value="yes" checked={plan.shutdown} />
        Shut running VMs down first, and start them afterwards
      </label>
    </form>
  );
}

function Vms({ plan }: { plan: CheckpointPlan }) {
  if (plan.vms.length === 0) {
    return (
      <div class="empty">
        <h2>No VMs</h2>
        <p>
          Select VMs in <a href={paths.home()}>the list</a>, or create some first.
        </p>
      </div>
    );
  }
  return (
    <table class="table rows">
      <caption class="visually-hidden">{formatCount(plan.vms.length, "VM")}</caption>
      <TableHead columns={["VM", "State", "Disks", "What is done"]} />
      <tbody>
        {plan.vms.map((vm) => <VmRow vm={vm} />)}
      </tbody>
    </table>
  );
}

function VmRow({ vm }: { vm: VmToCheckpoint }) {
  return (
    <tr data-vm={vm.name} data-state={vm.state} data-blocked={vm.blocked.length > 0 ? vm.name : undefined}>
      <th scope="row">
        <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a>
      </th>
      <td data-label="State">
        <VmState state={vm.state} />
      </td>
      <td data-label="Disks">
        {vm.zvols.length === 0 ? <span class="none">none</span> : (
          <ul class="plain">
            {vm.zvols.map((zvol) => (
              <li>
                <code>{zvol}</code>
              </li>
            ))}
          </ul>
        )}
      </td>
      <td data-label="What is done">
        <Said text={describe(vm)} />
        {vm.expired.length === 0 ? null : (
          <span class="where">
            Expires:{" "}
            <Said text={vm.expired.map(({ name }) => name.slice(name.indexOf("@") + 1)).join(", ")} />
          </span>
        )}
      </td>
    </tr>
  );
}

function describe({ blocked, stops, state }: VmToCheckpoint): string {
  if (blocked.length > 0) return `Nothing: ${blocked.join("; ")}`;
  if (stops) return "Shut down, snapshots, started again";
  return state === "STOPPED" ? "Snapshots" : "Snapshots while it runs";
}
