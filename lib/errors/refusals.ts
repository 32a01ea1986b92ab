/** Recognizes TrueNAS's refusals by their error numbers. Pure. */
import { ERRNO, type ErrnoName } from "./errno.ts";
import { TrueNASCallError } from "./errors.ts";

/** JSON-RPC's code for a method that does not exist. */
export const METHOD_NOT_FOUND = -32601;

/** Whether TrueNAS refused a call with this error number. */
export function isRefusedWith(error: unknown, name: ErrnoName): error is TrueNASCallError {
  return error instanceof TrueNASCallError && error.refusal.errno === ERRNO[name];
}

/** What stays until somebody does something about it, although TrueNAS calls it busy too. */
const STAYS_BUSY = /\b(holds?|clones?|running|suspended|attached)\b/i;

/** Whether a refusal passes by itself: something is busy for a moment, or a new zvol has no device node yet. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof TrueNASCallError)) return false;
  const { reason, fields } = error.refusal;
  if (STAYS_BUSY.test(reason)) return false;
  return isRefusedWith(error, "EBUSY") || /\b(dataset|pool) is busy\b/i.test(reason) ||
    fields.some(({ message }) => /^Zvol .*does not exist/.test(message));
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
