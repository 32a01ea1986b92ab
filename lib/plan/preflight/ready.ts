/** Rules about how it is known that VMs answer. */
import { vmTypeOf } from "../../configuration/configuration.ts";
import { isUnreachable } from "../../first_boot/planning/seed_way.ts";
import { portOf } from "../../first_boot/readiness/planned_ready.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { type Context, error, firstOfEachType, type Rule, warning } from "./rule.ts";

/** The rules. */
export const READY_RULES: readonly Rule[] = [checkSigns, checkWait, checkRehearsal];

/** A VM that can give no sign would be waited for in vain. */
function checkSigns(context: Context): Finding[] {
  const waiting = context.active.filter(({ ready, steps }) => ready !== undefined && steps.includes("ready"));
  return firstOfEachType(waiting).flatMap((vm) => {
    const why = problemOf(vm, context);
    const same = waiting.filter(({ type }) => type === vm.type);
    return why === null ? [] : [error(same, `${vm.type}.ready`, why)];
  });
}

/** What is said of a wait that does not happen was meant for one. */
function checkWait({ active, input: { configuration, waitReady = true } }: Context): readonly Finding[] {
  const idle = active.filter(({ start, ready }) => waitReady && start && ready === undefined);
  return firstOfEachType(idle).flatMap(({ type }) => {
    const { ready } = vmTypeOf(configuration, type);
    if (ready === undefined || ready.when !== undefined) return [];
    return [warning(
      `${type}.ready`,
      `Nobody waits until the VMs of ${type} answer, because they do not fetch a first configuration (seed) of kind ` +
        `cloud-init from this program; say by what they are known to be ready, such as when: "tcp:22"`,
    )];
  });
}

/** A NAS at a loopback address may be simulated; its guests are on this machine, which has no static address of the plan. */
function checkRehearsal({ active, input: { seeds }, inventory: { nas } }: Context): readonly Finding[] {
  if (nas.simulated || seeds?.simulated !== true) return [];
  const fixed = active.filter(({ ready, steps, devices }) =>
    ready !== undefined && portOf(ready.when) !== null && steps.includes("ready") &&
    devices.some((device) => device.dtype === "NIC" && device.ip !== undefined)
  );
  return firstOfEachType(fixed).map(({ type }) =>
    warning(
      `${type}.ready`,
      `If this NAS is a simulated one, no port of ${type} answers, because the static addresses are of no machine here; ` +
        "rehearse with DHCP, or with ready: none",
    )
  );
}

function problemOf({ ready, seed, devices, type }: PlannedVm, context: Context): string | null {
  const { input: { seeds, rules }, inventory: { nas } } = context;
  const when = ready?.when ?? "none";
  const release = nas.release ?? "this release";
  const noHome = reasonAgainstPhoning(seeds);
  const hasNic = devices.some(({ dtype }) => dtype === "NIC");
  if (!hasNic && (when === "phone-home" || portOf(when) !== null)) {
    return `The VMs of ${type} have no network card, so nothing can be heard of them; add a network, or choose another ` +
      "sign such as ready: console";
  }
  const canPhone = seed?.kind === "cloud-init" && noHome === null;
  if (when === "phone-home" && seed?.kind !== "cloud-init") {
    return `${type} has no first configuration (seed) of kind cloud-init, so its VMs cannot report that they are ready; ` +
      `add one, or choose another sign such as ready: "tcp:22"`;
  }
  if (when === "phone-home" && !canPhone) {
    return `${noHome}, so the VMs of ${type} cannot report here that they are ready; set it, in the environment or ` +
      `in .env, to an address of this machine that they reach, or choose another sign such as ready: "tcp:22"`;
  }
  if (when === "agent" && !rules.guestIps) {
    return `TrueNAS ${release} does not ask guest agents, which came with 27.0; choose another sign such as ` +
      `ready: phone-home`;
  }
  if (portOf(when) === null || rules.guestIps || canPhone || seed?.way === "url") return null;
  const isKnown = devices.some((device) => device.dtype === "NIC" && device.ip !== undefined);
  return isKnown
    ? null
    : `Nothing tells the addresses of ${type}, so no port can be asked; give them static addresses, or a first ` +
      `configuration (seed) that they fetch from this program`;
}

/** Why no guest can reach this program; null when it can. */
function reasonAgainstPhoning(seeds: Context["input"]["seeds"]): string | null {
  const host = seeds?.host ?? null;
  if (host === null) return "SEED_HOST is not set";
  return seeds?.simulated === true || !isUnreachable(host)
    ? null
    : `SEED_HOST is ${host}, which guests cannot reach`;
}
