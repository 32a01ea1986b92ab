/** The tools that only read. */
import { ConfigurationError } from "../errors/errors.ts";
import { typeOf } from "../inventory/names.ts";
import { operationJson, planJson, vmJson } from "../inventory/json.ts";
import { recoveryOf } from "../operations/recovery.ts";
import { isActive, type OperationView } from "../operations/types.ts";
import type { OperationLog } from "../operations/record/log.ts";
import { describeReasons, describeSurplus, describeTotals } from "../plan/description.ts";
import type { CreationPlan } from "../plan/types.ts";
import { type Answer, answerJson, answerText, refusal } from "./answer.ts";
import { createdBy } from "./approvals.ts";
import { type AgentContext, contentsOf, operationPage, planPage, requestOf } from "./context.ts";
import { describeEvent } from "./event_lines.ts";

/** How long the zvols are read, in milliseconds. */
const LINEAGE_MS = 30_000;

/** `list_vms` */
export async function listVms(
  { manager, configuration }: AgentContext,
  { type, state, after = "", limit = 100 }: {
    readonly type?: string | undefined;
    readonly state?: string | undefined;
    readonly after?: string | undefined;
    readonly limit?: number | undefined;
  },
): Promise<Answer> {
  const all = (await manager.list()).toSorted((a, b) => a.name < b.name ? -1 : 1).filter((vm) =>
    vm.name > after && (type ?? typeOf(vm.name)) === typeOf(vm.name) && (state ?? vm.state) === vm.state
  );
  const vms = all.slice(0, limit);
  const lineage = await manager.inventory.lineage(readable(configuration), LINEAGE_MS);
  return answerJson({ vms: vms.map((vm) => vmJson(vm, lineage(vm))), more: all.length - vms.length });
}

