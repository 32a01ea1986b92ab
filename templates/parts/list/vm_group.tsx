/** The heading of a group in the list: its name, how its VMs are, what they have together, and what to do with them. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { formatMib, formatNumber } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { Icon } from "../icons.tsx";
import { stateTone, stateWord } from "./vm_row.tsx";

/** The group of VMs that this program created and that are of no type in the configuration. */
export const CREATED_HERE = "+here";
/** The group of VMs that others created. */
export const CREATED_ELSEWHERE = "";

/** Which VMs of a group answer. */
export interface GroupReady {
  readonly count: number;
  /** The ids of those that do not any longer, or never did. */
  readonly lost: readonly number[];
}

/** Props of a heading. */
export interface VmGroupProps {
  /** A type, {@link CREATED_HERE} or {@link CREATED_ELSEWHERE}. */
  readonly group: string;
  readonly vms: readonly Vm[];
  /** Which of them answer; null when nobody waited for any. */
  readonly ready: GroupReady | null;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
  /** How many columns the table has. */
  readonly columns: number;
}

/** The id of a group's heading. */
export function groupId(group: string): string {
  return `group-${group === "" ? "-" : group.replaceAll(/[^A-Za-z0-9_]/g, "-")}`;
}

/** The name of a group. */
export function groupName(group: string): string {
  if (group === CREATED_HERE) return "Others created here";
  return group === CREATED_ELSEWHERE ? "Created elsewhere" : group;
}

/** The heading. Its tick box folds the group, without a script. */
export function VmGroup({ group, vms, ready, mayChange, columns }: VmGroupProps) {
  const running = vms.filter(({ state }) => state === "RUNNING").length;
  const vcpus = vms.reduce((sum, vm) => sum + vm.vcpus, 0);
  const memory = vms.reduce((sum, vm) => sum + vm.memoryMib, 0);
  const name = groupName(group);
  return (
    <tr class="group" id={groupId(group)} data-group={group}>
      <th scope="rowgroup" colspan={columns}>
        <div class="row">
          <label class="fold-group">
            <input type="checkbox" id={`fold-${groupId(group)}`} aria-label={`Fold ${name}`} />
            <Icon name="chevron" />
          </label>
          <h2>{name}</h2>
          <Health vms={vms} lost={ready?.lost ?? []} />
          <span class="soft">
            {ready === null ? ofAll(running, vms.length, "running") : ofAll(ready.count, vms.length, "ready")}
            <span class="wide-only">
              {` · ${formatNumber(vcpus)} ${vcpus === 1 ? "vCPU" : "vCPUs"} · ${formatMib(memory)}`}
            </span>
          </span>
          <GroupMenu group={group} mayChange={mayChange} />
        </div>
      </th>
    </tr>
  );
}

/** `All 3 running`, `2 of 5 ready` */
function ofAll(count: number, all: number, word: string): string {
  return count === all
    ? `All ${formatNumber(all)} ${word}`
    : `${formatNumber(count)} of ${formatNumber(all)} ${word}`;
}

/** Above this number, a cell for each VM would say less than the counts. */
const MAX_DOTS = 24;

function Health({ vms, lost }: { vms: readonly Vm[]; lost: readonly number[] }) {
  const states = new Map<string, number>();
  for (const { state } of vms) states.set(state, (states.get(state) ?? 0) + 1);
  const counts = [...states].map(([state, count]) => `${count} ${stateWord(state).toLowerCase()}`);
  const words = [...counts, ...(lost.length === 0 ? [] : [`${lost.length} without an answer`])].join(", ");
  if (vms.length > MAX_DOTS) return null;
  return (
    <span class="dots" role="img" aria-label={words}>
      {vms.map(({ id, state }) => <i class={lost.includes(id) ? "warn" : stateTone(state)}></i>)}
    </span>
  );
}

function GroupMenu({ group, mayChange }: Pick<VmGroupProps, "group" | "mayChange">) {
  const isType = group !== CREATED_HERE && group !== CREATED_ELSEWHERE;
  const filter = isType ? { type: group } : { ours: group === CREATED_HERE ? "yes" : "no" };
  return (
    <details class="menu" name="menu" id={`menu-${groupId(group)}`}>
      <summary class="btn plain only-icon" aria-label={`More for ${groupName(group)}`}>
        <Icon name="more" />
      </summary>
      <div class="panel">
        {mayChange
          ? (
            <>
              <a class="item" href={paths.actOnGroup("start", group)}>
                <Icon name="start" />
                Start all stopped…
              </a>
              <a class="item" href={paths.actOnGroup("stop", group)}>
                <Icon name="power" />
                Shut down all running…
              </a>
              {isType
                ? (
                  <a class="item" href={paths.newCheckpoint({ types: [group] })}>
                    <Icon name="clock" />
                    Checkpoint…
                  </a>
                )
                : null}
              <hr />
            </>
          )
          : null}
        {isType
          ? (
            <a class="item" href={paths.home(filter)}>
              <Icon name="search" />
              Show only {group}
            </a>
          )
          : null}
        <a class="item" href={paths.export(filter)}>
          <Icon name="export" />
          Export
        </a>
        {isType && mayChange
          ? (
            <>
              <hr />
              <a
                class="item danger"
                href={paths.destroy({
                  prefixes: group,
                  vms: [],
                  ids: [],
                  keepDisks: false,
                  shutdown: false,
                })}
              >
                <Icon name="bin" />
                Destroy the group…
              </a>
            </>
          )
          : null}
      </div>
    </details>
  );
}
