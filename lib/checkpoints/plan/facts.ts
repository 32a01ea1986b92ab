/** What plans about checkpoints are made from. */
import type { Reading, Vm } from "../../inventory/inventory.ts";
import { hasRole } from "../../truenas/roles.ts";
import type { CheckpointFacts } from "../read_checkpoints.ts";

/** How long checkpoints are kept. */
export interface Keeping {
  /** How many of each VM, the new one included; undefined: any number. */
  readonly keep?: number | undefined;
  /** For how many days; undefined: for ever. */
  readonly days?: number | undefined;
}

/** What the account may do; null where it is unknown. */
export interface Rights {
  readonly roles: readonly string[] | null;
  /** The roles of which any allows a rollback. */
  readonly rollbackRoles: readonly string[];
  /** The setting that refuses all writes or all deletions; null without one. */
  readonly refusesWrites: string | null;
  readonly refusesDeletions: string | null;
}

/** Everything that plans are made from. */
export interface PlanFacts {
  /** Every VM on the NAS. */
  readonly vms: readonly Vm[];
  readonly read: Reading<CheckpointFacts>;
  readonly rights: Rights;
  readonly keeping: Keeping;
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
}

/** Something that prevents a plan as a whole. */
export interface PlanProblem {
  /** The form field; empty for the whole. */
  readonly field: string;
  /** What is wrong, and what to do. */
  readonly message: string;
}

/** What a setting or a missing role prevents. */
export function rightProblems(
  { roles, refusesWrites, refusesDeletions }: Rights,
  { needs, deletes }: { readonly needs: readonly (readonly string[])[]; readonly deletes: boolean },
): readonly PlanProblem[] {
  const setting = refusesWrites ?? (deletes ? refusesDeletions : null);
  if (setting !== null) {
    return [{
      field: "",
      message: `${setting} is set, so this cannot be done. Restart the program without it`,
    }];
  }
  return needs.filter((any) => any.every((role) => hasRole(roles, role) === false)).map((any) => ({
    field: "",
    message: any[0] === "FULL_ADMIN"
      ? "This TrueNAS release lets only full administrators roll back. Use such an account"
      : `The account is missing the role ${any.join(" or ")}. Add it in TrueNAS`,
  }));
}

/** What it means that the snapshots could not be read. */
export function unreadProblems({ read }: Pick<PlanFacts, "read">): readonly PlanProblem[] {
  return read.known ? [] : [{ field: "", message: `The snapshots cannot be read because ${read.because}` }];
}
