/** Rules about the names of VMs. */
import { isVmName } from "../../inventory/names.ts";
import type { Finding } from "../types.ts";
import { type Context, error, firstOfEachType, type Rule, warning } from "./rule.ts";

/** The rules. */
export const NAME_RULES: readonly Rule[] = [checkNames, checkNodeNames];

function checkNames({ active }: Context): Finding[] {
  const refused = Map.groupBy(active.filter(({ name }) => !isVmName(name)), ({ type }) => type);
  return [...refused].map(([type, vms]) => {
    const name = JSON.stringify(vms[0]?.name);
    const remedy = "use letters, digits and underscores, at most 150";
    return error(vms, type, `TrueNAS does not accept the name ${name}; ${remedy}`);
  });
}

/** Kubernetes node names follow RFC 1123: lower-case letters, digits and hyphens, up to 63 characters. */
function checkNodeNames({ active, input }: Context): Finding[] {
  // A VM of its own is rarely a node.
  const single = input.types.filter(({ name }) => name !== undefined).map(({ type }) => type);
  // A first configuration gives its guest a host name, which has rules of its own.
  const nodes = active.filter(({ type, seed }) => !single.includes(type) && seed === undefined);
  const odd = firstOfEachType(nodes).filter(({ name }) => isVmName(name) && !/^[a-z0-9]{1,63}$/.test(name));
  const remedy = "use at most 63 lower-case letters and digits";
  return odd.map(({ name, type }) => warning(type, `A Kubernetes node cannot be named ${name}; ${remedy}`));
}
