/**
 * Runs the program (server, NAS client, YAML, templates) in a worker that has only the permissions of
 * lib/configuration/permissions.ts from its start. Each command loads what it needs.
 */
import { EXIT, print, UsageError, withErrorsExplained } from "../../lib/command_line/process.ts";
import { aborted } from "./http/aborted.ts";
import type { Downloads, OpenUrl } from "../../lib/images/acquiring/remote_download.ts";
import type { FetchText } from "../../lib/images/source/fetch_text.ts";
import type { ProbePort } from "../../lib/first_boot/readiness/probe_port.ts";
import type { FromWorker, Launch, ToWorker, Turn } from "./launch.ts";

/** What a worker's global scope has in addition. */
const scope = globalThis as unknown as {
  postMessage(message: FromWorker, transfer?: readonly Transferable[]): void;
};

let downloads: Downloads | null = null;
/** Downloads in a worker of its own, because this one may connect only to the NAS. */
async function downloading(): Promise<Downloads> {
  if (downloads === null) {
    const { downloadsOver } = await import("../../lib/images/acquiring/remote_download.ts");
    const { port1, port2 } = new MessageChannel();
    scope.postMessage({ downloads: port2 }, [port2]);
    downloads = downloadsOver(port1);
  }
  return downloads;
}
const openUrl: OpenUrl = async (image) => await (await downloading()).openUrl(image);
const fetchText: FetchText = async (wanted) => await (await downloading()).fetchText(wanted);

let probes: ProbePort | null = null;
/** Probes ports of guests from the same worker, for guests are not the NAS either. */
const probePort: ProbePort = async (port) => {
  if (probes === null) {
    const { probeOver } = await import("../../lib/first_boot/readiness/remote_probe.ts");
    const { port1, port2 } = new MessageChannel();
    scope.postMessage({ probes: port2 }, [port2]);
    probes = probeOver(port1);
  }
  return await probes(port);
};

const stopping = new AbortController();
const turn = Promise.withResolvers<void>();

addEventListener("message", async (event) => {
  const { data } = event as MessageEvent<ToWorker>;
  if (data === "stop") return stopping.abort();
  if (data === "listen") return turn.resolve();
  const trace = data.launch.settings?.logLevel === "DEBUG";
  scope.postMessage({ ended: await withErrorsExplained(() => run(data.launch), { trace }) });
});
scope.postMessage("loaded");

async function run(launch: Launch): Promise<number> {
  const { command, options, settings, problems, configFile, tunnelSockets, setup } = launch;
  const { signal } = stopping;
  if (command === "simulate") {
    const { simulate } = await import("./simulate.ts");
    return await simulate(options, signal);
  }
  if (command === "validate") {
    const { validate } = await import("../../lib/command_line/commands/run_command.ts");
    return await validate({ configFile, options, problems });
  }
  if (settings === null) throw new UsageError(`${command} requires settings`);
  if (setup !== null) {
    const { serveSetup } = await import("./setup_server.ts");
    await serveSetup({ ...launch, ...TURN, settings, setup, print, signal });
    return EXIT.done;
  }
  if (command === "serve" || command === "demo") {
    const { serve } = await import("./serve.ts");
    return await serve({ ...launch, ...TURN, settings, openUrl, fetchText, probePort, signal });
  }
  const context = { options, settings, configFile, tunnelSockets, openUrl, fetchText, probePort, signal };
  if (command === "mcp") {
    const { serveAgent } = await import("../../lib/agents/mcp_command.ts");
    return await serveAgent({ ...context, agentSocket: launch.agentSocket });
  }
  const { runCommand } = await import("../../lib/command_line/commands/run_command.ts");
  return await runCommand({ ...context, command });
}

/** The part that was served before listens until this one is ready. */
const TURN: Turn = {
  untilPortIsFree: async () => {
    scope.postMessage("ready");
    await Promise.race([turn.promise, aborted(stopping.signal)]);
  },
  portIsFree: () => scope.postMessage("closed"),
  switchTo: (next) => scope.postMessage(next),
};
