/** Errors as TrueNAS puts them on the wire. Texts, codes and shapes are those of recorded conversations. */

import { ERRNO, errnoName } from "../../errors/errno.ts";

/** A JSON-RPC error object. */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** An error that a method answers with. */
export class MethodError extends Error {
  /** What goes on the wire. */
  readonly wire: WireError;

  /** Wraps a wire error. */
  constructor(wire: WireError) {
    super(wire.message);
    this.wire = wire;
  }
}

function data(errno: number, reason: string, className: string, extra: unknown) {
  return {
    error: errno,
    errname: errnoName(errno),
    reason,
    trace: { class: className, formatted: "…", repr: "…" },
    extra,
  };
}

/** TrueNAS's CallError: -32001 with "[ERRNAME] reason". */
export function callError(errno: number, reason: string): MethodError {
  const text = `[${errnoName(errno)}] ${reason}`;
  return new MethodError({
    code: -32001,
    message: "Method call error",
    data: data(errno, text, "CallError", null),
  });
}

/** Any other Python exception: -32001, EINVAL, and its text without a prefix. */
export function plainException(className: string, reason: string): MethodError {
  return new MethodError({
    code: -32001,
    message: "Method call error",
    data: data(ERRNO.EINVAL, reason, className, null),
  });
}

/** One message of a validation. */
export type Invalid = readonly [attribute: string, message: string, errno: number];

/** TrueNAS's ValidationErrors: -32602, and every message with its attribute and errno. */
export function validationErrors(list: readonly Invalid[]): MethodError {
  const reason = list.map(([attribute, message, errno]) => `[${errnoName(errno)}] ${attribute}: ${message}\n`)
    .join("");
  return new MethodError({
    code: -32602,
    message: "Invalid params",
    data: data(ERRNO.EINVAL, reason, "ValidationErrors", list),
  });
}

/** TrueNAS's ValidationError, a single one outside of any list: its text has no line end. */
export function validationError(
  attribute: string | null,
  message: string,
  errno: number = ERRNO.EINVAL,
  className = "ValidationError",
): MethodError {
  const reason = `[${errnoName(errno)}] ${attribute ?? "None"}: ${message}`;
  return new MethodError({
    code: -32602,
    message: "Invalid params",
    data: data(ERRNO.EINVAL, reason, className, [[attribute, message, errno]]),
  });
}

/** TrueNAS's InstanceNotFound. */
export function notFound(message: string): MethodError {
  return validationError(null, message, ERRNO.ENOENT, "InstanceNotFound");
}

/** The same validation errors at other places; any other error stays as it is. */
export function withPaths(error: unknown, path: (attribute: string) => string): unknown {
  if (!(error instanceof MethodError) || error.wire.code !== -32602) return error;
  const { extra } = error.wire.data as { readonly extra: readonly Invalid[] };
  return validationErrors(extra.map(([attribute, message, errno]) => [path(attribute), message, errno]));
}

/** Collects the messages of one validation. */
export class Validation {
  readonly #list: Invalid[] = [];

  /** Adds a message; the errno is EINVAL unless given. */
  add(attribute: string, message: string, errno: number = ERRNO.EINVAL): void {
    this.#list.push([attribute, message, errno]);
  }

  /** Throws when there is any message. */
  check(): void {
    if (this.#list.length > 0) throw validationErrors(this.#list);
  }
}

/** Thrown to reply with something else than the method's own result. */
export class OtherReply extends Error {
  override readonly name = "OtherReply";
  readonly result: unknown;

  constructor(result: unknown) {
    super("a fault replies");
    this.result = result;
  }
}
