/** One VM's facts and actions: everything on its page except the forms. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { formatBytes, formatCount, formatMib } from "../../lib/units.ts";
import { VM_ACTIONS, type VmActionName } from "../../lib/inventory/vm_actions.ts";
import { paths } from "../paths.ts";
import { DateTime, Fact, Notice, TableHead } from "./common.tsx";
import type { OperationView } from "../../lib/operations/types.ts";
import { OperationState } from "./operation/states.tsx";
import { BusyState, NicAddresses, topologyOf, type VmRowProps, VmState } from "./vm_row.tsx";

/** An action on a VM, available or not. */
export interface OfferedAction {
  readonly name: VmActionName;
  /** Why it is not available now, or null. */
  readonly because: string | null;
}

/** Props of the live part of a VM's page. */
export interface VmNowProps extends VmRowProps {
  readonly actions: readonly OfferedAction[];
  /** Its operations, newest first. */
  readonly operations: readonly OperationView[];
}

/** Live updates replace all of it when the VM changes. */
export function VmNow(now: VmNowProps) {
  const { vm, busy, mayChange } = now;
  return (
    <div id="vm-now" class="stack">
      {mayChange ? <Actions {...now} /> : null}
      <Consoles vm={vm} mayChange={mayChange} />
      <dl class="facts" data-vm={vm.name} data-state={vm.state}>
        <Fact label="State">{busy === null ? <VmState state={vm.state} /> : <BusyState busy={busy} />}</Fact>
        <Fact label="vCPUs">
          {vm.vcpus} <span class="where">{topologyOf(vm)}</span>
        </Fact>
        <Fact label="Memory">{formatMib(vm.memoryMib)}</Fact>
        <Fact label="Autostart">{vm.autostart ? "Yes" : "No"}</Fact>
        <Fact label="ID on the NAS">{vm.id}</Fact>
        <div>
          <dt>Description</dt>
          <dd dir="auto">{vm.description === "" ? <span class="none">none</span> : vm.description}</dd>
        </div>
      </dl>
      <Devices vm={vm} />
      <Operations {...now} />
    </div>
  );
}

/** Shown when the VM is removed while its page is open. */
export function VmGone() {
  return (
    <div id="vm-now" class="stack">
      <Notice tone="warn">
        <p>
          <strong>This VM no longer exists.</strong> It was removed from the NAS after you opened this page.
          {" "}
          <a href={paths.home()}>Go to VMs</a>
        </p>
      </Notice>
    </div>
  );
}

/** Safe actions run at once, abrupt ones ask first, and unavailable ones say why. */
function Actions({ vm, actions }: VmNowProps) {
  const reasons = new Set(actions.flatMap(({ because }) => because ?? []));
  return (
    <div class="stack">
      <div class="actions" role="group" aria-label={`Actions for ${vm.name}`}>
        {actions.map(({ name, because }) => {
          const { verb, abrupt } = VM_ACTIONS[name];
          const kind = abrupt ? "btn danger" : "btn";
          if (because !== null) {
            return (
              <button
                type="button"
                class={kind}
                disabled
                title={sentenceCase(because)}
                data-because={because}
              >
                {verb}
              </button>
            );
          }
          if (abrupt || name === "restart") {
            return (
              <a class={kind} href={paths.act(name, [vm.id])}>
                {verb}…
              </a>
            );
          }
          return (
            <form method="post" action={paths.vmAction(vm.id, name)}>
              <input type="hidden" name="state" value={vm.state} />
              <button class="btn" type="submit" id={`action-${name}`}>{verb}</button>
            </form>
          );
        })}
        <a class="btn danger" href={paths.vmDestroy(vm.id)}>Destroy…</a>
      </div>
      {[...reasons].map((because) => <p class="help">{sentenceCase(because)}</p>)}
    </div>
  );
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The guest's consoles. */
function Consoles({ vm, mayChange }: Pick<VmNowProps, "vm" | "mayChange">) {
  if (vm.displays.length === 0) {
    return vm.state === "RUNNING" && mayChange
      ? (
        <p class="actions">
          <a class="btn" href={paths.vmSerial(vm.id)}>Serial console</a>
        </p>
      )
      : null;
  }
  return (
    <p class="actions">
      {vm.state === "RUNNING"
        ? (
          <>
            <a class="btn" href={paths.vmConsole(vm.id)}>Console</a>
            {mayChange ? <a class="btn" href={paths.vmSerial(vm.id)}>Serial console</a> : null}
          </>
        )
        : null}
      <a class="btn" href={paths.vmViewer(vm.id)} download>Download .vv file</a>
      {mayChange
        ? (
          <form method="post" action={paths.vmPassword(vm.id)}>
            <button class="btn" type="submit">Show display password</button>
          </form>
        )
        : null}
      <span class="help">
        {vm.state === "RUNNING"
          ? "remote-viewer asks for the display password."
          : "The other consoles are available while the VM is running."}
      </span>
    </p>
  );
}

function Operations({ operations }: VmNowProps) {
  if (operations.length === 0) return null;
  return (
    <>
      <h2>Operations</h2>
      <ul class="plain">
        {operations.map((view) => (
          <li>
            <a href={paths.operation(view.id)}>{view.title}</a> <OperationState status={view.status} />{" "}
            <DateTime at={view.startedAt} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Devices({ vm }: { vm: Vm }) {
  const rows = [
    ...vm.disks.map((disk) => ({
      kind: "Disk",
      what: disk.zvol ?? disk.path,
      detail: disk.sizeBytes === null
        ? "size unknown"
        : `${formatBytes(disk.sizeBytes)}${disk.sparse ? ", sparse" : ""}`,
    })),
    ...vm.cdroms.map(({ path }) => ({ kind: "CD-ROM", what: path, detail: "" })),
    ...vm.nics.map((nic) => ({
      kind: "NIC",
      what: nic.attach ?? "default",
      detail: <NicAddresses nic={nic} />,
    })),
    ...vm.displays.map(({ type, bind, port, webPort }) => ({
      kind: "Display",
      what: `${type} on ${bind}`,
      detail: `port ${port ?? "automatic"}, web ${webPort ?? "automatic"}`,
    })),
    ...vm.others.map(({ dtype, what }) => ({
      kind: dtype === "PCI" || dtype === "USB" ? `${dtype} device` : dtype,
      what,
      detail: "can be changed only in TrueNAS",
    })),
  ];
  if (rows.length === 0) return <p class="empty">This VM has no devices.</p>;
  return (
    <table class="table rows">
      <caption>{formatCount(rows.length, "device")}</caption>
      <TableHead columns={["Type", "Device", "Details"]} />
      <tbody>
        {rows.map(({ kind, what, detail }) => (
          <tr>
            <th scope="row">{kind}</th>
            <td data-label="Device">
              {what === "" ? <span class="none">unknown</span> : <code>{what}</code>}
            </td>
            <td data-label="Details">{detail}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
