/**
 * The command mcp: the tools for an agent, by the Model Context Protocol on standard input and output. While a dashboard
 * with the same STATE_DIR is running, it carries out each call; without one, this process does.
 */
// The package names its types for imports without .js, and its code for those with it.
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/mcp"
import { McpServer } from "npm:@modelcontextprotocol/sdk@1.32.2/server/mcp.js";
import { resolve } from "node:path";
import type { Options } from "../command_line/arguments.ts";
import { EXIT, isInteractive, printError } from "../command_line/process.ts";
import { managerOptions, type Work } from "../command_line/commands/run_command.ts";
import { prepareSeeds, untilFetched } from "../command_line/commands/seed_wait.ts";
import { parseConfigurationFile, readConfiguration } from "../configuration/configuration_file.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { offeringOn } from "../images/offering/offering.ts";
import { redactor } from "../observability/logging.ts";
import { Journal } from "../operations/record/journal.ts";
import { pathServerWhenNeeded } from "../secret_paths/path_server.ts";
import { VERSION } from "../version.ts";
import { VMManager } from "../vm_manager.ts";
import type { VMManagerOptions } from "../vm_manager_options.ts";
import { type Answer, answerError, refusal } from "./answer.ts";
import { Approvals } from "./approvals.ts";
import type { AgentContext, Progress } from "./context.ts";
import { dashboardAddress, nasOf } from "./dashboard_address.ts";
import { askDashboard, DashboardEnded } from "./dashboard_socket.ts";
import { openStdio } from "./stdio.ts";
import { runTool, TOOLS } from "./tools.ts";

/** The input of the command. */
export interface McpWork extends Omit<Work, "command"> {
  readonly options: Options;
  /** Where a dashboard listens for agents; null where its path would be too long. */
  readonly agentSocket: string | null;
}

const INSTRUCTIONS =
  "Manages VMs on a TrueNAS. You can look at everything, and create what a person has approved: " +
  "use plan, give the person the address of the page where they approve it, then use create with the same types and " +
  "the plan's fingerprint. Nothing can be destroyed, changed or replaced with these tools.";

/** Serves an agent until its end of standard input, or until the signal is aborted; the exit code. */
export async function serveAgent(work: McpWork): Promise<number> {
  const { signal } = work;
  const nas = managerOptions(work);
  const { logger } = nas;
  const server = new McpServer({ name: "truenas-vm-manager", version: VERSION }, {
    instructions: INSTRUCTIONS,
  });
  const running = new Set<Promise<unknown>>();
  for (const [name, { title, description, schema, isReadOnly }] of Object.entries(TOOLS)) {
    const annotations = { readOnlyHint: isReadOnly, destructiveHint: false, openWorldHint: false };
    server.registerTool(
      name,
      { title, description, inputSchema: schema, annotations },
      async (args, extra) => {
        const token = extra._meta?.progressToken;
        const send = (params: { progress: number; total: number; message: string }) =>
          token === undefined ? Promise.resolve() : extra.sendNotification({
            method: "notifications/progress",
            params: { progressToken: token, ...params },
          });
        const answering = answer(name, args, { work, nas }, increasing(send));
        running.add(answering);
        const { text, isError } = await answering;
        running.delete(answering);
        return { content: [{ type: "text" as const, text }], isError };
      },
    );
  }
  const { transport, closed } = openStdio(logger);
  server.server.onerror = (error) =>
    logger?.warning("A message of the agent was not understood", { error: error.message });
  await server.connect(transport);
  if (isInteractive()) {
    printError("This command waits for an agent's program, which starts it: see docs/command_line.md");
  }
  logger?.info("Serving an agent on standard input and output", {
    allows: work.options.allow ?? "what people approved",
  });
  await Promise.race([closed, aborted(signal)]);
  // What this process has started it finishes, as it does without an agent.
  await Promise.allSettled(running);
  await server.close();
  return EXIT.done;
}

/** The protocol wants numbers that rise with each message; what is told between two steps counts for almost nothing. */
function increasing(
  send: (params: { progress: number; total: number; message: string }) => Promise<void>,
): Progress {
  let last = 0;
  return ({ done, total, message }) => {
    last = done > last ? done : last + 0.001;
    // An agent that has gone needs no progress.
    send({ progress: last, total, message }).catch(() => {});
  };
}

interface Calling {
  readonly work: McpWork;
  readonly nas: VMManagerOptions;
}

/** Has a tool run where the journal is. */
async function answer(
  tool: string,
  args: unknown,
  { work, nas }: Calling,
  progress: Progress,
): Promise<Answer> {
  const { settings, options, configFile, agentSocket, signal } = work;
  const call = {
    tool,
    args,
    isAllowed: options.allow === "create",
    isReadOnly: settings.readOnly,
    nas: nasOf(nas.host),
    configFile: resolve(configFile),
  };
  try {
    const answered = agentSocket === null ? null : await askDashboard(agentSocket, call, progress, signal);
    return answered ?? await answerHere(tool, args, { work, nas }, progress);
  } catch (error) {
    if (!(error instanceof DashboardEnded)) return answerError(error);
    return refusal(
      "The dashboard stopped before it had answered. What it had started is in its journal, and may be resumed there. " +
        "Use status before you try again",
    );
  }
}

/** Runs a tool in this process, as the other commands do, with a connection of its own. */
async function answerHere(
  tool: string,
  args: unknown,
  { work, nas }: Calling,
  progress: Progress,
): Promise<Answer> {
  const { settings, options, configFile, signal } = work;
  const needs = TOOLS[tool]?.needs ?? "nothing";
  const { journal, problem } = needs === "nothing" ? NO_JOURNAL : openJournal(settings.stateDir);
  using _open = journal;
  if (problem !== undefined && needs === "journal") return refusal(`${problem}. Nothing was changed`);
  await using paths = settings.seed === null ? null : pathServerWhenNeeded(settings.seed, nas);
  await using manager = new VMManager({
    ...nas,
    ...(journal === null ? {} : { journal }),
    ...(paths === null ? {} : { paths, offering: offeringOn(paths, settings.stateDir) }),
  });
  await manager.connect();
  const context: AgentContext = {
    manager,
    configuration: () => parseConfigurationFile(readConfiguration(configFile)).configuration,
    approvals: journal === null ? null : new Approvals({
      journal: journal.approvals,
      audit: manager.audit,
      nas: nasOf(nas.host),
      now: manager.operations.store.now,
    }),
    ...(problem === undefined ? {} : { noJournal: problem }),
    isAllowed: options.allow === "create",
    isReadOnly: settings.readOnly,
    dashboard: dashboardAddress(settings, settings.listenPort),
    isDashboardRunning: false,
    redact: redactor([nas.password, nas.apiKey, nas.vncPassword].filter((secret) => secret !== undefined)),
    signal,
    prepare: (plan) => prepareSeeds(manager, plan),
    finish: async (progress) => {
      const notify = (message: string) => progress({ done: 0, total: 0, message });
      await untilFetched(manager, { notify }, signal);
    },
  };
  return await runTool(tool, context, args, progress);
}

const NO_JOURNAL = { journal: null, problem: undefined };

/** The journal, or why it cannot be used now: it is in use, or cannot be written. */
function openJournal(stateDir: string) {
  try {
    return { journal: Journal.open(stateDir), problem: undefined };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { journal: null, problem: error.message };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
