/** The connection to a NAS, as seen by code that makes no calls over it. */
import type { TrueNASError } from "../../errors/errors.ts";
import type { NasIdentity } from "../../inventory/inventory.ts";
import type { CheckedRole, NeededRole } from "../roles.ts";
import type { VersionRules } from "../versions.ts";

/** The state of a session. */
export type SessionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live"; readonly nas: NasIdentity; readonly rules: VersionRules }
  | { readonly kind: "reconnecting"; readonly error: TrueNASError }
  | { readonly kind: "otp"; readonly error: TrueNASError }
  | { readonly kind: "closed" };

/** The connection to a NAS: its state and how to restore it. */
export interface NasConnection {
  /** The current state. */
  readonly state: SessionState;
  /** The NAS's address, without credentials: `wss://nas.lan`. */
  readonly address: string;
  /** The roles that the account is missing, each with what fails without it; empty while they are unknown. */
  readonly missingRoles: readonly NeededRole[];
  /** Every role that the program needs, and whether the account has it; null while that is unknown. */
  readonly neededRoles: readonly CheckedRole[];
  /** Whether this release can reset a VM; true while it is unknown. */
  readonly canReset: boolean;
  /** Calls the listener on each state change until the returned function is called. */
  onState(listener: (state: SessionState) => void): () => void;
  /** Submits the one-time password that the NAS waits for; returns false when it waits for none. */
  submitOtp(code: string): boolean;
  /** Connects in the background and retries until it succeeds; failures appear in {@link state}. */
  keepConnected(): Promise<void>;
}
