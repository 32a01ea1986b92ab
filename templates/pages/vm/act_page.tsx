/** Confirmation of an action on the selected VMs: what it will do, one sentence per state. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { formatCount } from "../../../lib/units.ts";
import { VM_ACTIONS, type VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { MissingRoles } from "../../parts/frame/connection.tsx";
import { Notice, Tick, ViewerNotice, VmTrail, Warning } from "../../parts/common.tsx";
import { paths } from "../../paths.ts";
import { VmState } from "../../parts/list/vm_row.tsx";
import { Said } from "../../parts/said.tsx";

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

/** The page. It looks like a dialog: what happens to which VMs, then the button. */
export function ActPage({ frame, act }: { frame: PageFrame; act: ActProps }) {
  const { action, affected, unaffected, notice } = act;
  const { verb } = VM_ACTIONS[action];
  const title = affected.length === 0 ? verb : titleOf(action, affected);
  const canConfirm = affected.length > 0 && frame.mayChange;
  const [only] = affected.length === 1 && unaffected.length === 0 ? affected : [];
  return (
    <Layout {...frame} title={verb} current="vms">
      <VmTrail {...(only === undefined ? {} : { vm: only })} />
      <section class="dialog in-page" aria-label={title}>
        <div class="top">
          <h1>{title}</h1>
        </div>
        <div class="body stack">
          <Warning text={notice} />
          {affected.length + unaffected.length === 0
            ? <p>No VMs selected. Select VMs in the list first.</p>
            : null}
          {unaffected.length === 0 ? null : <Unaffected vms={unaffected} />}
          {canConfirm ? <Confirm {...act} missingRoles={frame.missingRoles} /> : null}
          {affected.length > 0 && !frame.mayChange ? <ViewerNotice /> : null}
        </div>
        <div class="foot">
          <a class="btn" href={only === undefined ? paths.home() : paths.vm(only.id)}>
            {affected.length === 0 ? "Back to VMs" : "Cancel"}
          </a>
          {canConfirm
            ? (
              <button
                type="submit"
                form="act"
                class={VM_ACTIONS[action].abrupt ? "btn danger solid" : "btn primary"}
                id="confirm-act"
              >
                {title}
              </button>
            )
            : null}
        </div>
      </section>
    </Layout>
  );
}

function Unaffected({ vms }: { vms: ActProps["unaffected"] }) {
  return (
    <Notice tone="warn">
      <p>
        <strong>{formatCount(vms.length, "selected VM")} will be left unchanged:</strong>
      </p>
      <ul>
        {vms.map(({ name, because }) => (
          <li data-left={name}>
            <strong dir="auto">{name}</strong>: <Said text={because} />
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Confirm(
  { action, affected, token, missingRoles }: ActProps & { readonly missingRoles: readonly string[] },
) {
  return (
    <form method="post" action={paths.act()} id="act" class="stack">
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
          <b>
            <Said text={vms.map(({ name }) => name).join(", ")} />
          </b>{" "}
          {VM_ACTIONS[action].effect}. {vms.length === 1 ? "Now:" : "All now:"} <VmState state={state} />
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
      <MissingRoles roles={missingRoles} />
    </form>
  );
}

/** `Start 2 VMs`, `Remove install image from 2 VMs`, `Restart worker01` */
function titleOf(action: VmActionName, vms: readonly Vm[]): string {
  const [first] = vms;
  const what = vms.length === 1 && first !== undefined ? first.name : formatCount(vms.length, "VM");
  return `${VM_ACTIONS[action].verb} ${action === "detach" ? "from " : ""}${what}`;
}

function byState(vms: readonly Vm[]): { readonly state: string; readonly vms: readonly Vm[] }[] {
  const states = [...new Set(vms.map(({ state }) => state))];
  return states.map((state) => ({ state, vms: vms.filter((vm) => vm.state === state) }));
}
