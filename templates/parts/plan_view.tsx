/** A creation plan, like a diff: what would be created, VM by VM, and what prevents it. */
import type {
  CreationPlan,
  Finding,
  PlannedAction,
  PlannedDevice,
  PlannedVm,
  SurplusVm,
} from "../../lib/plan/types.ts";
import { describeReasons, describeTotals } from "../../lib/plan/description.ts";
import { formatBytes, formatCount, formatMib, MIB } from "../../lib/units.ts";
import { CapacityStrip, type CapacityView } from "./capacity.tsx";
import { Notice } from "./common.tsx";
import { PlanIcon, type PlanSign, Shape } from "./icons.tsx";
import { paths } from "../paths.ts";

/** How each action is shown, in the order of the sums. */
const ACTIONS = {
  create: { tone: "planned", sign: "create", word: "Create", sum: "to create" },
  complete: { tone: "planned", sign: "create", word: "Complete", sum: "to complete" },
  change: { tone: "warn", sign: "change", word: "Change", sum: "to change" },
  replace: { tone: "bad", sign: "replace", word: "Replace", sum: "to replace" },
  blocked: { tone: "bad", sign: null, word: "Blocked", sum: "blocked" },
  keep: { tone: "quiet", sign: "keep", word: "Keep", sum: "to keep" },
} as const satisfies Record<PlannedAction, {
  readonly tone: string;
  /** Null for the shape of trouble. */
  readonly sign: PlanSign | null;
  readonly word: string;
  readonly sum: string;
}>;

/** A type with more VMs than this can be folded, and is folded at first. */
const FOLD_FROM = 12;
/** So many of a folded type are shown. */
const SHOWN_FOLDED = 3;

/** The plan, shown above its form, with what the NAS has. */
export function PlanView({ plan, capacity }: { plan: CreationPlan; capacity: CapacityView | null }) {
  const { vms, findings, totals } = plan;
  const taken = { memoryBytes: totals.memoryMib * MIB, diskBytes: totals.zvolBytes };
  return (
    <section id="plan" class="stack" aria-labelledby="plan-heading" data-plan={plan.fingerprint}>
      <h2 id="plan-heading">
        {vms.length === 0 ? "The plan is empty" : `Plan: ${describeTotals(plan)}`}
      </h2>
      {vms.length === 0
        ? <p>Every count is 0, so there is nothing to create. Raise a count below.</p>
        : <Sums vms={vms} />}
      {totals.vms === 0 ? null : <CapacityStrip capacity={capacity} plan={taken} />}
      <Warnings findings={findings} />
      {vms.length === 0 ? null : <PlanTable plan={plan} />}
      <Surplus vms={plan.surplus} />
    </section>
  );
}

function Sums({ vms }: { vms: readonly PlannedVm[] }) {
  return (
    <p class="sums">
      {Object.entries(ACTIONS).map(([action, { tone, sign, sum }]) => {
        const count = vms.filter((vm) => vm.action === action).length;
        return count === 0 ? null : (
          <span class={`sum ${tone}`}>
            <Sign sign={sign} />
            <span>
              <b>{count}</b> {sum}
            </span>
          </span>
        );
      })}
    </p>
  );
}

function Sign({ sign }: { sign: PlanSign | null }) {
  return sign === null ? <Shape name="bad" /> : <PlanIcon name={sign} />;
}

/** Errors are in the summary above the form and at their fields, so only warnings appear here. */
function Warnings({ findings }: { findings: readonly Finding[] }) {
  const warnings = findings.filter(({ severity }) => severity === "warning");
  if (warnings.length === 0) return null;
  return (
    <Notice tone="warn">
      <ul>{warnings.map(({ message }) => <li>{message}</li>)}</ul>
    </Notice>
  );
}

/** VMs that are not part of the plan: each is destroyed from its own page, and never from here. */
function Surplus({ vms }: { vms: readonly SurplusVm[] }) {
  return (
    <>
      {[...Map.groupBy(vms, ({ type }) => type)].map(([type, own]) => (
        <Notice tone="quiet">
          <p data-surplus={type}>
            <strong>Surplus:</strong> {own.map(({ name, vmId }, n) => (
              <>
                {n === 0 ? "" : ", "}
                <a href={paths.vm(vmId)}>{name}</a>
              </>
            ))}. {type} has a count of {own[0]?.count}. The plan does not touch{" "}
            {own.length === 1 ? "this VM" : "these VMs"}. To destroy{" "}
            {own.length === 1 ? "it" : "one"}, open its page and choose Destroy.
          </p>
        </Notice>
      ))}
    </>
  );
}

