/** Checkpoints as a table: when, of which VMs, the space they take, and what changed since. */
import type { Checkpoint, CheckpointVm } from "../../../lib/checkpoints/checkpoint.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";
import { DateTime, State, TableHead } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";

/** Props of the table. */
export interface CheckpointTableProps {
  readonly checkpoints: readonly Checkpoint[];
  readonly mayChange: boolean;
  /** The VM whose page it stands on, by its name at the time; null where all VMs are shown. */
  readonly only?: { readonly id: number } | null;
}

/** The table. */
export function CheckpointTable({ checkpoints, mayChange, only = null }: CheckpointTableProps) {
  const columns = ["Checkpoint", "Taken", "VMs", "Takes at least", ...(mayChange ? ["Actions"] : [])];
  return (
    <table class="table rows checkpoints">
      <caption class="visually-hidden">{formatCount(checkpoints.length, "checkpoint")}, newest first</caption>
      <TableHead columns={columns} numeric={["Takes at least"]} />
      <tbody>
        {checkpoints.map((checkpoint) => <Row checkpoint={checkpoint} mayChange={mayChange} only={only} />)}
      </tbody>
    </table>
  );
}

function Row(
  { checkpoint, mayChange, only }: {
    readonly checkpoint: Checkpoint;
    readonly mayChange: boolean;
    readonly only: { readonly id: number } | null;
  },
) {
  const { name, note, takenAt, usedBytes, vms } = checkpoint;
  const shown = only === null ? vms : vms.filter(({ vmId }) => vmId === only.id);
  return (
    <tr data-checkpoint={name}>
      <th scope="row">
        <span class="name" dir="auto">{name}</span>
        {note === "" ? null : (
          <span class="where">
            <Said text={note} />
          </span>
        )}
        {checkpoint.isWhole ? null : <State tone="warn" word="Not complete" />}
      </th>
      <td data-label="Taken">{takenAt === null ? "unknown" : <DateTime at={takenAt} />}</td>
      <td data-label="VMs">
        <Vms vms={shown} all={vms.length} />
      </td>
      <td class="num" data-label="Takes at least">
        {usedBytes === null ? "unknown" : formatBytes(usedBytes)}
      </td>
      {mayChange ? <Actions checkpoint={checkpoint} vms={shown} isPart={only !== null} /> : null}
    </tr>
  );
}

function Actions(
  { checkpoint: { name }, vms, isPart }: {
    readonly checkpoint: Checkpoint;
    readonly vms: readonly CheckpointVm[];
    readonly isPart: boolean;
  },
) {
  const query = isPart ? { vms: vms.map((vm) => vm.name) } : {};
  return (
    <td data-label="Actions">
      <span class="row-actions">
        {vms.some(({ vmId }) => vmId !== null)
          ? (
            <a class="btn sm" href={paths.checkpointRollback(name, query)}>
              <Icon name="undo" />Roll back…
            </a>
          )
          : null}
        {isPart ? null : <a class="btn sm" href={paths.checkpointRemove(name)}>Remove…</a>}
      </span>
    </td>
  );
}

/** More than these stand in a fold. */
const MAX_SHOWN = 4;

function Vms({ vms, all }: { vms: readonly CheckpointVm[]; all: number }) {
  const list = (
    <ul class="plain">
      {vms.map((vm) => <Vm vm={vm} />)}
    </ul>
  );
  if (vms.length <= MAX_SHOWN) {
    return (
      <>
        {list}
        {all > vms.length ? <span class="where">and {formatCount(all - vms.length, "other VM")}</span> : null}
      </>
    );
  }
  const changed = vms.filter(({ changes }) => changes.length > 0).length;
  return (
    <details class="fold inline">
      <summary>
        <Icon name="chevron" />
        <b>{formatCount(vms.length, "VM")}</b>
        <span>{changed === 0 ? "none changed since" : `${changed} changed since`}</span>
      </summary>
      <div class="body">{list}</div>
    </details>
  );
}

function Vm({ vm: { name, vmId, running, changes, snapshots } }: { vm: CheckpointVm }) {
  const held = snapshots.filter(({ holds }) => holds.length > 0).length;
  const clones = snapshots.flatMap((snapshot) => snapshot.clones);
  const facts = [
    ...(running ? ["taken while it ran"] : []),
    ...changes,
    ...(held === 0 ? [] : [`${formatCount(held, "snapshot")} with a hold`]),
    ...clones.map((clone) => `${clone} is a clone of it`),
  ];
  return (
    <li>
      {vmId === null ? <span dir="auto">{name}</span> : <a href={paths.vm(vmId)} dir="auto">{name}</a>}
      {facts.length === 0 ? null : (
        <span class="where">
          <Said text={facts.join("; ")} />
        </span>
      )}
    </li>
  );
}
