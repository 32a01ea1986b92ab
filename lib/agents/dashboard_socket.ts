/**
 * How the command mcp reaches a running dashboard: through a socket in STATE_DIR, which only the dashboard's own user can
 * open. The dashboard has the journal, so it carries out what agents ask for, and people see it there. A connection
 * carries one call: a line with the call, then lines with its progress, then a line with its answer.
 */
import { connect, createServer, type Socket } from "node:net";
import { keepToOwner, removeSocket } from "../configuration/files.ts";
import { TrueNASError } from "../errors/errors.ts";
import { describeSystemError, systemErrorCode } from "../errors/system_errors.ts";
import type { Logger } from "../observability/logging.ts";
import { z } from "../zod.ts";
import type { Answer } from "./answer.ts";
import type { Progress } from "./context.ts";

/** A tool that an agent uses, and how its command mcp was started. */
export interface ToolCall {
  readonly tool: string;
  readonly args: unknown;
  /** Whether plans are carried out without an approval. */
  readonly isAllowed: boolean;
  readonly isReadOnly: boolean;
  /** Which NAS and file are meant: the dashboard refuses for others than its own. */
  readonly nas: string;
  readonly configFile: string;
}

const toolCall = z.object({
  tool: z.string(),
  args: z.unknown(),
  isAllowed: z.boolean(),
  isReadOnly: z.boolean(),
  nas: z.string(),
  configFile: z.string(),
});

const message = z.union([
  z.object({ progress: z.object({ done: z.number(), total: z.number(), message: z.string() }) }),
  z.object({ answer: z.object({ text: z.string(), isError: z.boolean() }) }),
]);

/** More is no call: arguments are names and numbers. */
const MAX_CALL_CHARS = 1_048_576;

/** Answers calls. */
export type Answering = (call: ToolCall, progress: Progress) => Promise<Answer>;

/**
 * Listens, until it is disposed of. Whoever has the journal may replace a socket that a crash left. Where it cannot
 * listen, the dashboard works without: agents then get a clear answer from the command mcp.
 */
export async function answerAgents(
  path: string,
  answering: Answering,
  logger: Logger,
): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    // An agent that has ended does not end what it has started.
    socket.on("error", () => {});
    void answer(socket, answering, logger);
  });
  try {
    removeSocket(path);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    keepToOwner(path);
  } catch (error) {
    logger.warning("Agents cannot reach this dashboard; the command mcp says so", {
      path,
      error: String(error),
    });
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(socket: Socket, answering: Answering, logger: Logger): Promise<void> {
  const send = (line: unknown) => {
    if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const read = toolCall.safeParse(JSON.parse(await firstLine(socket)));
    if (!read.success) {
      const text =
        "The command mcp and the dashboard are of different versions. Nothing was changed. Restart both";
      return send({ answer: { text, isError: true } });
    }
    const call: ToolCall = { ...read.data, args: read.data.args };
    send({ answer: await answering(call, (progress) => send({ progress })) });
  } catch (error) {
    logger.warning("A call of an agent could not be read", { error: String(error) });
  } finally {
    socket.end();
  }
}

async function firstLine(socket: Socket): Promise<string> {
  socket.setEncoding("utf8");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  const onData = (more: string) => {
    text += more;
    const end = text.indexOf("\n");
    if (end >= 0) resolve(text.slice(0, end));
    else if (text.length > MAX_CALL_CHARS) reject(new Error("it is too long"));
  };
  socket.on("data", onData);
  socket.once("close", () => reject(new Error("it ended early")));
  try {
    return await promise;
  } finally {
    socket.off("data", onData);
    // What else comes is not read, and must not fill the memory.
    socket.resume();
  }
}

/** The dashboard ended before it had answered. */
export class DashboardEnded extends Error {
  override readonly name = "DashboardEnded";
}

/**
 * Has the dashboard answer a call.
 *
 * @returns null when no dashboard is running.
 * @param signal Ends the wait for the answer; the dashboard goes on.
 * @throws {DashboardEnded} when it ended before it had answered.
 */
export async function askDashboard(
  path: string,
  call: ToolCall,
  progress: Progress,
  signal: AbortSignal,
): Promise<Answer | null> {
  const socket = await opened(path);
  if (socket === null) return null;
  socket.on("error", () => {});
  const leave = () => socket.destroy();
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    socket.write(`${JSON.stringify(call)}\n`);
    for await (const line of linesOf(socket)) {
      const read = message.safeParse(JSON.parse(line));
      if (!read.success) break;
      if ("answer" in read.data) return read.data.answer;
      progress(read.data.progress);
    }
  } catch {
    // Reported below: a line that was cut off is no answer either.
  } finally {
    signal.removeEventListener("abort", leave);
    socket.destroy();
  }
  throw new DashboardEnded();
}

/** Whole lines; throws when the socket is destroyed. */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = "";
  socket.setEncoding("utf8");
  for await (const text of socket) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function opened(path: string): Promise<Socket | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket | null>();
  const socket = connect(path);
  socket.once("connect", () => resolve(socket));
  socket.once("error", (error) => {
    const isAway = ["ENOENT", "ECONNREFUSED"].includes(systemErrorCode(error) ?? "");
    if (isAway) return resolve(null);
    reject(
      new TrueNASError(
        `The running dashboard cannot be reached through ${path}: ${
          describeSystemError(error) ?? error.message
        }. ` +
          "Run the command mcp as the dashboard's user",
        { cause: error },
      ),
    );
  });
  return promise;
}
