/** The VMs of one type in a plan: a row each, and below it what differs and what it costs, with a tick. */
import { stateWord } from "../list/vm_row.tsx";
import { describeAddress, ownReasons } from "../../../lib/plan/description.ts";
import type { CreationPlan, PlannedDevice, PlannedVm, SurplusVm } from "../../../lib/plan/types.ts";
import { formatBytes, formatCount, formatMib } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { Icon } from "../icons.tsx";
import { PlanDetail } from "./plan_detail.tsx";
import { PlanFirstBoot } from "./plan_first_boot.tsx";
import { ACTIONS, ActionSign, COLUMNS } from "./plan_icons.tsx";
import { causeOf, sumsOf } from "./plan_words.ts";
import type { PlanSelection } from "./selection.ts";

/** A type with more VMs than this can be folded, and is folded at first. */
const FOLD_FROM = 12;
/** So many of those of which the same is said are shown of a folded type. */
const SHOWN_FOLDED = 3;

interface PlanGroupProps {
  readonly type: string;
  readonly plan: CreationPlan;
  readonly selection: PlanSelection | null;
}

/** One type: its VMs, and those beyond its count. */
export function PlanGroup({ type, plan, selection }: PlanGroupProps) {
  const vms = plan.vms.filter((vm) => vm.type === type);
  const surplus = plan.surplus.filter((vm) => vm.type === type);
  const canFold = vms.length > FOLD_FROM;
  const alike = Map.groupBy(vms, causeOf);
  const changes = vms.filter(({ action }) => action === "change").length;
  return (
    <tbody>
      <tr class="group">
        <th scope="rowgroup" colspan={COLUMNS}>
          <div class="row">
            <h3 dir="auto">{type}</h3>
            <span class="soft sm">
              {[...namesOf(vms), ...(canFold ? [sumsOf(vms)] : [])].join(" · ")}
            </span>
            <span class="end">
              {selection !== null && changes > 1
                ? (
                  <label class="check scripted">
                    <input type="checkbox" data-all={type} />Change all {changes}
                  </label>
                )
                : null}
              {canFold
                ? (
                  <label class="check fold-rows">
                    <input type="checkbox" />Show all {vms.length}
                  </label>
                )
                : null}
            </span>
          </div>
        </th>
      </tr>
      <PlanFirstBoot type={type} vms={vms} />
      {vms.map((vm) => {
        const same = alike.get(causeOf(vm)) ?? [];
        const isExtra = canFold && same.indexOf(vm) >= SHOWN_FOLDED;
        const like = canFold && same[0] !== vm ? same[0]?.name ?? null : null;
        return (
          <>
            <PlanRow vm={vm} plan={plan} isExtra={isExtra} like={like} />
            <PlanDetail vm={vm} selection={selection} isExtra={isExtra} like={like} />
          </>
        );
      })}
      <SurplusRows vms={surplus} />
    </tbody>
  );
}

/** `worker01 to worker05` */
function namesOf(vms: readonly PlannedVm[]): readonly string[] {
  const [first] = vms;
  if (first === undefined) return [];
  return [vms.length === 1 ? first.name : `${first.name} to ${vms.at(-1)?.name}`];
}

interface PlanRowProps {
  readonly vm: PlannedVm;
  readonly plan: CreationPlan;
  /** Whether it is hidden while its type is folded. */
  readonly isExtra: boolean;
  /** The VM whose row explains this one as well; null when it explains itself. */
  readonly like: string | null;
}

