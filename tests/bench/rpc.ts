/**
 * (b) The RPC client against a bare WebSocket, between the same two processes: calls per second with 1 and 8 in flight,
 * and the time of one call. The peer (this file, run on its own) answers calls with as little work as possible, and
 * echoes at /echo.
 */
import { RpcClient } from "../../lib/truenas/client.ts";
import type { Socket } from "../../lib/truenas/connection/connection.ts";
import { encodeCall } from "../../lib/truenas/connection/protocol.ts";
import type { Report } from "./report.ts";
import { percentile } from "./statistics.ts";

const CALLS = 20_000;
/** Both in turn, so often; their medians are compared. */
const ROUNDS = 5;

async function startPeer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const args = ["run", "-A", "--no-prompt", new URL(import.meta.url).pathname];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  const stop = async () => {
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  };
  return { url: value.trim(), stop };
}

async function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await new Promise((resolve) => socket.onopen = resolve);
  return socket;
}

/** Runs so many at a time, and returns how many there were in a second. */
async function perSecond(calls: number, width: number, call: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  let begun = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (begun++ < calls) await call();
  }));
  return calls / (performance.now() - started) * 1000;
}

/** Measures. */
export async function benchRpc(report: Report, quick: boolean): Promise<void> {
  const peer = await startPeer();
  const calls = quick ? CALLS / 10 : CALLS;
  const bare = await open(`${peer.url}/echo`);
  const waiting: ((text: string) => void)[] = [];
  bare.onmessage = ({ data }) => waiting.shift()?.(String(data));
  const text = encodeCall(1, "core.ping", []);
  const echo = () =>
    new Promise<string>((resolve) => {
      waiting.push(resolve);
      bare.send(text);
    });
  const socket = await open(`${peer.url}/rpc`);
  const wrapped: Socket = {
    send: (message) => socket.send(message),
    close: () => socket.close(),
    onMessage: () => {},
    onEnd: () => {},
  };
  socket.onmessage = ({ data }) => wrapped.onMessage(String(data));
  const client = new RpcClient(wrapped);
  const ping = () => client.call("core.ping", []);
  report.title("RPC calls over the client, against a bare WebSocket echo between the same processes");
  report.head("rpc", ["in flight", "echo/s", "calls/s", "share", "ms a call"]);
  for (const width of [1, 8]) {
    await Promise.all([perSecond(calls / 10, width, echo), perSecond(calls / 10, width, ping)]);
    const rounds: { echoes: number; pings: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({
        echoes: await perSecond(calls, width, echo),
        pings: await perSecond(calls, width, ping),
      });
    }
    const echoes = percentile(rounds.map((it) => it.echoes), 50);
    const pings = percentile(rounds.map((it) => it.pings), 50);
    report.row("rpc", [width, echoes, pings, pings / echoes, width / pings * 1000]);
  }
  bare.close();
  socket.close();
  await peer.stop();
}

if (import.meta.main) {
  const onListen = ({ port }: Deno.NetAddr) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`ws://127.0.0.1:${port}\n`));
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, (request) => {
    const isEcho = new URL(request.url).pathname === "/echo";
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      if (isEcho) return socket.send(data);
      const { id } = JSON.parse(data);
      socket.send(`{"jsonrpc":"2.0","id":${id},"result":"pong"}`);
    };
    return response;
  });
}