const COLUMNS = 8;

function PlanTable({ plan }: { plan: CreationPlan }) {
  const types = Map.groupBy(plan.vms, ({ type }) => type);
  return (
    <table class="table plan">
      <caption class="visually-hidden">What the plan does to each VM</caption>
      <thead>
        <tr>
          <th scope="col" class="c-sign">Plan</th>
          <th scope="col">VM</th>
          <th scope="col" class="num c-hide">vCPUs</th>
          <th scope="col" class="num">Memory</th>
          <th scope="col">Disks</th>
          <th scope="col">Networks</th>
          <th scope="col" class="c-hide">Install image</th>
          <th scope="col" class="num c-hide">Display</th>
        </tr>
      </thead>
      {[...types].map(([type, vms]) => <PlanGroup type={type} vms={vms} plan={plan} />)}
    </table>
  );
}

function PlanGroup({ type, vms, plan }: { type: string; vms: readonly PlannedVm[]; plan: CreationPlan }) {
  const canFold = vms.length > FOLD_FROM;
  return (
    <tbody>
      <tr class="group">
        <th scope="rowgroup" colspan={COLUMNS}>
          <div class="row">
            <h3>{type}</h3>
            <span class="soft sm">
              {vms.length === 1 ? vms[0]?.name : `${vms[0]?.name} to ${vms.at(-1)?.name}`}
            </span>
            {canFold
              ? (
                <label class="check fold-rows">
                  <input type="checkbox" />Show all {vms.length}
                </label>
              )
              : null}
          </div>
        </th>
      </tr>
      {vms.map((vm, n) => (
        <PlanRow vm={vm} plan={plan} isExtra={canFold && n >= SHOWN_FOLDED && vm.action === vms[0]?.action} />
      ))}
    </tbody>
  );
}

function PlanRow({ vm, plan, isExtra }: { vm: PlannedVm; plan: CreationPlan; isExtra: boolean }) {
  const { tone, sign, word } = ACTIONS[vm.action];
  const of = <D extends PlannedDevice["dtype"]>(dtype: D) =>
    vm.devices.filter((device): device is Extract<PlannedDevice, { dtype: D }> => device.dtype === dtype);
  const reasons = describeReasons(vm, plan);
  return (
    <>
      <tr data-plan-vm={vm.name} data-action={vm.action} class={isExtra ? `${tone} extra` : tone}>
        <td class="c-sign">
          <span class={`sign ${tone}`}>
            <Sign sign={sign} />
            {word}
          </span>
        </td>
        <th scope="row">
          {vm.name}
          {reasons.length === 0 ? null : (
            <span class="where">
              {reasons.join("; ")}
            </span>
          )}
        </th>
        <td class="num c-hide">{vm.vcpus}</td>
        <td class="num">{formatMib(vm.memoryMib)}</td>
        <td class="c-parts">
          <ul class="plain">
            {of("DISK").map(({ zvol, sizeBytes, sparse, adopt }) => (
              <li>
                {formatBytes(sizeBytes)}
                {sparse ? " sparse" : ""} <code class="faint">{zvol}</code>
                {adopt ? ", already exists" : ""}
              </li>
            ))}
          </ul>
        </td>
        <td class="c-parts">
          <ul class="plain">
            {of("NIC").map(({ attach, mac }) => (
              <li>
                {attach} <code class="faint">{mac}</code>
              </li>
            ))}
          </ul>
        </td>
        <td class="c-hide">
          {of("CDROM").map(({ path }) => <code class="faint" title={path}>{path.split("/").at(-1)}</code>)}
        </td>
        <td class="c-also">
          {[
            formatCount(vm.vcpus, "vCPU"),
            ...of("CDROM").map(({ path }) => path.split("/").at(-1)),
            ...of("DISPLAY").map(({ port }) => port === 0 ? "no free display port" : `display port ${port}`),
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
    </>
  );
}
