/**
 * Failures outside this program are thrown as a {@link TrueNASError}: the method that was called (`method`), whether the
 * call may have taken effect (`outcome`), and the error underneath (`cause`).
 */
import { type CallRefusal, explainRefusal } from "./nas_errors.ts";

/**
 * Whether the request may have taken effect on the NAS. `unknown`: the connection was lost or the request timed out after
 * it was sent, so check the NAS before you repeat it.
 */
export type Outcome = "not-done" | "unknown";

/** Details of a {@link TrueNASError}. */
export interface TrueNASErrorOptions {
  /** The API method, such as `vm.device.create`. */
  readonly method?: string;
  /** Default: `not-done`. */
  readonly outcome?: Outcome;
  /** The error underneath. */
  readonly cause?: unknown;
}

/**
 * The base class of every error this library throws.
 *
 * @example
 * ```ts
 * try {
 *   await manager.connect();
 * } catch (error) {
 *   if (error instanceof TrueNASError) console.error(error.message, error.outcome);
 *   else throw error;
 * }
 * ```
 */
export class TrueNASError extends Error {
  /** The class name. */
  override readonly name: string = "TrueNASError";
  /** The API method that failed, if a call was in progress. */
  readonly method: string | undefined;
  /** Whether the call may have taken effect on the NAS. */
  readonly outcome: Outcome;

  /** Creates an error. The message is in sentence case, without a final period. */
  constructor(message: string, options: TrueNASErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.method = options.method;
    this.outcome = options.outcome ?? "not-done";
  }
}

/** The NAS answered a call with an error. Nothing was done, unless the method can fail halfway. */
export class TrueNASCallError extends TrueNASError {
  /** The class name. */
  override readonly name = "TrueNASCallError";
  /** TrueNAS's answer. */
  readonly refusal: CallRefusal;

  /** Creates an error whose message gives the method, the meaning of the refusal, and TrueNAS's words in quotes. */
  constructor(method: string, refusal: CallRefusal) {
    super(`${method}: ${explainRefusal(refusal)}`, { method });
    this.refusal = refusal;
  }
}

/** Why a connection failed or was lost. The connection page has a remedy for each. */
export type ConnectionFailure =
  | "dns"
  | "refused"
  | "timeout"
  | "tls"
  | "tls-unknown-issuer"
  | "tls-name-mismatch"
  | "tls-expired"
  | "tls-pin-mismatch"
  | "not-truenas"
  | "starting"
  | "not-allowed"
  | "no-vm-api"
  | "login"
  | "expired"
  | "otp"
  | "rate-limited"
  | "denied"
  | "standby"
  | "lost"
  | "closed"
  | "configuration";

/** There is no usable connection: it could not be established, or it was lost. */
export class TrueNASConnectionError extends TrueNASError {
  /** The class name. */
  override readonly name = "TrueNASConnectionError";
  /** The kind of failure. */
  readonly failure: ConnectionFailure;
  /** What to do about it, as a sentence. */
  readonly remedy: string;

  /** Creates an error with its failure and remedy. */
  constructor(
    message: string,
    options: TrueNASErrorOptions & { readonly failure: ConnectionFailure; readonly remedy: string },
  ) {
    super(message, options);
    this.failure = options.failure;
    this.remedy = options.remedy;
  }
}

/** The address leads to another NAS than the one for which a call was meant, so it was not sent. */
export class AnotherNasError extends TrueNASError {
  /** The class name. */
  override readonly name = "AnotherNasError";
}

/** No answer arrived in time. The call may have taken effect, may still be running, or may never have started. */
export class TrueNASTimeoutError extends TrueNASError {
  /** The class name. */
  override readonly name = "TrueNASTimeoutError";
}

/** Why an image could not be taken from where it is. */
export type ImageFailure =
  /** The address is not one of a file on a web server, or leads somewhere it may not lead. */
  | "address"
  /** The server cannot be reached, refuses, or answers something else than the file. */
  | "server"
  /** The connection or the upload ended before the file did, and could not be continued. */
  | "incomplete"
  /** The bytes are not those that the SHA-256 was published for. */
  | "digest"
  /** It is not a disk image, or one that would make the NAS read other files. */
  | "format"
  /** It is larger than an image may be. */
  | "too-large"
  /** It could not be unpacked. */
  | "damaged";

/** An image could not be downloaded, uploaded or used; no complete image is on the NAS because of it. */
export class ImageError extends TrueNASError {
  /** The class name. */
  override readonly name = "ImageError";
  /** The kind of failure. */
  readonly failure: ImageFailure;
  /** The state now and what to do about it, as sentences. */
  readonly remedy: string;

  /** Creates an error with its failure and remedy. */
  constructor(
    message: string,
    options: TrueNASErrorOptions & { readonly failure: ImageFailure; readonly remedy: string },
  ) {
    super(message, options);
    this.failure = options.failure;
    this.remedy = options.remedy;
  }
}

/** One mistake in a configuration, a form or the environment, and where it is. */
export interface Problem {
  /** Dotted path of the value: `worker.memory`, `worker.disk.root`, `storage.pool_path`. */
  readonly field: string;
  /** What is wrong and what is expected; sentence case, no final period. */
  readonly message: string;
  /** Line in the file, counted from 1; absent when the value is not from a file. */
  readonly line?: number;
  /** Column in the file, counted from 1. */
  readonly column?: number;
}

/** A configuration, template or environment is invalid. Lists every problem; nothing was sent to the NAS. */
export class ConfigurationError extends TrueNASError {
  /** The class name. */
  override readonly name = "ConfigurationError";
  /** Every problem, in file order. */
  readonly problems: readonly Problem[];

  /** Creates an error whose message lists every problem with its position. `source` is the file's name. */
  constructor(source: string, problems: readonly Problem[], options: TrueNASErrorOptions = {}) {
    super(problems.map((problem) => describeProblem(source, problem)).join("\n"), options);
    this.problems = problems;
  }
}

function describeProblem(source: string, { field, message, line, column }: Problem): string {
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  return field === "" ? `${place}: ${message}` : `${place}: ${field}: ${message}`;
}

/** The state after an error and what to do next, for pages and the command line. */
export function remedyOf(error: TrueNASError): string {
  if (error instanceof TrueNASConnectionError || error instanceof ImageError) return error.remedy;
  return error.outcome === "unknown"
    ? "It may have taken effect. Check the VMs before you try again."
    : "Nothing was changed.";
}
