/**
 * Every error that this program throws for the world's doing is a {@link TrueNASError}: what was being done
 * (`method`), whether the NAS may have done it all the same (`outcome`), and what lay behind it (`cause`).
 */
import { type CallRefusal, explainRefusal } from "./nas_errors.ts";

/**
 * Whether the thing asked for may have happened on the NAS. `unknown` means: look before doing it again
 * (a lost socket or a timeout after the request was sent).
 */
export type Outcome = "not-done" | "unknown";

/** What a {@link TrueNASError} can carry beside its message. */
export interface TrueNASErrorOptions {
  /** The API method, as the API writes it: `vm.device.create`. */
  readonly method?: string;
  /** Default `not-done`. */
  readonly outcome?: Outcome;
  /** The error below this one. */
  readonly cause?: unknown;
}

/**
 * The family of errors of this library.
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
  /** The class's name. */
  override readonly name: string = "TrueNASError";
  /** The API method that failed, if one was being called. */
  readonly method: string | undefined;
  /** Whether the NAS may have done it all the same. */
  readonly outcome: Outcome;

  /** Makes an error with a message in sentence case and no final period. */
  constructor(message: string, options: TrueNASErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.method = options.method;
    this.outcome = options.outcome ?? "not-done";
  }
}

/** The NAS answered a call with an error: nothing was done, unless the call is one that fails half-way. */
export class TrueNASCallError extends TrueNASError {
  /** The class's name. */
  override readonly name = "TrueNASCallError";
  /** The NAS's answer. */
  readonly refusal: CallRefusal;

  /** Makes an error whose message is the method, what the refusal means, and the NAS's words in quotes. */
  constructor(method: string, refusal: CallRefusal) {
    super(`${method}: ${explainRefusal(refusal)}`, { method });
    this.refusal = refusal;
  }
}

/** Why a connection could not be made or was lost; each has its own remedy on the page. */
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

/** No usable connection: it could not be made, or it was lost. */
export class TrueNASConnectionError extends TrueNASError {
  /** The class's name. */
  override readonly name = "TrueNASConnectionError";
  /** The kind of failure. */
  readonly failure: ConnectionFailure;
  /** What a person can do about it, as a sentence. */
  readonly remedy: string;

  /** Makes an error with its kind and remedy. */
  constructor(
    message: string,
    options: TrueNASErrorOptions & { readonly failure: ConnectionFailure; readonly remedy: string },
  ) {
    super(message, options);
    this.failure = options.failure;
    this.remedy = options.remedy;
  }
}

/** No answer came in time: the NAS may have done it, may be doing it still, or not. */
export class TrueNASTimeoutError extends TrueNASError {
  /** The class's name. */
  override readonly name = "TrueNASTimeoutError";
}

/** One mistake in a configuration, a form or the environment, with its place. */
export interface Problem {
  /** Dotted path of the value: `worker.memory`, `worker.disk.root`, `storage.pool_path`. */
  readonly field: string;
  /** What is wrong and what is wanted; sentence case, no final period. */
  readonly message: string;
  /** 1-based line in the file, where the value comes from a file. */
  readonly line?: number;
  /** 1-based column in the file. */
  readonly column?: number;
}

/** A configuration, template or environment that cannot be used; nothing was sent to the NAS. Lists all problems at once. */
export class ConfigurationError extends TrueNASError {
  /** The class's name. */
  override readonly name = "ConfigurationError";
  /** Every problem found, in the order of the file. */
  readonly problems: readonly Problem[];

  /** Makes an error whose message lists every problem with its place. `source` is the file's name. */
  constructor(source: string, problems: readonly Problem[], options: TrueNASErrorOptions = {}) {
    super(problems.map((problem) => describeProblem(source, problem)).join("\n"), options);
    this.problems = problems;
  }
}

function describeProblem(source: string, { field, message, line, column }: Problem): string {
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  return field === "" ? `${place}: ${message}` : `${place}: ${field}: ${message}`;
}

/** What state things are in after an error, and what to do: the same words on pages and on the command line. */
export function remedyOf(error: TrueNASError): string {
  if (error instanceof TrueNASConnectionError) return error.remedy;
  return error.outcome === "unknown"
    ? "It may have taken effect: look at the VMs before trying again."
    : "Nothing was changed.";
}
