/** Recognizes TrueNAS's refusals by their error numbers. Pure. */
import { ERRNO, type ErrnoName } from "./errno.ts";
import { TrueNASCallError } from "./errors.ts";

/** JSON-RPC's code for a method that does not exist. */
export const METHOD_NOT_FOUND = -32601;

/** Whether TrueNAS refused a call with this error number. */
export function isRefusedWith(error: unknown, name: ErrnoName): error is TrueNASCallError {
  return error instanceof TrueNASCallError && error.refusal.errno === ERRNO[name];
}

/** Whether this TrueNAS release does not have the method. */
export function isMethodMissing(error: unknown): error is TrueNASCallError {
  return isRefusedWith(error, "ENOMETHOD") ||
    (error instanceof TrueNASCallError && error.refusal.code === METHOD_NOT_FOUND);
}

/** Whether TrueNAS did not find the file that a call names. */
export function isFileMissing(error: unknown): error is TrueNASCallError {
  return error instanceof TrueNASCallError && (
    error.refusal.errno === ERRNO.ENOENT ||
    error.refusal.fields.some(({ errno }) => errno === ERRNO.ENOENT) ||
    /not found|no such file/i.test(error.refusal.reason)
  );
}
