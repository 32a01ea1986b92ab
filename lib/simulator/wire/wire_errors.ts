/** Errors as TrueNAS sends them. Texts, codes and shapes are those of recorded conversations. */

import { ERRNO, errnoName } from "../../errors/errno.ts";

/** A JSON-RPC error object. */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** An error that a method answers with. */
export class MethodError extends Error {
  /** The error as it is sent. */
  readonly wire: WireError;

  /** Wraps a wire error. */
  constructor(wire: WireError) {
    super(wire.message);
    this.wire = wire;
  }
}

/** An error's data, with the class of the Python exception. */
function data(errno: number, reason: string, className: string, extra: unknown, repr = "…") {
  const trace = { class: className, formatted: "…", repr };
  return { error: errno, errname: errnoName(errno), reason, trace, extra };
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

/** Any error as it is sent. */
export function toWire(error: unknown): WireError {
  if (error instanceof MethodError) return error.wire;
  return plainException("Exception", error instanceof Error ? error.message : String(error)).wire;
}

/** Any other Python exception: -32001, EINVAL, and its text without a prefix. */
export function plainException(className: string, reason: string, repr?: string): MethodError {
  const details = data(ERRNO.EINVAL, reason, className, null, repr);
  return new MethodError({ code: -32001, message: "Method call error", data: details });
}

function invalidParams(reason: string, className: string, list: readonly Invalid[]): MethodError {
  const details = data(ERRNO.EINVAL, reason, className, list);
  return new MethodError({ code: -32602, message: "Invalid params", data: details });
}

/** One message of a validation. */
export type Invalid = readonly [attribute: string | null, message: string, errno: number];

function describe([attribute, message, errno]: Invalid): string {
  return `[${errnoName(errno)}] ${attribute ?? "None"}: ${message}`;
}

/** TrueNAS's ValidationErrors: -32602, and every message with its attribute and errno. */
export function validationErrors(list: readonly Invalid[]): MethodError {
  return invalidParams(list.map((it) => `${describe(it)}\n`).join(""), "ValidationErrors", list);
}

/** TrueNAS's ValidationError, a single one outside of any list: its text has no line end. */
export function validationError(
  attribute: string | null,
  message: string,
  errno: number = ERRNO.EINVAL,
  className = "ValidationError",
): MethodError {
  const invalid: Invalid = [attribute, message, errno];
  return invalidParams(describe(invalid), className, [invalid]);
}

/** TrueNAS's InstanceNotFound. */
export function notFound(message: string): MethodError {
  return validationError(null, message, ERRNO.ENOENT, "InstanceNotFound");
}

/** The same validation errors with other attributes; any other error is returned unchanged. */
export function withPaths(error: unknown, path: (attribute: string) => string): unknown {
  if (!(error instanceof MethodError) || error.wire.code !== -32602) return error;
  const { extra } = error.wire.data as { readonly extra: readonly Invalid[] };
  return validationErrors(
    extra.map(([attribute, message, errno]) => [path(attribute ?? ""), message, errno]),
  );
}

/** Collects the messages of one validation. */
export class Validation {
  readonly #list: Invalid[] = [];

  /** Adds a message; the errno is EINVAL unless given. */
  add(attribute: string | null, message: string, errno: number = ERRNO.EINVAL): void {
    this.#list.push([attribute, message, errno]);
  }

  /** Throws when there is any message. */
  check(): void {
    if (this.#list.length > 0) throw validationErrors(this.#list);
  }
}

/** Thrown to answer with another result than the method's own. */
export class OtherReply extends Error {
  override readonly name = "OtherReply";
  readonly result: unknown;

  constructor(result: unknown) {
    super("a fault answers");
    this.result = result;
  }
}
