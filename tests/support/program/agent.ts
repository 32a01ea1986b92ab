/** An agent, by the client of the official SDK: it starts the real program as its configuration says, and speaks to it. */
import assert from "node:assert/strict";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client } from "npm:@modelcontextprotocol/sdk@1.32.2/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "npm:@modelcontextprotocol/sdk@1.32.2/client/stdio.js";
import { MAIN } from "./command_line.ts";
import { SecretScan } from "../secrets.ts";

/** What a tool answered. */
export interface Said {
  readonly text: string;
  readonly isError: boolean;
  /** Its text as JSON; what another tool answers is undefined. */
  readonly json: Answered;
}

/** What tools answer, as far as tests read it. */
export interface Answered {
  readonly id: string;
  readonly status: string;
  readonly by: { readonly who: string };
  readonly vms: readonly { readonly name: string; readonly outcome: string }[];
  readonly fingerprint: string;
  readonly approve: {
    readonly needed: boolean;
    readonly possible: boolean;
    readonly approved: boolean;
    readonly page: string;
  };
  readonly operations: readonly {
    readonly id: string;
    readonly status: string;
    readonly by: { readonly who: string };
  }[];
}

/** A connected agent. */
export interface Agent extends AsyncDisposable {
  readonly client: Client;
  /** Of the program. */
  readonly pid: number;
  readonly call: (
    tool: string,
    args?: Record<string, unknown>,
    onProgress?: (message: string) => void,
  ) => Promise<Said>;
  /** What the program wrote on standard error so far. */
  readonly log: () => string;
}

/** Starts `main.ts mcp` in a folder and connects to it. */
export async function startAgent(
  { folder, env, args = [], secrets = [] }: {
    readonly folder: string;
    readonly env: Readonly<Record<string, string>>;
    readonly args?: readonly string[];
    /** They may be in no answer and in no log. */
    readonly secrets?: readonly string[];
  },
): Promise<Agent> {
  const transport = new StdioClientTransport({
    command: Deno.execPath(),
    args: ["run", "-A", "--no-prompt", MAIN, "mcp", ...args],
    cwd: folder,
    env: { ...env },
    stderr: "pipe",
  });
  let log = "";
  transport.stderr?.on("data", (chunk: Uint8Array) => log += new TextDecoder().decode(chunk));
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  const scan = new SecretScan(secrets);
  return {
    client,
    pid: transport.pid ?? assert.fail("it runs"),
    log: () => log,
    call: async (name, args = {}, onProgress) => {
      const options = onProgress === undefined
        ? {}
        : { onprogress: ({ message }: { message?: string | undefined }) => onProgress(message ?? "") };
      const answer = await client.callTool({ name, arguments: args }, undefined, {
        timeout: 120_000,
        ...options,
      });
      const [first] = answer.content as { type: string; text: string }[];
      const text = first?.text ?? "";
      scan.text(text, `what ${name} answered`);
      return {
        text,
        isError: answer.isError === true,
        get json() {
          return JSON.parse(text);
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      await client.close();
      scan.text(log, "the log of mcp");
      scan.expectNone();
    },
  };
}

/** The program without a client: what is sent is written as it is. */
export interface SilentAgent {
  /** A line. */
  readonly send: (line: string) => Promise<void>;
  readonly initialize: () => Promise<void>;
  readonly callTool: (name: string, args: Record<string, unknown>, id?: number) => Promise<void>;
  /** What it has written on standard output so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** Sends SIGTERM, and waits for its exit code. */
  readonly stop: () => Promise<number>;
  /** Closes its standard input, and waits for its exit code. */
  readonly end: () => Promise<number>;
}

/** Starts `main.ts mcp` in a folder. */
export function startSilentAgent(
  { folder, env, args = [] }: {
    readonly folder: string;
    readonly env: Readonly<Record<string, string>>;
    readonly args?: readonly string[];
  },
): SilentAgent {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", MAIN, "mcp", ...args],
    cwd: folder,
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const written = { out: "", err: "" };
  const read = async (key: "out" | "err", from: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of from.pipeThrough(new TextDecoderStream())) written[key] += text;
  };
  const reading = Promise.all([read("out", child.stdout), read("err", child.stderr)]);
  const input = child.stdin.getWriter();
  const send = (line: string) => input.write(new TextEncoder().encode(`${line}\n`));
  const request = (id: number, method: string, params: unknown) =>
    send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  return {
    send,
    initialize: async () => {
      const clientInfo = { name: "silent", version: "1" };
      await request(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
      await send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    },
    callTool: (name, args, id = 2) => request(id, "tools/call", { name, arguments: args }),
    out: () => written.out,
    err: () => written.err,
    stop: async () => {
      child.kill("SIGTERM");
      const { code } = await child.status;
      await reading;
      await input.close().catch(() => {});
      return code;
    },
    end: async () => {
      await input.close();
      const { code } = await child.status;
      await reading;
      return code;
    },
  };
}
