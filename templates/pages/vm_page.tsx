/** One VM with all that is known of it. */
import type { Vm } from "../../lib/inventory.ts";
import { formatBytes, formatCount, formatMib } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import type { OperationView } from "../../lib/operations/types.ts";
import { VM_ACTIONS } from "../../lib/vm_actions.ts";
import type { Problem } from "../../lib/errors.ts";
import { DateTime, ErrorSummary, Notice } from "../parts/common.tsx";
import { CloneForm, DiskForms, NicAndMediaForms, SettingsForm } from "../parts/vm_forms.tsx";
import { OperationState } from "../parts/operation.tsx";
import { VmState } from "../parts/vm_list.tsx";
import { paths } from "../paths.ts";
import type { OfferedAction, PageFrame, Typed } from "../props.ts";

/** What the page is given. */
export interface VmPageProps {
  readonly frame: PageFrame;
  readonly vm: Vm;
  readonly actions: readonly OfferedAction[];
  /** Its operations, newest first. */
  readonly operations: readonly OperationView[];
  readonly notice: string | null;
  readonly problems: readonly Problem[];
  readonly typed: Typed | null;
}

/** The page. */
export function VmPage({ frame, vm, actions, operations, notice, problems, typed }: VmPageProps) {
  const form = { vm, problems, typed };
  const topology = `${formatCount(vm.sockets, "socket")} × ${formatCount(vm.cores, "core")} × ${
    formatCount(vm.threads, "thread")
  }`;
  return (
    <Layout {...frame} title={vm.name} current="vms">
      <p class="trail">
        <a href={paths.home()}>VMs</a>
      </p>
      <h1 dir="auto">{vm.name}</h1>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      {frame.mayChange ? <Actions vm={vm} actions={actions} /> : null}
      <Consoles vm={vm} />
      <dl class="facts" data-vm={vm.name} data-state={vm.state}>
        <div>
          <dt>State</dt>
          <dd>
            <VmState state={vm.state} />
          </dd>
        </div>
        <div>
          <dt>vCPUs</dt>
          <dd>
            {vm.vcpus} <span class="where">{topology}</span>
          </dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd>{formatMib(vm.memoryMib)}</dd>
        </div>
        <div>
          <dt>Autostart</dt>
          <dd>{vm.autostart ? "Yes" : "No"}</dd>
        </div>
        <div>
          <dt>Id on the NAS</dt>
          <dd>{vm.id}</dd>
        </div>
        <div>
          <dt>Description</dt>
          <dd dir="auto">{vm.description === "" ? <span class="none">none</span> : vm.description}</dd>
        </div>
      </dl>
      <Devices vm={vm} />
      {frame.mayChange
        ? (
          <>
            <h2>Change</h2>
            <SettingsForm {...form} />
            <DiskForms {...form} />
            <NicAndMediaForms {...form} />
            <CloneForm {...form} />
          </>
        )
        : null}
      <Operations operations={operations} />
    </Layout>
  );
}

/** Gentle ones at a click, abrupt ones after a question; what is not possible says why. */
function Actions({ vm, actions }: Pick<VmPageProps, "vm" | "actions">) {
  return (
    <div class="actions" role="group" aria-label={`Actions of ${vm.name}`}>
      {actions.map(({ name, because }) => {
        const { verb, abrupt } = VM_ACTIONS[name];
        const kind = abrupt ? "danger" : undefined;
        if (because !== null) {
          return (
            <button type="button" class={kind} disabled title={`Not now: ${because}`} data-because={because}>
              {verb}
            </button>
          );
        }
        if (abrupt || name === "restart") {
          return <a class={`button ${kind ?? ""}`} href={paths.act(name, [vm.id])}>{verb}…</a>;
        }
        return (
          <form method="post" action={paths.vmAction(vm.id, name)}>
            <input type="hidden" name="state" value={vm.state} />
            <button type="submit" id={`action-${name}`}>{verb}</button>
          </form>
        );
      })}
    </div>
  );
}

/** The ways to see the guest's screen. */
function Consoles({ vm }: Pick<VmPageProps, "vm">) {
  if (vm.displays.length === 0) {
    return vm.state === "RUNNING"
      ? (
        <p class="actions">
          <a class="button" href={paths.vmSerial(vm.id)}>Serial console</a>
        </p>
      )
      : null;
  }
  return (
    <p class="actions">
      {vm.state === "RUNNING"
        ? (
          <>
            <a class="button" href={paths.vmConsole(vm.id)}>Web console</a>
            <a class="button" href={paths.vmSerial(vm.id)}>Serial console</a>
          </>
        )
        : null}
      <a class="button" href={paths.vmViewer(vm.id)} download>remote-viewer file</a>
      <span class="help">
        {vm.state === "RUNNING"
          ? "Web console and viewer ask for the display's password."
          : "The other consoles are there while the VM runs."}
      </span>
    </p>
  );
}

function Operations({ operations }: Pick<VmPageProps, "operations">) {
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
        ? "size not known"
        : `${formatBytes(disk.sizeBytes)}${disk.sparse ? ", sparse" : ""}`,
    })),
    ...vm.cdroms.map(({ path }) => ({ kind: "CD-ROM", what: path, detail: "" })),
    ...vm.nics.map(({ attach, mac }) => ({
      kind: "NIC",
      what: attach ?? "default",
      detail: mac ?? "new MAC at each start",
    })),
    ...vm.displays.map(({ type, bind, port, webPort }) => ({
      kind: "Display",
      what: `${type} on ${bind}`,
      detail: `port ${port ?? "automatic"}, web ${webPort ?? "automatic"}`,
    })),
  ];
  if (rows.length === 0) return <p class="empty">This VM has no devices.</p>;
  return (
    <table class="rows">
      <caption>{formatCount(rows.length, "device")}</caption>
      <thead>
        <tr>
          <th scope="col">Device</th>
          <th scope="col">What</th>
          <th scope="col">Detail</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ kind, what, detail }) => (
          <tr>
            <th scope="row">{kind}</th>
            <td data-label="What">
              <code>{what}</code>
            </td>
            <td data-label="Detail">{detail}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
