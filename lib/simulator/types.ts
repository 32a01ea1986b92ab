/** What the simulated NAS can be told, and what it tells: the face that the demo, the command line and the tests use. */

/** The releases that the simulator can be. */
export const SIMULATED_VERSIONS = ["24.04", "24.10", "25.04.0", "25.04.2", "25.10", "26.0", "27.0"] as const;

/** A release that the simulator can be; 25.04.0 is the one without any VM API. */
export type SimulatedVersion = (typeof SIMULATED_VERSIONS)[number];

/** How long things take on the simulated NAS, in milliseconds. */
export interface SimulatedTimes {
  /** Any call. */
  readonly callMs: number;
  /** On top, for a call that makes or destroys a zvol, per zvol. */
  readonly zvolMs: number;
  /** On top, for vm.start. */
  readonly startMs: number;
  /** How long the guest takes to obey a shutdown (vm.stop). */
  readonly shutdownMs: number;
  /** The wait inside vm.delete of a running VM: 7,000 on a real NAS. */
  readonly deleteRunningMs: number;
}

/** Where a fault strikes: before the call has any effect, half-way (a zvol made but no device row), or after the effect and before the answer. */
export type FaultMoment = "before" | "middle" | "after";

/** A fault to come: it strikes calls of `method` (all when absent) that `matches`, after `skip` such calls, `times` times. */
export interface Fault {
  readonly method?: string;
  /** Which methods, where it is not one by name. */
  readonly methods?: (method: string) => boolean;
  readonly matches?: (params: readonly unknown[]) => boolean;
  /** Calls to let pass first; default 0. */
  readonly skip?: number;
  /** How often it strikes; default 1, Infinity for ever. */
  readonly times?: number;
  /** Default `before`. */
  readonly moment?: FaultMoment;
  /**
   * `fail`: answer with `error`; `stall`: never answer; `cut`: drop the socket without a close frame as far as
   * possible; `linger`: wait until the connection is gone, and then go on, where the release lets calls do so;
   * `answer`: reply with `result`, as a NAS would that is broken or somebody else; `hold`: go on once `until` resolves.
   */
  readonly action: "fail" | "stall" | "cut" | "linger" | "answer" | "hold";
  /** For `hold`. */
  readonly until?: Promise<void>;
  /** For `answer`. */
  readonly result?: unknown;
  /** For `fail`; default a CallError EFAULT "[EFAULT] Simulated failure". */
  readonly error?: { readonly errno: number; readonly errname: string; readonly reason: string };
}

/** A call as the simulator received it, for tests. */
export interface ReceivedCall {
  readonly method: string;
  readonly params: readonly unknown[];
  /** The answer, once given: a result, or the error object. */
  answer?: { readonly result: unknown } | { readonly error: unknown };
}

/** How to start a simulated NAS. */
export interface SimulatorOptions {
  /** Default `25.10`. */
  readonly version?: SimulatedVersion;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** Default: realistic for a demo (tens of milliseconds a call, 300 a zvol); tests give small ones. */
  readonly times?: Partial<SimulatedTimes>;
  /** VMs that are there from the start and not ours (0 by default), a realistic mix of names, sizes and states. */
  readonly foreignVms?: number;
  /** Free memory in bytes; default 32 GiB. */
  readonly freeMemoryBytes?: number;
  /** Free space of pool `tank` in bytes; default 4 TiB. */
  readonly poolFreeBytes?: number;
  /** Further accounts beside admin/truenas, with their roles. */
  readonly accounts?: readonly {
    readonly username: string;
    readonly password: string;
    readonly roles: readonly string[];
    /** A one-time password that is asked for after the password. */
    readonly otp?: string;
    /** `<id>-<64 characters>` */
    readonly apiKey?: string;
    /** The key is past its end. */
    readonly apiKeyExpired?: boolean;
  }[];
  /** Serves wss:// with this certificate and key, both PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Listens on a unix socket too, where whoever comes is root, as at the real middleware. */
  readonly unixPath?: string;
  /** Releases that GET /api/versions lists beyond the simulated one: a NAS that is newer than everything known. */
  readonly newerApiVersion?: string;
  /** The window of the limit on logins, in milliseconds; default 60,000 as on a real NAS. */
  readonly rateWindowMs?: number;
  /** Answers every HTTP request so instead of serving the API: a web server that is no NAS. */
  readonly answerInstead?: () => Response;
}