/** VMs are listed also where config.yaml has mistakes. */
function readable(configuration: AgentContext["configuration"]) {
  try {
    return configuration();
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

/** `plan` */
export async function plan(
  context: AgentContext,
  { types = [] }: { readonly types?: readonly string[] | undefined },
): Promise<Answer> {
  const { manager } = context;
  const request = requestOf(context.configuration(), manager, types);
  const planned = await manager.operations.planCreation(request);
  const contents = contentsOf(request, manager);
  return answerJson({ ...planJson(planned), approve: approveJson(context, { planned, contents, types }) });
}

/** Whether the plan can be carried out now, and how it can be made so. */
function approveJson(
  context: AgentContext,
  { planned, contents, types }: {
    readonly planned: CreationPlan;
    readonly contents: string;
    readonly types: readonly string[];
  },
): Record<string, unknown> {
  if (createdBy(planned).length === 0) {
    return { needed: false, possible: false, because: describeTotals(planned) };
  }
  if (context.isReadOnly) return { needed: true, possible: false, because: "READ_ONLY is set" };
  const approval = context.approvals?.of({ fingerprint: planned.fingerprint, contents }) ?? null;
  return {
    needed: !context.isAllowed,
    possible: true,
    approved: approval !== null,
    until: approval === null ? null : new Date(approval.expiresAt).toISOString(),
    page: planPage(context, types),
    ...(context.isDashboardRunning ? {} : { dashboard: "not running: a person has to start it, with serve" }),
  };
}

/** `explain` */
export async function explain(
  context: AgentContext,
  { vm, operation, types = [] }: {
    readonly vm?: string | undefined;
    readonly operation?: string | undefined;
    readonly types?: readonly string[] | undefined;
  },
): Promise<Answer> {
  if (operation !== undefined) {
    return withOperation(context, operation, (log) => explainOperation(context, log));
  }
  const planned = await context.manager.operations.planCreation(
    requestOf(context.configuration(), context.manager, types),
  );
  return vm === undefined
    ? answerText(explainPlan(planned).join("\n"))
    : await explainVm(context, planned, vm);
}

function explainPlan(planned: CreationPlan): string[] {
  const findings = planned.findings.map(({ severity, vms, field, message }) =>
    `${severity}: ${[vms.length === 1 ? vms[0] : field, message].filter(Boolean).join(": ")}`
  );
  const vms = planned.vms.filter((vm) => vm.action !== "create").flatMap((vm) => {
    const reasons = describeReasons(vm, planned);
    return reasons.length === 0 ? [] : [`${vm.name} (${vm.action}): ${reasons.join("; ")}`];
  });
  const surplus = planned.surplus.map((vm) => `${vm.name} (surplus): ${describeSurplus(vm)}`);
  const lines = [...findings, ...vms, ...surplus];
  const sum = `Plan: ${describeTotals(planned)}`;
  return lines.length === 0 ? ["Nothing blocks the plan, and no VM differs", sum] : [...lines, sum];
}

async function explainVm(
  { manager, dashboard }: AgentContext,
  planned: CreationPlan,
  name: string,
): Promise<Answer> {
  const vm = planned.vms.find((it) => it.name === name);
  const surplus = planned.surplus.find((it) => it.name === name);
  if (vm !== undefined) {
    const reasons = describeReasons(vm, planned);
    const about = planned.findings.filter(({ vms }) => vms.includes(name)).map(({ message }) => message);
    const why = [...new Set([...reasons, ...about])];
    return answerText(
      [
        `${name}: ${vm.action}`,
        ...why.length === 0 ? ["It is as configured, or nothing prevents its creation"] : why,
      ]
        .join("\n") +
        (vm.action === "change" || vm.action === "replace"
          ? `\nOnly a person can apply this, on ${dashboard}/create`
          : ""),
    );
  }
  if (surplus !== undefined) return answerText(`${name}: surplus\n${describeSurplus(surplus)}`);
  const exists = (await manager.list()).some((it) => it.name === name);
  return exists
    ? answerText(`${name} exists on the NAS and belongs to none of these types, so nothing is done with it`)
    : refusal("No VM of that name exists or is configured. Nothing was changed. Use list_vms for the names");
}

function explainOperation(context: AgentContext, { view }: OperationLog): Answer {
  const failed = view.vms.flatMap(({ name, outcome, message, steps }) => [
    ...(message === null ? [] : [`${name}: ${outcome ?? "under way"}. ${message}`]),
    ...steps.flatMap(({ step, error }) => error === null ? [] : [`${name} ${step}: ${error.message}`]),
  ]);
  const { resumable, removable } = recoveryOf(view);
  const choices = [
    ...(resumable.length > 0 ? ["resume it"] : []),
    ...(removable.length > 0 ? ["roll it back"] : []),
  ];
  const next = choices.length === 0
    ? []
    : [`A person can ${choices.join(" or ")} on ${operationPage(context, view.id)}`];
  const state = isActive(view) ? "It is still running" : `It ended: ${view.status}`;
  return answerText(
    [view.title, state, ...view.message === null ? [] : [view.message], ...failed, ...next].join("\n"),
  );
}

/** `status` */
export function status(
  context: AgentContext,
  { operation, limit = 10 }: {
    readonly operation?: string | undefined;
    readonly limit?: number | undefined;
  },
): Promise<Answer> {
  if (operation !== undefined) {
    return Promise.resolve(
      withOperation(context, operation, ({ view }) => answerJson(withPage(context, view))),
    );
  }
  const all = context.manager.operations.store.list();
  const operations = all.slice(0, limit).map((view) => {
    const { id, kind, title, status, by, startedAt, finishedAt, waiting, vms } = operationJson(view);
    return {
      id,
      kind,
      title,
      status,
      by,
      startedAt,
      finishedAt,
      waiting,
      vms,
      page: operationPage(context, view.id),
    };
  });
  return Promise.resolve(answerJson({ operations, more: all.length - operations.length }));
}

/** An operation as JSON, with its page. */
export function withPage(context: AgentContext, view: OperationView): Record<string, unknown> {
  return { ...operationJson(view), page: operationPage(context, view.id) };
}

/** `logs` */
export function logs(
  context: AgentContext,
  { operation, after = 0, limit = 200 }: {
    readonly operation: string;
    readonly after?: number | undefined;
    readonly limit?: number | undefined;
  },
): Promise<Answer> {
  return Promise.resolve(withOperation(context, operation, (log) => {
    const lines = log.since(after).flatMap((event) => {
      const text = describeEvent(event);
      return text === null
        ? []
        : [{ seq: event.seq, line: `${new Date(event.at).toISOString()} ${shortened(text)}` }];
    });
    const shown = lines.slice(0, limit);
    const last = shown.at(-1)?.seq ?? after;
    const rest = lines.length - shown.length;
    const end = rest > 0
      ? `${rest} more lines: ask for those after ${last}`
      : isActive(log.view)
      ? `The operation is still running: ask for what is after ${last}`
      : `The operation has ended: ${log.view.status}`;
    return answerText([...shown.map(({ line }) => line), end].join("\n"));
  }));
}

/** A message of the NAS can be a whole stack trace. */
const MAX_LINE_CHARS = 500;

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}…` : line;
}

function withOperation(
  { manager, noJournal }: AgentContext,
  id: string,
  use: (log: OperationLog) => Answer,
): Answer {
  if (noJournal !== undefined) return refusal(noJournal);
  const log = manager.operations.store.get(id);
  if (log !== undefined) return use(log);
  return refusal(
    "There is no operation with that id. Only the latest 200 are kept. Use status for their ids",
  );
}
