/** The options, faults and recorded calls of the simulated NAS, for the demo, the command line and the tests. */

import type { GuestTimes } from "./guests/guest_times.ts";
import type { OpenPort } from "./guests/ports.ts";

/** The releases that can be simulated. */
export const SIMULATED_VERSIONS = ["24.04", "24.10", "25.04.0", "25.04.2", "25.10", "26.0", "27.0"] as const;

/** A release that can be simulated; 25.04.0 has no VM API. */
export type SimulatedVersion = (typeof SIMULATED_VERSIONS)[number];

/** Durations on the simulated NAS, in milliseconds. */
export interface SimulatedTimes {
  /** Any call. */
  readonly callMs: number;
  /** Additionally for each zvol that a call creates or destroys. */
  readonly zvolMs: number;
  /** Additionally for vm.start. */
  readonly startMs: number;
  /** The guest's shutdown (vm.stop). */
  readonly shutdownMs: number;
  /** The wait inside vm.delete of a running VM: 7,000 on a real NAS. */
  readonly deleteRunningMs: number;
  /** A conversion of a disk image. */
  readonly convertMs: number;
  /** How long the device of a new zvol is missing. */
  readonly deviceMs: number;
  /** A second of the interval at which reporting.realtime measures: 1,000 on a real NAS. */
  readonly measuringSecondMs: number;
  /** A second in which core.ping_remote waits for an answer. */
  readonly pingSecondMs: number;
}

/** When a fault occurs: before the call has any effect, halfway (zvol created, no device row yet), or after the effect and before the answer. */
export type FaultMoment = "before" | "middle" | "after";

/** A fault: affects calls of `method` (default: all) that match `matches`, after `skip` such calls, `times` times. */
export interface Fault {
  readonly method?: string;
  /** Which methods, instead of one by name. */
  readonly methods?: (method: string) => boolean;
  readonly matches?: (params: readonly unknown[]) => boolean;
  /** Number of matching calls that are not affected first; default 0. */
  readonly skip?: number;
  /** How often it occurs; default 1. */
  readonly times?: number;
  /** Default `before`. */
  readonly moment?: FaultMoment;
  /**
   * `fail`: answer with `error`; `stall`: never answer; `cut`: drop the socket, without a close frame if possible;
   * `linger`: wait until the connection has closed, then continue if the release does so; `answer`: answer with `result`,
   * like a broken or different server; `hold`: continue when `until` resolves.
   */
  readonly action: "fail" | "stall" | "cut" | "linger" | "answer" | "hold";
  /** For `hold`. */
  readonly until?: Promise<void>;
  /** For `answer`. */
  readonly result?: unknown;
  /** For `fail`; default a CallError EFAULT "[EFAULT] Simulated failure". */
  readonly error?: { readonly errno: number; readonly errname: string; readonly reason: string };
}

/** A received call, for tests. */
export interface ReceivedCall {
  readonly method: string;
  readonly params: readonly unknown[];
  /** The answer, when sent: a result or the error object. */
  answer?: { readonly result: unknown } | { readonly error: unknown };
}

/** Options of a simulated NAS. */
export interface SimulatorOptions {
  /** Default `25.10`. */
  readonly version?: SimulatedVersion;
  /** Default 0: a free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** Default: realistic durations for a demo; tests pass small ones. */
  readonly times?: Partial<SimulatedTimes>;
  /** Number of initial VMs that were not created by this product, with realistic names, sizes and states; default 0. */
  readonly foreignVms?: number;
  /** Free memory in bytes; default 32 GiB. */
  readonly freeMemoryBytes?: number;
  /** Free space of pool `tank` in bytes; default 4 TiB. */
  readonly poolFreeBytes?: number;
  /** Accounts in addition to admin/truenas, with their roles. */
  readonly accounts?: readonly {
    readonly username: string;
    readonly password: string;
    readonly roles: readonly string[];
    /** A one-time password, required after the password. */
    readonly otp?: string;
    /** `<id>-<64 characters>` */
    readonly apiKey?: string;
    /** Whether the key has expired. */
    readonly apiKeyExpired?: boolean;
  }[];
  /** Serves the SPICE displays of running VMs on their ports of `hostname`: what the demo shows. Default false. */
  readonly screens?: boolean;
  /** Plays the guests of VMs whose disks have images: they fetch their seeds from this machine and phone home. Default: none. */
  readonly guests?: Partial<GuestTimes>;
  /** Opens the ports of guests at their addresses of this machine, for programs beside this one. Default: none. */
  readonly openPort?: OpenPort;
  /** Serves wss:// with this certificate and key, both PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Also listens on a unix socket, where every client is root, like the real middleware. */
  readonly unixPath?: string;
  /** Size in bytes from which cloudsync fetches a file in parts, for which the server has to honour Range; default 250 MiB. */
  readonly multipartBytes?: number;
  /** A further release in the answer of GET /api/versions, for a NAS newer than every known one. */
  readonly newerApiVersion?: string;
  /** Window of the login rate limit, in milliseconds; default 60,000, like a real NAS. */
  readonly rateWindowMs?: number;
  /** Answers every HTTP request instead of the API: a web server that is not a NAS. */
  readonly answerInstead?: () => Response;
}
