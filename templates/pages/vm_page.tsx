/** One VM with all that is known of it. */
import type { Vm } from "../../lib/inventory.ts";
import { formatBytes, formatCount, formatMib } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import { VmState } from "../parts/vm_list.tsx";
import { paths } from "../paths.ts";
import type { PageFrame } from "../props.ts";

/** The page. */
export function VmPage({ frame, vm }: { frame: PageFrame; vm: Vm }) {
  const topology = `${formatCount(vm.sockets, "socket")} × ${formatCount(vm.cores, "core")} × ${
    formatCount(vm.threads, "thread")
  }`;
  return (
    <Layout {...frame} title={vm.name} current="vms">
      <p class="trail">
        <a href={paths.home()}>VMs</a>
      </p>
      <h1 dir="auto">{vm.name}</h1>
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
    </Layout>
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
