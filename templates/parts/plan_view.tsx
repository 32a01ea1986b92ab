/** A creation plan: what would be created, VM by VM, and what prevents it. */
import type { CreationPlan, Finding, PlannedDevice, PlannedVm } from "../../lib/plan/types.ts";
import { describeReasons, describeTotals } from "../../lib/plan/description.ts";
import { formatBytes, formatMib } from "../../lib/units.ts";
import { State, TableHead, type Tone } from "./common.tsx";

const ACTIONS = {
  create: { tone: "busy", word: "Create" },
  keep: { tone: "quiet", word: "Keep" },
  complete: { tone: "busy", word: "Complete" },
  differs: { tone: "warn", word: "Differs" },
  blocked: { tone: "bad", word: "Blocked" },
} as const satisfies Record<PlannedVm["action"], { tone: Tone; word: string }>;

/** The plan, shown above its form. */
export function PlanView({ plan }: { plan: CreationPlan }) {
  const { vms, findings } = plan;
  return (
    <section class="plan" id="plan" aria-labelledby="plan-heading" data-plan={plan.fingerprint}>
      <h2 id="plan-heading">
        {vms.length === 0 ? "The plan is empty" : `Plan: ${describeTotals(plan)}`}
      </h2>
      {vms.length === 0 ? <p>Every count is 0, so there is nothing to create. Raise a count below.</p> : null}
      <Warnings findings={findings} />
      {vms.length === 0 ? null : <PlanTable plan={plan} />}
    </section>
  );
}

/** Errors are in the summary above the form and at their fields, so only warnings appear here. */
function Warnings({ findings }: { findings: readonly Finding[] }) {
  const warnings = findings.filter(({ severity }) => severity === "warning");
  if (warnings.length === 0) return null;
  return (
    <div class="notice tone-warn">
      <ul>{warnings.map(({ message }) => <li>{message}</li>)}</ul>
    </div>
  );
}

function PlanTable({ plan }: { plan: CreationPlan }) {
  return (
    <table class="rows">
      <caption class="visually-hidden">VMs in the plan</caption>
      <TableHead
        columns={["VM", "Action", "vCPUs", "Memory", "Disks", "Networks", "Install image", "Display"]}
        numeric={["vCPUs", "Memory", "Display"]}
      />
      <tbody>{plan.vms.map((vm) => <PlanRow vm={vm} plan={plan} />)}</tbody>
    </table>
  );
}

function PlanRow({ vm, plan }: { vm: PlannedVm; plan: CreationPlan }) {
  const { tone, word } = ACTIONS[vm.action];
  const of = <D extends PlannedDevice["dtype"]>(dtype: D) =>
    vm.devices.filter((device): device is Extract<PlannedDevice, { dtype: D }> => device.dtype === dtype);
  const why = describeReasons(vm, plan);
  return (
    <tr data-plan-vm={vm.name} data-action={vm.action}>
      <th scope="row">{vm.name}</th>
      <td data-label="Action">
        <State tone={tone} word={word} />
        {why.length === 0 ? null : <span class="where">{why.join("; ")}</span>}
      </td>
      <td class="number" data-label="vCPUs">{vm.vcpus}</td>
      <td class="number" data-label="Memory">{formatMib(vm.memoryMib)}</td>
      <td data-label="Disks">
        <ul class="plain">
          {of("DISK").map(({ zvol, sizeBytes, sparse, adopt }) => (
            <li>
              <code>{zvol}</code> {formatBytes(sizeBytes)}
              {sparse ? " sparse" : ""}
              {adopt ? ", already exists" : ""}
            </li>
          ))}
        </ul>
      </td>
      <td data-label="Networks">
        <ul class="plain">
          {of("NIC").map(({ attach, mac }) => (
            <li>
              {attach} <code>{mac}</code>
            </li>
          ))}
        </ul>
      </td>
      <td data-label="Install image">
        {of("CDROM").map(({ path }) => <code>{path}</code>)}
      </td>
      <td class="number" data-label="Display">
        {of("DISPLAY").map(({ port, webPort }) => (
          <span title={`web port ${webPort ?? "chosen by the NAS"}`}>
            {port === 0 ? "no free port" : port}
          </span>
        ))}
      </td>
    </tr>
  );
}
