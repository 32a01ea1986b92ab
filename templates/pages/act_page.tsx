/** Confirmation of an action on the selected VMs: what it will do, one sentence per state. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { formatCount } from "../../lib/units.ts";
import { VM_ACTIONS, type VmActionName } from "../../lib/inventory/vm_actions.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { MissingRoles } from "../parts/connection.tsx";
import { Notice, Tick, ViewerNotice, VmTrail, Warning } from "../parts/common.tsx";
import { paths } from "../paths.ts";
import { VmState } from "../parts/vm_row.tsx";

/** The state of the page. */
export interface ActProps {
  readonly action: VmActionName;
  /** The selected VMs that the action will change. */
  readonly affected: readonly Vm[];
  /** The other selected VMs, each with the reason why it is left unchanged. */
  readonly unaffected: readonly { readonly name: string; readonly because: string }[];
  readonly token: string;
  readonly notice: string | null;
}

/** The page. */
export function ActPage({ frame, act }: { frame: PageFrame; act: ActProps }) {
  const { action, affected, unaffected, notice } = act;
  const { verb } = VM_ACTIONS[action];
  return (
    <Layout {...frame} title={verb} current="vms">
      <VmTrail />
      <h1>{affected.length === 0 ? verb : titleOf(action, affected.length)}</h1>
      <Warning text={notice} />
      {affected.length + unaffected.length === 0
        ? <p>No VMs selected. Select VMs in the list first.</p>
        : null}
      {unaffected.length === 0 ? null : (
        <Notice tone="warn">
          <p>
            <strong>{formatCount(unaffected.length, "selected VM")} will be left unchanged:</strong>
          </p>
          <ul>
            {unaffected.map(({ name, because }) => (
              <li data-left={name}>
                <strong dir="auto">{name}</strong>: {because}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {affected.length === 0
        ? (
          <p>
            <a class="btn" href={paths.home()}>Back to VMs</a>
          </p>
        )
        : frame.mayChange
        ? <Confirm {...act} missingRoles={frame.missingRoles} />
        : <ViewerNotice />}
    </Layout>
  );
}

function Confirm(
  { action, affected, token, missingRoles }: ActProps & { readonly missingRoles: readonly string[] },
) {
  const { abrupt } = VM_ACTIONS[action];
  return (
    <form method="post" action={paths.act()}>
      <input type="hidden" name="action" value={action} />
      <input type="hidden" name="token" value={token} />
      {affected.map(({ id, state }) => (
        <>
          <input type="hidden" name="id" value={id} />
          <input type="hidden" name="state" value={state} />
        </>
      ))}
      {byState(affected).map(({ state, vms }) => (
        <p data-state={state}>
          <VmState state={state} /> {vms.map(({ name }) => name).join(", ")} {VM_ACTIONS[action].effect}.
        </p>
      ))}
      {action === "start"
        ? (
          <Tick
            name="overcommit"
            label="Start even if memory is short (overcommit)"
            ticked={false}
          />
        )
        : null}
      <p class="actions">
        <button type="submit" class={abrupt ? "btn danger solid" : "btn primary"} id="confirm-act">
          {titleOf(action, affected.length)}
        </button>
        <a class="btn" href={paths.home()}>Cancel</a>
      </p>
      <MissingRoles roles={missingRoles} />
    </form>
  );
}

/** `Start 2 VMs`, `Remove install image from 2 VMs` */
function titleOf(action: VmActionName, count: number): string {
  return `${VM_ACTIONS[action].verb} ${action === "detach" ? "from " : ""}${formatCount(count, "VM")}`;
}

function byState(vms: readonly Vm[]): { readonly state: string; readonly vms: readonly Vm[] }[] {
  const states = [...new Set(vms.map(({ state }) => state))];
  return states.map((state) => ({ state, vms: vms.filter((vm) => vm.state === state) }));
}
