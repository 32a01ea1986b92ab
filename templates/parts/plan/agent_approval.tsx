/** On the page of a plan: lets an agent carry it out once, within a short time. */
import { APPROVED_MS } from "../../../lib/agents/approval.ts";
import { formatCount, formatDuration } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { Notice, Time } from "../common.tsx";
import { Icon } from "../icons.tsx";

/** Whether a plan is approved. Times are milliseconds since 1970 (UTC). */
export interface Approving {
  /** Until when an agent can carry it out; null: it is not approved. */
  readonly until: number | null;
  readonly now: number;
  /** Whether an agent sent the person here. */
  readonly isAsked: boolean;
  /** How many VMs it creates. */
  readonly vms: number;
  /** What its types set in the templates, which the plan does not show. */
  readonly overrides: readonly string[];
}

/** Its buttons belong to the form of the plan, which has the plan's token. */
export function AgentApproval(
  { approving: { until, now, isAsked, vms, overrides } }: { approving: Approving },
) {
  const only = "Agents never change, replace or destroy VMs that exist.";
  if (until === null) {
    return (
      <details class="card fold" id="agent-approval" open={isAsked}>
        <summary>
          <Icon name="chevron" />
          <b>Approve for an agent</b>
          <span>Let an AI agent create {vms === 1 ? "this VM" : `these ${vms} VMs`}</span>
        </summary>
        <div class="body stack">
          <p>
            Agents that use the command <code>mcp</code> may then carry out exactly this plan, once, within
            {" "}
            {formatDuration(APPROVED_MS).replace("min", "minutes")}. {only}
          </p>
          {overrides.length === 0 ? null : (
            <>
              <p>config.yaml also sets these keys of the templates. Read them before you approve:</p>
              <ul>
                {overrides.map((override) => (
                  <li>
                    <code>{override}</code>
                  </li>
                ))}
              </ul>
            </>
          )}
          <p class="actions">
            <button type="submit" class="btn" formaction={paths.approvePlan()} id="approve-plan">
              Approve for an agent
            </button>
          </p>
        </div>
      </details>
    );
  }
  const minutes = Math.max(1, Math.ceil((until - now) / MINUTE_MS));
  return (
    <div id="agent-approval" data-approved-until={new Date(until).toISOString()}>
      <Notice tone="busy">
        <p>
          <b>Approved for an agent.</b> An agent may create {vms === 1 ? "this VM" : `these ${vms} VMs`}{" "}
          once, until <Time at={until} /> ({formatCount(minutes, "minute")} left). {only}
        </p>
        <p class="actions">
          <button type="submit" class="btn sm" formaction={paths.withdrawApproval()} id="withdraw-approval">
            Withdraw
          </button>
        </p>
      </Notice>
    </div>
  );
}

const MINUTE_MS = 60_000;
