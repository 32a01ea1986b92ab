/** The arguments of a call, checked like the release does, with their defaults. */
import { crudProblem } from "../methods/crud_arguments.ts";
import { queryProblem } from "../methods/query_check.ts";
import type { Nas } from "../nas.ts";
import { checkLegacyArguments } from "./legacy_models.ts";
import { checkArguments, type MethodSchema } from "./schema_check.ts";

/** A call with the schema of its method. */
interface Checked {
  readonly method: string;
  readonly schema: MethodSchema;
  readonly params: readonly unknown[];
}

/**
 * The arguments with their defaults.
 *
 * @throws {MethodError} with every mistake.
 */
export function checkedArguments({ profile }: Nas, { method, schema, params }: Checked): readonly unknown[] {
  const miscounted = crudProblem(method, params.length);
  if (miscounted !== null) throw miscounted;
  const isLegacy = profile.topLevelDtype || schema.legacy === true;
  const args = isLegacy ? checkLegacyArguments(method, schema, params) : checkArguments(schema, params);
  const { checksLimit } = profile;
  const wrongQuery = queryProblem(schema.param_order, args, { checksLimit, isLegacy });
  if (wrongQuery !== null) throw wrongQuery;
  return args;
}
