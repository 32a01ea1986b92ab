/** Rules about bridges and MAC addresses. */
import { vmTypeOf } from "../../configuration/configuration.ts";
import type { Finding } from "../types.ts";
import { allDevices, type Context, devicesOf, error, notChecked, type Rule, warning } from "./rule.ts";

/** The rules. */
export const NETWORK_RULES: readonly Rule[] = [checkBridges, checkMacs, checkNasId];

function checkBridges({ active, inventory: { nicChoices } }: Context): Finding[] {
  const nics = allDevices(active, "NIC");
  if (nics.length === 0) return [];
  if (!nicChoices.known) return [notChecked("network", "Bridges", nicChoices.because)];
  const choices = nicChoices.value.join(", ");
  return nics.filter(({ device }) => !nicChoices.value.includes(device.attach)).map(({ vm, device }) => {
    const message = `The NAS has no bridge or interface ${device.attach}; choose from ${choices}`;
    return error([vm], `${vm.type}.network.${device.name}`, message);
  });
}

function checkMacs({ active, inventory, input }: Context): Finding[] {
  const owners = new Map([
    ...input.claimed?.macs ?? [],
    ...inventory.vms.flatMap((vm) => vm.nics.map(({ mac }) => [mac, vm.name] as const)),
  ]);
  return allDevices(active, "NIC").flatMap(({ vm, device: { mac, name, step } }) => {
    const owner = owners.get(mac);
    const twin = active.find((other) =>
      devicesOf(other, "NIC").some((it) => it.mac === mac && !(other === vm && it.step === step))
    );
    const whose = owner !== undefined && owner !== vm.name ? owner : twin?.name;
    if (whose === undefined) return [];
    const user = whose === vm.name ? "another NIC" : whose;
    const message = `The MAC address ${mac} already belongs to ${user}; choose another one`;
    return [error([vm], `${vm.type}.network.${name}`, message)];
  });
}

/** Derived MAC addresses are stable only while the id they are derived from is. */
function checkNasId({ active, input, inventory }: Context): Finding[] {
  const isDerived = active.some(({ type, devices }) =>
    devices.some((device) =>
      device.dtype === "NIC" && vmTypeOf(input.configuration, type).macs?.[device.name] === undefined
    )
  );
  if (inventory.nas.id !== null || !isDerived) return [];
  const message = "MAC addresses are derived from TRUENAS_HOST because this account cannot read the " +
    "NAS's id. If you change TRUENAS_HOST, new VMs get different addresses. Grant the role " +
    "READONLY_ADMIN, or set macs in the configuration";
  return [warning("", message)];
}