/** The VM as it is, or as it will be when it is created. */
function PlanRow({ vm, plan, isExtra, like }: PlanRowProps) {
  const { name, action } = vm;
  const { tone, word } = ACTIONS[action];
  const of = <D extends PlannedDevice["dtype"]>(dtype: D) =>
    vm.devices.filter((device): device is Extract<PlannedDevice, { dtype: D }> => device.dtype === dtype);
  const now = (field: string, configured: string) =>
    vm.differences.find((difference) => difference.field === field)?.found ?? configured;
  const [vcpus, memory] = [now("vcpus", String(vm.vcpus)), now("memory", formatMib(vm.memoryMib))];
  const image = (path: string) => now("cdrom", path).split("/").at(-1);
  return (
    <tr id={`plan-${name}`} data-plan-vm={name} data-action={action} class={isExtra ? `${tone} extra` : tone}>
      <td class="c-sign">
        <span class={`sign ${tone}`}>
          <ActionSign action={action} />
          {word}
        </span>
      </td>
      <th scope="row">
        {name}
        <Where vm={vm} plan={plan} like={like} />
      </th>
      <td class="num c-hide">{vcpus}</td>
      <td class="num">{memory}</td>
      <td class="c-parts">
        <ul class="plain">
          {of("DISK").map(({ step, zvol, sizeBytes, sparse, adopt, image, source }) => (
            <li>
              {sizeNow(vm, step) ?? formatBytes(sizeBytes)}
              {sparse ? " sparse" : ""} <code class="faint">{zvol}</code>
              {image === undefined
                ? ""
                : ` ${image.golden === null ? "copy" : "clone"} of the image ${image.name}`}
              {source === undefined ? "" : (
                <>
                  {" "}copy of <code class="faint">{source.snapshot}</code>
                </>
              )}
              {adopt ? ", already exists" : ""}
            </li>
          ))}
        </ul>
      </td>
      <td class="c-parts">
        <ul class="plain">
          {of("NIC").map(({ step, attach, mac, ip }) => (
            <li>
              {attributeNow(vm, step, "nic_attach") ?? attach}{" "}
              <code class="faint">{attributeNow(vm, step, "mac") ?? mac}</code>
              {describeAddress(ip).map((address) => (
                <>
                  {" "}
                  <code>{address}</code>
                </>
              ))}
            </li>
          ))}
        </ul>
      </td>
      <td class="c-hide">
        {of("CDROM").map(({ path }) => <code class="faint" title={now("cdrom", path)}>{image(path)}</code>)}
      </td>
      <td class="c-also">
        {[
          formatCount(Number(vcpus), "vCPU"),
          ...of("CDROM").map(({ path }) =>
            image(path)
          ),
          ...of("DISPLAY").map(({ port }) =>
            port === 0 ? "no free display port" : `display port ${port}`
          ),
        ].join(", ")}
      </td>
      <td class="num c-hide">
        {of("DISPLAY").map(({ port, webPort }) => (
          <span title={`web port ${webPort ?? "chosen by the NAS"}`}>
            {port === 0 ? "no free port" : port}
          </span>
        ))}
      </td>
    </tr>
  );
}

/** The state of a VM that could be changed, and why nothing or something special is done with others. */
function Where({ vm, plan, like }: Omit<PlanRowProps, "isExtra">) {
  const state = vm.state === null ? [] : [stateWord(vm.state)];
  // What is missing is listed with what differs.
  const listed = vm.action === "change" || vm.action === "replace";
  const reasons = ownReasons(vm, plan).filter((reason) => !listed || !reason.startsWith("missing: "));
  const said = like === null || reasons.length === 0 ? reasons : [`as ${like}`];
  const all = [...state, ...said];
  return all.length === 0 ? null : <span class="where">{all.join("; ")}</span>;
}

function sizeNow({ differences }: PlannedVm, step: string): string | null {
  const sized = differences.find(({ field, change, replaces }) =>
    field === step && (replaces || change?.kind === "grow")
  );
  return sized?.found ?? null;
}

function attributeNow({ differences }: PlannedVm, step: string, name: string): string | null {
  const other = differences.find(({ field, change }) =>
    field.startsWith(step) && change?.kind === "device" && name in change.set
  );
  return other?.found ?? null;
}

/** VMs beyond the count: they stay, and are destroyed only from their own page. */
function SurplusRows({ vms }: { vms: readonly SurplusVm[] }) {
  const [first] = vms;
  if (first === undefined) return null;
  const { tone, word } = ACTIONS.surplus;
  return (
    <>
      {vms.map(({ name, vmId, state, vcpus, memoryMib }) => (
        <tr id={`plan-${name}`} data-plan-vm={name} data-action="surplus" class={tone}>
          <td class="c-sign">
            <span class={`sign ${tone}`}>
              <ActionSign action="surplus" />
              {word}
            </span>
          </td>
          <th scope="row">
            <a href={paths.vm(vmId)}>{name}</a>
            <span class="where">{stateWord(state)}</span>
          </th>
          <td class="num c-hide">{vcpus}</td>
          <td class="num">{formatMib(memoryMib)}</td>
          <td colspan={COLUMNS - 4} class="c-hide"></td>
        </tr>
      ))}
      <tr class="detail quiet" data-surplus={first.type}>
        <td class="c-sign"></td>
        <td colspan={COLUMNS - 1}>
          <p class="surplus">
            {first.type} has a count of {first.count}. The plan does not touch{" "}
            {vms.length === 1 ? "this VM" : "these VMs"}.{" "}
            <a
              class="btn sm"
              href={paths.destroy({
                prefixes: "",
                vms: [],
                ids: vms.map(({ vmId }) => vmId),
                keepDisks: false,
                shutdown: false,
              })}
            >
              <Icon name="bin" />
              {vms.length === 1 ? `Destroy ${first.name}…` : `Destroy these ${vms.length} VMs…`}
            </a>
          </p>
        </td>
      </tr>
    </>
  );
}
