/** Speaks TrueNAS's JSON-RPC over a real socket, without the program in between. */
import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../lib/simulator/types.ts";
import { TEST_TIMES } from "./pages/dashboard.ts";

/** A reply to a call. */
export interface Answer {
  readonly id?: number | null;
  readonly result?: unknown;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: { readonly error: number; readonly reason: string; readonly extra: unknown };
  };
}

/** A connection to a NAS that sends what a test writes, and waits for the replies and events. */
export class Peer {
  readonly #socket: WebSocket;
  readonly #answers: Answer[] = [];
  readonly events: { msg: string; collection: string; id: number }[] = [];
  readonly closed: Promise<CloseEvent>;
  #changed = Promise.withResolvers<void>();
  #lastId = 0;

  readonly #isLegacy: boolean;

  /** `legacy` speaks the protocol of 24.x. */
  constructor(url: string, protocol: "current" | "legacy" = "current") {
    this.#isLegacy = protocol === "legacy";
    this.#socket = new WebSocket(this.#isLegacy ? `${url}/websocket` : `${url}/api/current`);
    this.closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.onmessage = ({ data }) => {
      const frame = this.#isLegacy ? translated(JSON.parse(data)) : JSON.parse(data);
      if (frame === null) return;
      if (frame.method === undefined) this.#answers.push(frame);
      else this.events.push(frame.params);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    };
  }

  async open(): Promise<void> {
    await new Promise((resolve) => this.#socket.onopen = resolve);
    if (this.#isLegacy) this.send(JSON.stringify({ msg: "connect", version: "1", support: ["1"] }));
  }

  send(message: string | ArrayBuffer): void {
    this.#socket.send(message);
  }

  async answer(id: number | null): Promise<Answer> {
    for (;;) {
      const at = this.#answers.findIndex((answer) => (answer.id ?? null) === id);
      const [found] = at < 0 ? [] : this.#answers.splice(at, 1);
      if (found !== undefined) return found;
      await this.#changed.promise;
    }
  }

  async event(collection: string, msg: string): Promise<void> {
    while (!this.events.some((event) => event.collection === collection && event.msg === msg)) {
      await this.#changed.promise;
    }
  }

  call(method: string, ...params: unknown[]): Promise<Answer> {
    const id = ++this.#lastId;
    const call = this.#isLegacy ? { msg: "method", id: String(id) } : { jsonrpc: "2.0", id };
    this.send(JSON.stringify({ ...call, method, params }));
    return this.answer(id);
  }

  /** `vm_create.name 17 …` for each message, or the reason. */
  async refusal(method: string, ...params: unknown[]): Promise<string[]> {
    const { error } = await this.call(method, ...params);
    assert.ok(error, `${method} is refused`);
    const { extra, reason } = error.data ?? { extra: null, reason: error.message };
    if (!Array.isArray(extra)) return [`${error.code} ${reason}`];
    return extra.map(([attribute, message]) => `${attribute}: ${message}`);
  }

  async result(method: string, ...params: unknown[]): Promise<unknown> {
    const answer = await this.call(method, ...params);
    assert.equal(answer.error, undefined, `${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  }

  login(username = "admin", password = "truenas"): Promise<unknown> {
    if (this.#isLegacy) return this.result("auth.login", username, password);
    return this.result("auth.login_ex", { mechanism: "PASSWORD_PLAIN", username, password });
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}

/** A frame of the legacy protocol as one of JSON-RPC; null for those that answer no call. */
function translated(
  { msg, id, result, error }: {
    readonly msg: string;
    readonly id: string;
    readonly result?: unknown;
    readonly error?: { readonly error: number; readonly reason: string; readonly extra: unknown };
  },
) {
  if (msg !== "result") return null;
  const answer = error === undefined ? { result } : { error: { code: -32001, message: "", data: error } };
  return { id: Number(id), ...answer };
}

/** A simulated NAS and a connection to it. */
export interface Lab {
  readonly simulator: Simulator;
  readonly peer: Peer;
  readonly version: SimulatedVersion;
}

/** A test on an old and a new release, with a connection that is not signed in yet. */
export function onEach(
  name: string,
  test: (lab: Lab) => Promise<void>,
  options: SimulatorOptions = {},
): void {
  for (const version of ["25.10", "27.0"] as const) {
    Deno.test(`${name} (${version})`, async () => {
      await using simulator = await startSimulator({ version, times: TEST_TIMES, ...options });
      const peer = new Peer(simulator.url);
      await peer.open();
      await test({ simulator, peer, version });
      await peer.close();
    });
  }
}

/** Creates a VM; returns its id. */
export async function newVm(
  peer: Peer,
  name: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const row = await peer.result("vm.create", { name, memory: 256, ...fields }) as { id: number };
  return row.id;
}

/** What `vm.device.create` is given. */
export function device(vm: number, attributes: Readonly<Record<string, unknown>>, order?: number): unknown {
  return { vm, attributes, ...(order === undefined ? {} : { order }) };
}
