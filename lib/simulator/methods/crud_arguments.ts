/**
 * The number of arguments of TrueNAS's create, update and delete methods. All services share one Python method for each, so a
 * wrong number is reported in Python's words instead of as a validation error.
 */
import { type MethodError, plainException } from "../wire/wire_errors.ts";

/** Their arguments; the service checks further arguments of a delete. */
const CRUD: Readonly<Record<string, { readonly names: readonly string[]; readonly open: boolean }>> = {
  create: { names: ["data"], open: false },
  update: { names: ["id_", "data"], open: false },
  delete: { names: ["id_"], open: true },
};

/** Arguments that TrueNAS adds: the service, the application, the audit callback and the message's id. */
const OWN_ARGUMENTS = 4;

const SERVICES = /^(vm|vm\.device|pool\.dataset|pool\.snapshot|zfs\.snapshot)\.(create|update|delete)$/;

/** The error about a wrong number of arguments; null when it is right. */
export function crudProblem(method: string, given: number): MethodError | null {
  const verb = SERVICES.exec(method)?.[2] ?? "";
  const crud = CRUD[verb];
  if (crud === undefined) return null;
  const { names, open } = crud;
  if (given < names.length) {
    const missing = names.slice(given).map((name) => `'${name}'`).join(" and ");
    const count = names.length - given;
    const plural = count === 1 ? "" : "s";
    const text = `missing ${count} required positional argument${plural}: ${missing}`;
    return plainException("TypeError", `CRUDService.${verb}() ${text}`);
  }
  if (open || given === names.length) return null;
  const [taken, found] = [OWN_ARGUMENTS + names.length, OWN_ARGUMENTS + given];
  return plainException(
    "TypeError",
    `CRUDService.${verb}() takes ${taken} positional arguments but ${found} were given`,
  );
}
