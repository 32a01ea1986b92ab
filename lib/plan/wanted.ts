/** The VMs a configuration asks for, before they are compared with the NAS. Pure. */
import { type Configuration, vmTypeOf } from "../configuration/configuration.ts";
import { firstDisplayPort, vmName, zvolName } from "../inventory/names.ts";
import type { WantedType } from "./creation_input.ts";

/** Every type of a configuration, with its default first port. */
export function defaultTypes(configuration: Configuration): WantedType[] {
  const types = Object.keys(configuration.types);
  return types.map((type) => ({ type, startPort: firstDisplayPort(type, types) }));
}

/** A VM's name and the zvols it will have. */
export interface WantedVm {
  readonly name: string;
  readonly zvols: readonly string[];
}

/** The names of a type's VMs, in their order. */
export function wantedNames(
  { type, name }: WantedType,
  { count }: { readonly count: number },
): readonly string[] {
  return name === undefined ? Array.from({ length: count }, (_, index) => vmName(type, index + 1)) : [name];
}

/** The VMs of these types. */
export function wantedVms(configuration: Configuration, types: readonly WantedType[]): WantedVm[] {
  return types.flatMap((wanted) => {
    const section = vmTypeOf(configuration, wanted.type);
    const disks = Object.keys(section.disk);
    return wantedNames(wanted, section)
      .map((name) => ({
        name,
        zvols: disks.map((_, n) => zvolName(configuration.storage.pool_path, name, n)),
      }));
  });
}
