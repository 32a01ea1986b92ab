/** What a destruction takes, and what it leaves. */
import type { DestructionPlan, DestructionVm } from "../../lib/plan/types.ts";
import { formatBytes, formatCount } from "../../lib/units.ts";
import { Icon, type IconName, Shape } from "./icons.tsx";
import { Said } from "./said.tsx";

/** A group of VMs that stay. */
export interface StayingVms {
  /** The group's type; null for VMs of no type. */
  readonly type: string | null;
  readonly names: readonly string[];
}

/** What stays, apart from the plan's own exceptions. */
export interface Staying {
  readonly vms: readonly StayingVms[];
  /** VM types of the configuration whose VMs go. */
  readonly types: readonly string[];
}

/** Names and groups beyond this are a number. */
const NAMES_SHOWN = 6;
const GROUPS_SHOWN = 4;

/** Both lists, side by side. */
export function GoesAndStays({ plan, staying }: { plan: DestructionPlan; staying: Staying }) {
  return (
    <div class="goes-stays">
      <Goes plan={plan} />
      <Stays plan={plan} staying={staying} />
    </div>
  );
}

function Goes({ plan }: { plan: DestructionPlan }) {
  const { totals } = plan;
  const vms = plan.vms.filter(({ blocked }) => blocked.length === 0);
  const snapshots = totals.snapshots === 0 ? "" : `, with ${formatCount(totals.snapshots, "snapshot")}`;
  return (
    <section class="card" aria-labelledby="goes-head">
      <header>
        <h2 id="goes-head">Goes</h2>
      </header>
      <ul class="toll">
        <Going icon="vm" what={formatCount(totals.vms, "VM")}>
          {named(vms.map(({ name }) => name))}
          {whileRunning(plan, vms)}
        </Going>
        {totals.zvols === 0
          ? null
          : (
            <Going icon="disk" what={formatCount(totals.zvols, "disk")} size={formatBytes(totals.zvolBytes)}>
              in {named(parentsOf(vms))}
              {snapshots}
            </Going>
          )}
      </ul>
    </section>
  );
}

function Going(
  { icon, what, size = "", children }: {
    readonly icon: IconName;
    readonly what: string;
    readonly size?: string;
    readonly children: readonly (string | null)[];
  },
) {
  return (
    <li class="bad">
      <Icon name={icon} />
      <span>
        {what}
        <br />
        <small dir="auto">{children}</small>
      </span>
      <b>{size}</b>
    </li>
  );
}

/** What happens first to VMs that run. */
function whileRunning({ shutdown }: DestructionPlan, vms: readonly DestructionVm[]): string | null {
  const running = vms.filter(({ state }) => state !== "STOPPED").length;
  if (running === 0) return null;
  const who = running === vms.length
    ? running === 1 ? "it is running" : "all are running"
    : `${running} ${running === 1 ? "is" : "are"} running`;
  return `; ${who} and ${running === 1 ? "is" : "are"} ${shutdown ? "shut down" : "powered off"} first`;
}

/** The datasets that the zvols are in. */
function parentsOf(vms: readonly DestructionVm[]): readonly string[] {
  return [...new Set(vms.flatMap(({ zvols }) => zvols.map(({ name }) => name.replace(/\/[^/]*$/, ""))))];
}

function Stays({ plan, staying: { vms, types } }: { plan: DestructionPlan; staying: Staying }) {
  const keeps = plan.vms.filter(({ blocked }) => blocked.length === 0).flatMap((vm) => vm.keeps).length;
  const groups = vms.slice(0, GROUPS_SHOWN);
  const rest = vms.slice(GROUPS_SHOWN).reduce((sum, { names }) => sum + names.length, 0);
  return (
    <section class="card" aria-labelledby="stays-head">
      <header>
        <h2 id="stays-head">Stays</h2>
      </header>
      <ul class="toll">
        {keeps === 0 ? null : <Remaining what={formatCount(keeps, "disk")} why="with all data" />}
        {groups.map(({ type, names }) => (
          <Remaining
            what={type ?? named(names)}
            why={type === null ? "" : names.length === 1 ? names.join() : formatCount(names.length, "VM")}
          />
        ))}
        {rest === 0 ? null : <Remaining what={formatCount(rest, "other VM")} why="" />}
        {types.length === 0 ? null : (
          <Remaining
            what={named(types)}
            why={`the ${types.length === 1 ? "type" : "types"}, to create them again`}
          />
        )}
        <Remaining what="Install images" why="on the NAS" />
      </ul>
    </section>
  );
}

/** One line of what stays. */
export function Remaining({ what, why }: { what: string; why: string }) {
  return (
    <li class="good">
      <Shape name="done" />
      <span>
        <Said text={what} />{" "}
        <small>
          <Said text={why} />
        </small>
      </span>
      <span></span>
    </li>
  );
}

/** `worker01, worker02 and 3 more` */
function named(names: readonly string[]): string {
  if (names.length <= NAMES_SHOWN) return names.join(", ");
  return `${names.slice(0, NAMES_SHOWN - 1).join(", ")} and ${names.length - NAMES_SHOWN + 1} more`;
}
