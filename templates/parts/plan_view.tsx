/** A creation plan: what would be made, VM by VM, and what stands against it. */
import type { CreationPlan, Finding, PlannedDevice, PlannedVm } from "../../lib/plan/types.ts";
import { formatBytes, formatCount, formatMib } from "../../lib/units.ts";
import { State, type Tone } from "./common.tsx";

const ACTIONS = {
  create: { tone: "busy", word: "Create" },
  keep: { tone: "quiet", word: "Keep" },
  complete: { tone: "busy", word: "Complete" },
  differs: { tone: "warn", word: "Differs" },
  blocked: { tone: "bad", word: "Blocked" },
} as const satisfies Record<PlannedVm["action"], { tone: Tone; word: string }>;

/** The plan, above the form that led to it. */
export function PlanView({ plan }: { plan: CreationPlan }) {
  const { totals, vms, findings } = plan;
  return (
    <section class="plan" id="plan" aria-labelledby="plan-heading" data-plan={plan.fingerprint}>
      <h2 id="plan-heading">
        {vms.length === 0 ? "The plan is empty" : `The plan: ${describeTotals(totals)}`}
      </h2>
      {vms.length === 0 ? <p>Every count is 0, so there is nothing to make. Raise a count below.</p> : null}
      <Findings findings={findings} />
      {vms.length === 0 ? null : <PlanTable vms={vms} />}
    </section>
  );
}

function describeTotals({ vms, vcpus, memoryMib, zvols, zvolBytes }: CreationPlan["totals"]): string {
  if (vms === 0) return "nothing to do";
  const parts = [formatCount(vms, "VM"), formatCount(vcpus, "vCPU"), `${formatMib(memoryMib)} of memory`];
  if (zvols > 0) parts.push(`${formatCount(zvols, "zvol")} of ${formatBytes(zvolBytes)}`);
  return parts.join(", ");
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  const of = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity);
  const errors = of("error");
  const warnings = of("warning");
  return (
    <>
      {errors.length === 0 ? null : (
        <div class="notice tone-bad" role="alert">
          <h3>{formatCount(errors.length, "problem")} on the NAS</h3>
          <FindingList findings={errors} />
        </div>
      )}
      {warnings.length === 0 ? null : (
        <div class="notice tone-warn">
          <FindingList findings={warnings} />
        </div>
      )}
    </>
  );
}

function FindingList({ findings }: { findings: readonly Finding[] }) {
  return (
    <ul>
      {findings.map(({ vm, message, line }) => (
        <li>
          {vm === null ? null : <strong>{vm}:</strong>} {message}
          {line === undefined ? null : <span class="where">config.yaml line {line}</span>}
        </li>
      ))}
    </ul>
  );
}

function PlanTable({ vms }: { vms: readonly PlannedVm[] }) {
  return (
    <table class="rows">
      <caption class="visually-hidden">VMs of the plan</caption>
      <thead>
        <tr>
          <th scope="col">VM</th>
          <th scope="col">Action</th>
          <th scope="col" class="number">vCPUs</th>
          <th scope="col" class="number">Memory</th>
          <th scope="col">Disks</th>
          <th scope="col">Networks</th>
          <th scope="col">Install image</th>
          <th scope="col" class="number">Display</th>
        </tr>
      </thead>
      <tbody>{vms.map((vm) => <PlanRow vm={vm} />)}</tbody>
    </table>
  );
}

function PlanRow({ vm }: { vm: PlannedVm }) {
  const { tone, word } = ACTIONS[vm.action];
  const of = <D extends PlannedDevice["dtype"]>(dtype: D) =>
    vm.devices.filter((device): device is Extract<PlannedDevice, { dtype: D }> => device.dtype === dtype);
  const why = [
    ...vm.reasons,
    ...vm.differences.map(({ field, wanted, found }) => `${field} is ${found}, wanted ${wanted}`),
  ];
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
              {adopt ? ", there already" : ""}
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
          <span title={`web port ${webPort ?? "chosen by the NAS"}`}>{port === 0 ? "none free" : port}</span>
        ))}
      </td>
    </tr>
  );
}
