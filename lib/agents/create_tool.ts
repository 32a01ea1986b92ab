/** The tool that creates: exactly the plan that a person approved, once. */
import type { OperationEvent } from "../operations/types.ts";
import { describeEnd } from "../operations/summary.ts";
import { describeOverlap } from "../operations/turns/claims.ts";
import { type Answer, answerJson, refusal } from "./answer.ts";
import type { Approval } from "./approval.ts";
import { NotApproved } from "./approvals.ts";
import {
  type AgentContext,
  contentsOf,
  operationPage,
  planPage,
  type Progress,
  requestOf,
} from "./context.ts";
import { describeEvent } from "./event_lines.ts";
import { withPage } from "./reading_tools.ts";

/** What the agent asks for. */
interface Wanted {
  readonly types?: readonly string[] | undefined;
  readonly fingerprint: string;
}

/** `create` */
export async function createVms(
  context: AgentContext,
  { types = [], fingerprint }: Wanted,
  progress: Progress,
): Promise<Answer> {
  const { manager, signal } = context;
  if (context.isReadOnly) {
    return refusal(
      "READ_ONLY is set, so nothing can be created. Nothing was changed. A person has to start without it",
    );
  }
  const request = requestOf(context.configuration(), manager, types);
  const approval = approvalOf(context, fingerprint);
  if (context.prepare !== undefined) await context.prepare(await manager.operations.planCreation(request));
  const started = await manager.operations.startCreation(request, fingerprint, {
    by: { who: approval === null ? "agent" : `agent, approved by ${approval.by.who}` },
    beforeStart: () => {
      if (approval !== null) context.approvals?.redeem(approval, contentsOf(request, manager));
    },
    ...(signal === undefined ? {} : { signal }),
  });
  if (!started.started) {
    if (started.overlap !== null) {
      return refusal(
        `${describeOverlap(started.overlap)}. Nothing was created. Try again when it has finished`,
      );
    }
    return refusal(
      `The NAS or config.yaml changed after this plan was made, or the types are others: the plan's fingerprint is ${started.plan.fingerprint} now. ` +
        `Nothing was created. Use plan again, and have the new plan approved on ${planPage(context, types)}`,
    );
  }
  const { log, finished } = started.operation;
  if (approval !== null) context.approvals?.recordUse(approval, log.id);
  log.observe(progressOf(log.view.vms.flatMap(({ steps }) => steps).length, progress));
  const view = await finished;
  await context.finish?.(progress);
  if (view.status === "done") return answerJson(withPage(context, view));
  const what =
    `The creation ended: ${describeEnd(view)}. See what is there with list_vms, and why with explain. ` +
    `A person decides what happens next on ${operationPage(context, view.id)}`;
  return answerJson({ message: what, ...withPage(context, view) }, { isError: true });
}

/**
 * The approval to use; null where none is needed.
 *
 * @throws {NotApproved} saying why there is none.
 */
function approvalOf({ isAllowed, approvals }: AgentContext, fingerprint: string): Approval | null {
  if (isAllowed) return null;
  if (approvals !== null) return approvals.expect(fingerprint);
  throw new NotApproved("Approvals cannot be read, because there is no journal. Nothing was created");
}

function progressOf(total: number, progress: Progress): (event: OperationEvent) => void {
  let done = 0;
  return (event) => {
    const message = describeEvent(event);
    const hasEnded = event.type === "step" && event.status !== "running" && event.status !== "pending";
    if (hasEnded) done++;
    if (message !== null) progress({ done: Math.min(done, total), total, message });
  };
}
