/**
 * Probes ports in another worker: guests have addresses anywhere, and the worker that serves pages may connect only to the
 * NAS.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import type { PortAnswer, ProbedPort, ProbePort } from "./probe_port.ts";

interface Request {
  readonly id: number;
  readonly probe: ProbedPort;
}

interface Reply {
  readonly id: number;
  readonly answer: PortAnswer;
}

/** Ports asked at a time; more wait for their turn. */
const MAX_AT_ONCE = 32;

/** Probes what the other side of the port asks for. */
export function serveProbes(port: MessagePort, probe: ProbePort): void {
  const waiting: Request[] = [];
  let running = 0;
  const next = async (): Promise<void> => {
    if (running >= MAX_AT_ONCE) return;
    const request = waiting.shift();
    if (request === undefined) return;
    running++;
    const answer = await probe(request.probe).catch((error) => failed(reasonOf(error)));
    running--;
    port.postMessage({ id: request.id, answer } satisfies Reply);
    await next();
  };
  port.onmessage = ({ data }: MessageEvent<Request>) => {
    waiting.push(data);
    void next();
  };
}

/** Answers what asks for probes where none can be made, so that nothing waits for them. */
export function refuseProbes(port: MessagePort, why: string): void {
  port.onmessage = ({ data }: MessageEvent<Request>) => {
    port.postMessage({ id: data.id, answer: failed(why) } satisfies Reply);
  };
}

function failed(because: string): PortAnswer {
  return { state: "silent", greeting: null, because };
}

/** Probes on the other side of a port. */
export function probeOver(port: MessagePort): ProbePort {
  const asked = new Map<number, (answer: PortAnswer) => void>();
  let last = 0;
  port.onmessage = ({ data }: MessageEvent<Reply>) => {
    asked.get(data.id)?.(data.answer);
    asked.delete(data.id);
  };
  return (probe) => {
    const { promise, resolve } = Promise.withResolvers<PortAnswer>();
    const id = ++last;
    asked.set(id, resolve);
    port.postMessage({ id, probe } satisfies Request);
    return promise;
  };
}
