/** Answers agents, whose command mcp reaches this dashboard through a socket in STATE_DIR. */
import { answerAgents, type Answering } from "../../lib/agents/dashboard_socket.ts";
import { type Answer, refusal } from "../../lib/agents/answer.ts";
import type { Approvals } from "../../lib/agents/approvals.ts";
import { nasOf } from "../../lib/agents/dashboard_address.ts";
import { runTool } from "../../lib/agents/tools.ts";
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import { type Logger, redactor } from "../../lib/observability/logging.ts";
import type { VMManager } from "../../lib/vm_manager.ts";

/** What agents work with. */
export interface AgentOptions {
  readonly manager: VMManager;
  readonly approvals: Approvals;
  readonly configuration: () => ParsedConfiguration;
  /** As in TRUENAS_HOST. */
  readonly nas: string;
  readonly configFile: string;
  /** The dashboard's address, without a slash at its end. */
  readonly dashboard: string;
  readonly isReadOnly: boolean;
  readonly secrets: readonly string[];
  readonly logger: Logger;
}

/** Answers agents, until it is disposed of. */
export function serveAgents(socket: string, options: AgentOptions): Promise<AsyncDisposable> {
  const { manager, approvals, dashboard, logger } = options;
  const redact = redactor(options.secrets);
  const answering: Answering = (call, progress) => {
    const other = otherThan(options, call);
    if (other !== null) return Promise.resolve(other);
    logger.info("Agent", { tool: call.tool, allowed: call.isAllowed });
    const context = {
      manager,
      configuration: () => options.configuration().configuration,
      approvals,
      isAllowed: call.isAllowed,
      isReadOnly: call.isReadOnly || options.isReadOnly,
      dashboard,
      isDashboardRunning: true,
      redact,
    };
    return runTool(call.tool, context, call.args, progress);
  };
  return answerAgents(socket, answering, logger);
}

/** An agent that was given another NAS or file must not work with these. */
function otherThan(
  options: AgentOptions,
  { nas, configFile }: { readonly nas: string; readonly configFile: string },
): Answer | null {
  const differing = [
    ...(nas === nasOf(options.nas) ? [] : ["another NAS (TRUENAS_HOST)"]),
    ...(configFile === options.configFile ? [] : ["another configuration file (--config)"]),
  ];
  if (differing.length === 0) return null;
  return refusal(
    `The running dashboard has this STATE_DIR, but ${differing.join(" and ")}. Nothing was changed. ` +
      "Start the command mcp with the same settings as the dashboard, or with another STATE_DIR",
  );
}
