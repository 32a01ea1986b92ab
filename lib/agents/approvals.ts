/** Gives, finds, withdraws and redeems approvals of plans for agents. */
import type { AuditLog } from "../observability/audit.ts";
import type { Actor } from "../operations/types.ts";
import type { CreationPlan } from "../plan/types.ts";
import { formatCount, formatDuration } from "../units.ts";
import { type Approval, type ApprovalJournal, APPROVED_MS, type ApprovedPlan, isUsable } from "./approval.ts";

/** An agent may not do this. The message says what happened, what state things are in, and what to do. */
export class NotApproved extends Error {
  override readonly name = "NotApproved";
}

/** What approvals need. */
export interface ApprovalsOptions {
  readonly journal: ApprovalJournal;
  readonly audit: AuditLog;
  /** The NAS that plans are for. */
  readonly nas: string;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** The approvals of one NAS. */
export class Approvals {
  readonly #options: ApprovalsOptions;

  constructor(options: ApprovalsOptions) {
    this.#options = options;
  }

  /** Approves a plan for {@link APPROVED_MS}; an earlier approval of it ends. */
  approve(
    plan: CreationPlan,
    { types, contents }: Pick<Approval, "types" | "contents">,
    by: Actor,
  ): Approval {
    const { journal, audit, nas, now } = this.#options;
    const { fingerprint } = plan;
    const at = now();
    const vms = createdBy(plan);
    const approval: Approval = {
      id: crypto.randomUUID(),
      nas,
      fingerprint,
      contents,
      types,
      vms,
      by,
      at,
      expiresAt: at + APPROVED_MS,
      withdrawnAt: null,
      usedAt: null,
      operation: null,
    };
    // What is not in the audit log must not be possible.
    audit.record({
      by,
      what: `Approve for an agent: create ${formatCount(vms.length, "VM")}`,
      vms,
      outcome: "done",
    });
    this.#usable({ fingerprint }).forEach(({ id }) => journal.withdrawApproval(id, at));
    journal.writeApproval(approval);
    return approval;
  }

  /** Takes the approval of a plan back; false when there was none that an agent could use. */
  withdraw(fingerprint: string, by: Actor): boolean {
    const { journal, audit, now } = this.#options;
    const withdrawn = this.#usable({ fingerprint }).filter(({ id }) => journal.withdrawApproval(id, now()));
    for (const { vms } of withdrawn) {
      audit.record({ by, what: "Withdraw the approval for an agent", vms, outcome: "done" });
    }
    return withdrawn.length > 0;
  }

  /** The approval of a plan that an agent can use; null when there is none. */
  of(plan: ApprovedPlan): Approval | null {
    return this.#usable(plan)[0] ?? null;
  }

  /**
   * The approval of a plan that an agent can use, whatever the plan is made from.
   *
   * @throws {NotApproved} saying why there is none.
   */
  expect(fingerprint: string): Approval {
    const [usable] = this.#usable({ fingerprint });
    if (usable !== undefined) return usable;
    throw new NotApproved(`${this.#whyNot(fingerprint)}. Nothing was created. ${ASK}`);
  }

  /**
   * Uses an approval up. Afterwards nobody can use it, also after a crash of this program.
   *
   * @param contents What the plan is made from now.
   * @throws {NotApproved} when that is something else than what was approved, when another agent was faster, or when the
   * approval was withdrawn or its time ended meanwhile.
   */
  redeem({ id, fingerprint, ...approved }: Approval, contents: string): void {
    const { journal, now } = this.#options;
    if (approved.contents !== contents) throw new NotApproved(`${EDITED}. Nothing was created. ${ASK}`);
    if (journal.redeemApproval(id, now())) return;
    throw new NotApproved(`${this.#whyNot(fingerprint)}. Nothing was created. ${ASK}`);
  }

  /** Records which operation an approval was used for. */
  recordUse({ id }: Approval, operation: string): void {
    this.#options.journal.recordUse(id, operation);
  }

  /** Of the plan alone, whatever it is made from, where no contents are given. */
  #usable(
    { fingerprint, contents = null }: { readonly fingerprint: string; readonly contents?: string | null },
  ) {
    const { now } = this.#options;
    return this.#ofThisNas(fingerprint).filter((approval) =>
      isUsable(approval, now()) && (contents === null || approval.contents === contents)
    );
  }

  #ofThisNas(fingerprint: string): Approval[] {
    const { journal, nas } = this.#options;
    return journal.approvalsOf(fingerprint).filter((approval) => approval.nas === nas);
  }

  #whyNot(fingerprint: string): string {
    const [latest] = this.#ofThisNas(fingerprint);
    if (latest === undefined) return "Nobody has approved this plan";
    const { usedAt, withdrawnAt, operation } = latest;
    if (usedAt !== null) {
      return `The approval of this plan was used already${
        operation === null ? "" : ` (operation ${operation})`
      }`;
    }
    if (withdrawnAt !== null) return "The approval of this plan was withdrawn";
    return `The approval of this plan has expired: it could be used for ${formatDuration(APPROVED_MS)}`;
  }
}

const EDITED =
  "config.yaml or a template has changed since this plan was approved, in what the plan does not show";

const ASK = "Ask a person to approve the plan on the page that the tool plan names, then try again.";

/** The VMs that a plan creates or completes. */
export function createdBy({ vms }: CreationPlan): string[] {
  return vms.filter(({ steps }) => steps.length > 0).map(({ name }) => name);
}
