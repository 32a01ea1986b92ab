/** A person's approval: an agent may carry out one plan, once, within a short time. Pure. */
import type { Actor } from "../operations/types.ts";

/** For how long an approval can be used, in milliseconds. */
export const APPROVED_MS: number = 15 * 60_000;

/** What is approved: a plan, and what it is made from. */
export type ApprovedPlan = Pick<Approval, "fingerprint" | "contents">;

/** An approval. Times are milliseconds since 1970 (UTC). */
export interface Approval {
  /** Its id. */
  readonly id: string;
  /** The NAS that the plan is for. */
  readonly nas: string;
  /** The plan. */
  readonly fingerprint: string;
  /** Digest of what the plan does not show: config.yaml's settings of its types, and the templates. */
  readonly contents: string;
  /** The types of the plan. */
  readonly types: readonly string[];
  /** The VMs that the plan creates or completes. */
  readonly vms: readonly string[];
  /** Who approved it. */
  readonly by: Actor;
  /** When it was given. */
  readonly at: number;
  /** When its time is over. */
  readonly expiresAt: number;
  /** When it was taken back; null: it was not. */
  readonly withdrawnAt: number | null;
  /** When an agent used it; null: none has. */
  readonly usedAt: number | null;
  /** The operation that it was used for. */
  readonly operation: string | null;
}

/** Persistent storage of approvals. Each change is durable when its function returns. */
export interface ApprovalJournal {
  /** Saves a new approval. */
  writeApproval(approval: Approval): void;
  /** Marks an approval as used; false if it was used or withdrawn before, or its time is over. */
  redeemApproval(id: string, at: number): boolean;
  /** Takes an approval back; false if it was used or withdrawn before. */
  withdrawApproval(id: string, at: number): boolean;
  /** Records what an approval was used for. */
  recordUse(id: string, operation: string): void;
  /** The approvals of a plan, the newest first. */
  approvalsOf(fingerprint: string): readonly Approval[];
}

/** Whether an agent can use the approval. */
export function isUsable({ expiresAt, withdrawnAt, usedAt }: Approval, now: number): boolean {
  return usedAt === null && withdrawnAt === null && expiresAt > now;
}
