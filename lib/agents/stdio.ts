/** Standard input and output, as an agent uses them: one message a line. Logs go to standard error. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/stdio"
import { StdioServerTransport } from "npm:@modelcontextprotocol/sdk@1.32.2/server/stdio.js";
import process from "node:process";
import { Transform } from "node:stream";
import type { Logger } from "../observability/logging.ts";

/** Longer lines are no calls of these tools, and would fill the memory. */
const MAX_LINE_BYTES = 131_072;

const LINE_FEED = 10;

/** The messages of the agent, and when there are no more of them. */
export function openStdio(logger: Logger | undefined): {
  readonly transport: StdioServerTransport;
  readonly closed: Promise<void>;
} {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const lines = shortLines(() =>
    logger?.warning("A message of the agent was left out, because it is too long")
  );
  lines.once("end", () => resolve());
  lines.once("close", () => resolve());
  process.stdin.pipe(lines);
  // An agent that has gone reads nothing.
  process.stdout.on("error", () => resolve());
  return { transport: new StdioServerTransport(lines, process.stdout), closed };
}

/** Passes on all lines but those that are too long. */
function shortLines(onLong: () => void): Transform {
  let line: Uint8Array[] = [];
  let bytes = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      for (let rest = chunk; rest.length > 0;) {
        const end = rest.indexOf(LINE_FEED);
        const part = end < 0 ? rest : rest.subarray(0, end + 1);
        rest = rest.subarray(part.length);
        bytes += part.length;
        if (bytes <= MAX_LINE_BYTES) line.push(part);
        else line = [];
        if (end < 0) continue;
        if (bytes > MAX_LINE_BYTES) onLong();
        else for (const it of line) this.push(it);
        line = [];
        bytes = 0;
      }
      done();
    },
  });
}
