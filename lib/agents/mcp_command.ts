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
import { VERSION } from "../version.ts";
import type { VMManagerOptions } from "../vm_manager_options.ts";
import { type Answer, answerError, refusal } from "./answer.ts";
import type { Progress } from "./context.ts";
import { nasOf } from "./dashboard_address.ts";
import { askDashboard, DashboardEnded } from "./dashboard_socket.ts";
import { OwnAnswers } from "./own_answers.ts";
import { openStdio } from "./stdio.ts";
import { TOOLS } from "./tools.ts";

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
  const { settings, configFile, options: { allow } } = work;
  const own = new OwnAnswers({ settings, nas, configFile, isAllowed: allow === "create", signal });
  const server = new McpServer({ name: "truenas-vm-manager", version: VERSION }, {
    instructions: INSTRUCTIONS,
  });
  const running = new Set<Promise<unknown>>();
  const leaving = new AbortController();
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
        const answering = answer(name, args, { work, nas, own, leaving: leaving.signal }, increasing(send));
        running.add(answering);
        const { text, isError } = await answering;
        running.delete(answering);
        return { content: [{ type: "text" as const, text }], isError };
      },
    );
  }
  const { transport, closed } = openStdio(logger);
  server.server.onerror = (error) =>
    logger?.warning("A message of the agent was not understood", {
      // The SDK lists all that a message is not, over hundreds of lines.
      error: error.name === "ZodError" ? "it is no message of JSON-RPC 2.0" : error.message,
    });
  await server.connect(transport);
  if (isInteractive()) {
    printError("This command waits for an agent's program, which starts it: see docs/command_line.md");
  }
  logger?.info("Serving an agent on standard input and output", {
    allows: allow ?? "what people approved",
  });
  await Promise.race([closed, aborted(signal)]);
  // What a dashboard has started continues there; what this process has started it finishes.
  leaving.abort();
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
    last = done > last ? done : Math.round(last * 1_000 + 1) / 1_000;
    // An agent that has gone needs no progress.
    send({ progress: last, total, message }).catch(() => {});
  };
}

interface Calling {
  readonly work: McpWork;
  readonly nas: VMManagerOptions;
  readonly own: OwnAnswers;
  /** Aborted when nobody waits for answers any more. */
  readonly leaving: AbortSignal;
}

/** Has a tool run where the journal is. */
async function answer(
  tool: string,
  args: unknown,
  { work, nas, own, leaving }: Calling,
  progress: Progress,
): Promise<Answer> {
  const { settings, options, configFile, agentSocket } = work;
  const call = {
    tool,
    args,
    isAllowed: options.allow === "create",
    isReadOnly: settings.readOnly,
    nas: nasOf(nas.host),
    configFile: resolve(configFile),
  };
  try {
    const answered = agentSocket === null ? null : await askDashboard(agentSocket, call, progress, leaving);
    return answered ?? await own.run(tool, args, progress);
  } catch (error) {
    if (!(error instanceof DashboardEnded)) return answerError(error);
    return refusal(
      "The dashboard stopped before it had answered. What it had started is in its journal, and may be resumed there. " +
        "Use status before you try again",
    );
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
