/** The connection to a NAS as those see it who do not speak over it themselves. */
import type { TrueNASError } from "../../errors/errors.ts";
import type { NasIdentity } from "../../inventory/inventory.ts";
import type { NeededRole } from "../roles.ts";
import type { VersionRules } from "../versions.ts";

/** Where a session stands. */
export type SessionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live"; readonly nas: NasIdentity; readonly rules: VersionRules }
  | { readonly kind: "reconnecting"; readonly error: TrueNASError }
  | { readonly kind: "otp"; readonly error: TrueNASError }
  | { readonly kind: "closed" };

/** The connection to a NAS: where it stands, and what can be done about it. */
export interface NasConnection {
  /** Where it stands now. */
  readonly state: SessionState;
  /** Where the NAS is, without credentials: `wss://nas.lan`. */
  readonly address: string;
  /** The roles that the account lacks, each with what fails without it; none while that is not known. */
  readonly missingRoles: readonly NeededRole[];
  /** Whether this release can reset a VM; true while it is not known. */
  readonly canReset: boolean;
  /** Tells of each change of state until the returned function is called. */
  onState(listener: (state: SessionState) => void): () => void;
  /** Hands over the one-time password that the NAS waits for; false when it waits for none. */
  submitOtp(code: string): boolean;
  /** Connects in the background and goes on trying; what is wrong shows in {@link state}. */
  keepConnected(): Promise<void>;
}
