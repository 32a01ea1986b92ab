/**
 * How many arguments TrueNAS's create, update and delete take. One Python method stands before those of all services,
 * so a wrong number is told in Python's words, and not as a mistake in the arguments.
 */
import { type MethodError, plainException } from "../wire/wire_errors.ts";

/** The names of their arguments; what a delete gets beyond its id is left to the service. */
const CRUD: Readonly<Record<string, { readonly names: readonly string[]; readonly open: boolean }>> = {
  create: { names: ["data"], open: false },
  update: { names: ["id_", "data"], open: false },
  delete: { names: ["id_"], open: true },
};

/** What TrueNAS passes itself: the service, the application, the audit callback and the message's id. */
const OWN_ARGUMENTS = 4;

const SERVICES = /^(vm|vm\.device|pool\.dataset|pool\.snapshot|zfs\.snapshot)\.(create|update|delete)$/;

/** What is wrong with the number of arguments; null when nothing is. */
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
