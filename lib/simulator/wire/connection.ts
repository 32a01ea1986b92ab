/** One connection to the simulated NAS: TrueNAS's JSON-RPC dialect, its limits, and the execution of each call. */
import { mayCall } from "../accounts.ts";
import { type Peer, PEER_METHODS } from "../methods/auth_methods.ts";
import { DATASET_METHODS } from "../methods/dataset_methods.ts";
import { DEVICE_METHODS } from "../methods/device_methods.ts";
import { FILE_METHODS } from "../files/file_methods.ts";
import { CONVERSION_METHODS } from "../images/conversion_methods.ts";
import { CLOUDSYNC_METHODS } from "../cloudsync/cloudsync_methods.ts";
import { CUT, type Faults, STALLED } from "../faults.ts";
import type { JobReport } from "../jobs/job_queue.ts";
import type { Call, JobMethod, Method, Nas, NasEvent } from "../nas.ts";
import { checkedArguments } from "./call_arguments.ts";
import { pythonJsonError } from "./python_json.ts";
import type { Tokens } from "./tokens.ts";
import { withTopLevelDtype } from "./legacy_models.ts";
import type { Measuring } from "../measuring.ts";
import { RESOURCE_METHODS } from "../methods/resource_methods.ts";
import type { MethodSchema } from "./schema_check.ts";
import { SNAPSHOT_METHODS } from "../methods/snapshot_methods.ts";
import { NEIGHBOUR_METHODS } from "../methods/neighbour_methods.ts";
import { SYSTEM_METHODS } from "../methods/system_methods.ts";
import type { FaultMoment, ReceivedCall } from "../types.ts";
import { VM_METHODS } from "../methods/vm_methods.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, OtherReply, plainException, toWire, type WireError } from "./wire_errors.ts";

const METHODS: Readonly<Record<string, Method | JobMethod>> = {
  ...VM_METHODS,
  ...DEVICE_METHODS,
  ...DATASET_METHODS,
  ...SNAPSHOT_METHODS,
  ...RESOURCE_METHODS,
  ...NEIGHBOUR_METHODS,
  ...SYSTEM_METHODS,
  ...FILE_METHODS,
  ...CONVERSION_METHODS,
  ...CLOUDSYNC_METHODS,
};

/** Maximum number of running calls, and of unfinished calls including the waiting ones. */
const RUNNING = 10;
const UNFINISHED = 20;
/** Maximum characters of a message, before and after login. */
const ANONYMOUS_CHARS = 8_192;
const MESSAGE_CHARS = 65_536;

/** The socket of a connection. */
export interface Wire {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Drops it, without a close frame if possible. */
  cut(): void;
}

/** How a client connected. */
export interface Transport {
  /** TLS, loopback or a unix socket, where an API key is safe. */
  readonly secureTransport: boolean;
  /** Over the unix socket, where every client is root. */
  readonly root: boolean;
  /** The client's address. */
  readonly address: string;
}

/** The state that all connections share. */
export interface Shared {
  readonly nas: Nas;
  readonly faults: Faults;
  readonly tokens: Tokens;
  readonly measuring: Measuring;
  /** Whether another call of this method is refused before login. */
  readonly isRateLimited: (method: string) => boolean;
  readonly record: (call: ReceivedCall) => void;
}

type Id = string | number | null;

interface Request {
  readonly id: Id | undefined;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** A connection; see the comment at the top of this file. */
export class Connection {
  readonly #wire: Wire;
  readonly #shared: Shared;
  readonly #peer: Peer;
  readonly #closed = new AbortController();
  readonly #forget: () => void;
  #unfinished = 0;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Takes ownership of an open socket. */
  constructor(wire: Wire, shared: Shared, { secureTransport, root, address }: Transport) {
    this.#wire = wire;
    this.#shared = shared;
    this.#peer = {
      nas: shared.nas,
      account: null,
      credentials: null,
      secureTransport,
      address,
      awaiting: null,
      scram: null,
      options: { legacy_jobs: true, private_methods: false, py_exceptions: false },
      subscriptions: new Map(),
      measuring: shared.measuring,
      notifyEnd: (collection, error) => this.#notifyEnd(collection, error),
      tokens: shared.tokens,
    };
    if (root) {
      this.#peer.account = shared.nas.store.accounts[0] ?? null;
      this.#peer.credentials = { type: "UNIX_SOCKET", data: { username: "root" } };
    }
    this.#forget = shared.nas.onEvent((event) => this.#notify(event));
  }

  /** Handles a text message. */
  receive(text: string): void {
    const { account } = this.#peer;
    if (account === null && text.length > ANONYMOUS_CHARS) {
      return this.#wire.close(1007, "Anonymous connection max message length is 8 kB");
    }
    if (text.length > MESSAGE_CHARS) return this.#wire.close(1009, "Max message length is 64 kB");
    const request = this.#parse(text);
    if (request !== null) void this.#serve(request);
  }

  /** Called when the socket has closed. */
  ended(): void {
    this.#forget();
    for (const { end } of this.#peer.subscriptions.values()) end();
    this.#closed.abort(new Error("the connection ended"));
  }

  #parse(text: string): Request | null {
    const refuse = (message: string, code = -32600): null => {
      this.#answer(null, { error: { code, message } });
      return null;
    };
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return refuse(pythonJsonError(text, error), -32700);
    }
    if (Array.isArray(value)) return refuse("Batch messages are not supported at this time", -32700);
    if (typeof value !== "object" || value === null) return refuse("Invalid Message Format");
    return this.#parseRequest({ ...value });
  }

  #parseRequest({ jsonrpc, id, method, params }: Readonly<Record<string, unknown>>): Request | null {
    const refuse = (message: string): null => {
      if (id !== undefined) this.#answer(isId(id) ? id : null, { error: { code: -32600, message } });
      return null;
    };
    if (jsonrpc !== "2.0") return refuse("'jsonrpc' member must be '2.0'");
    if (id !== undefined && !isId(id)) return refuse("'id' member must be of type string, integer or null");
    if (typeof method !== "string") return refuse("'method' member must be of type string");
    if (params !== undefined && !Array.isArray(params)) {
      return refuse("'params' member must be of type array");
    }
    return { id, method, params: Array.isArray(params) ? params : [] };
  }

  async #serve(request: Request): Promise<void> {
    const { id, method } = request;
    const schema = this.#shared.nas.profile.schemas[method];
    if (schema === undefined || !(method in METHODS || method in PEER_METHODS)) {
      return this.#answer(id, { error: { code: -32601, message: "Method does not exist" } });
    }
    if (this.#unfinished >= UNFINISHED) {
      const message = "Maximum number of concurrent calls (20) has exceeded";
      return this.#answer(id, { error: { code: -32000, message } });
    }
    this.#unfinished++;
    const received: ReceivedCall = { method, params: request.params };
    this.#shared.record(received);
    try {
      await this.#slot();
      const result = await this.#perform(request, schema);
      received.answer = { result };
      this.#answer(id, { result });
    } catch (error) {
      if (error === CUT) return this.#wire.cut();
      if (error instanceof OtherReply) return this.#answer(id, { result: error.result });
      if (error === STALLED || this.#closed.signal.aborted) return;
      const wire = toWire(error);
      received.answer = { error: wire };
      this.#answer(id, { error: wire });
    } finally {
      this.#unfinished--;
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Waits until fewer than the maximum number of calls are running. */
  async #slot(): Promise<void> {
    while (this.#running >= RUNNING) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#running++;
  }

  async #perform({ id, method, params }: Request, schema: MethodSchema): Promise<unknown> {
    const { nas, faults } = this.#shared;
    this.#authorise(method, schema);
    const found = METHODS[method];
    const check = () => checkedArguments(nas, { method, schema, params });
    const args = typeof found === "object" ? [] : check();
    const fault = faults.choose(method, params);
    const pass = (moment: FaultMoment) => fault.pass(moment, this.#closed.signal, nas);
    await pass("before");
    const peerMethod = PEER_METHODS[method];
    const call = this.#call({ id, method, params }, pass);
    const result = peerMethod !== undefined
      ? peerMethod(this.#peer, args)
      : typeof found === "object"
      ? await this.#runJob(found, check, call)
      : await this.#run(found, args, call);
    await pass("after");
    return result;
  }

  #authorise(method: string, schema: MethodSchema): void {
    const { account } = this.#peer;
    if (schema.authentication_required === false) {
      if (account === null && this.#shared.isRateLimited(method)) {
        throw callError(ERRNO.EBUSY, "Rate Limit Exceeded");
      }
      return;
    }
    if (account === null) throw callError(ERRNO.ENOTAUTHENTICATED, "Not authenticated");
    if (!mayCall(account, method, schema)) throw callError(ERRNO.EACCES, "Not authorized");
  }

  #call({ id, method, params }: Request, pass: Call["pass"]): Call {
    const { account, credentials, options } = this.#peer;
    // Up to 25.10 calls continue after their connection has closed.
    const { cancelsOnDisconnect } = this.#shared.nas.profile;
    const signal = cancelsOnDisconnect ? this.#closed.signal : new AbortController().signal;
    const awaitsJobs = !options.legacy_jobs;
    return { id: id ?? null, method, params, signal, account, credentials, pass, awaitsJobs };
  }

  async #run(method: Method | undefined, args: readonly unknown[], call: Call): Promise<unknown> {
    const { nas } = this.#shared;
    if (method === undefined) throw new Error(`no method ${call.method}`);
    if (!WAITS_ITSELF.has(call.method)) await nas.sleep(nas.times.callMs, call.signal);
    return await method(nas, args, call);
  }

  async #runJob(method: JobMethod, check: () => readonly unknown[], call: Call): Promise<unknown> {
    const { nas } = this.#shared;
    await nas.sleep(nas.times.callMs, call.signal);
    if (method.hasInput === true) throw plainException("Exception", "Pipe 'input' is not open");
    // A job continues without the connection that started it.
    const detached = { ...call, signal: new AbortController().signal };
    const work = async (report: JobReport) => await method.job(nas, check(), detached, report);
    const { id, finished } = nas.jobs.start(call, method, work);
    return call.awaitsJobs ? await finished : id;
  }

  #answer(id: Id | undefined, answer: { readonly result: unknown } | { readonly error: WireError }): void {
    if (id === undefined || this.#closed.signal.aborted) return;
    const shaped = "result" in answer ? { result: this.#shape(answer.result) } : answer;
    this.#wire.send(JSON.stringify({ jsonrpc: "2.0", ...shaped, id }));
  }

  /** Rows in the shape of this release. */
  #shape<T>(value: T): unknown {
    return this.#shared.nas.profile.topLevelDtype ? withTopLevelDtype(value) : value;
  }

  #notify(event: NasEvent): void {
    if (this.#peer.account === null) return;
    if (![...this.#peer.subscriptions.values()].some(({ name }) => name === event.collection)) return;
    const { msg, collection, id } = event;
    // Events of jobs and measurements have their fields in every release.
    const bare = !this.#shared.nas.profile.eventFields && collection !== "core.get_jobs" && id !== undefined;
    const params = bare ? { msg, collection, id } : this.#shape(event);
    this.#wire.send(JSON.stringify({ jsonrpc: "2.0", method: "collection_update", params }));
  }

  #notifyEnd(collection: string, error: unknown): void {
    if (this.#closed.signal.aborted) return;
    const params = { collection, error };
    this.#wire.send(JSON.stringify({ jsonrpc: "2.0", method: "notify_unsubscribed", params }));
  }
}

/** Methods that wait themselves, at the right moment. */
const WAITS_ITSELF: ReadonlySet<string> = new Set(
  ("vm.create vm.update vm.start vm.poweroff vm.suspend vm.resume vm.reset vm.delete vm.clone " +
    "vm.device.create vm.device.update vm.device.delete pool.dataset.create").split(" "),
);

function isId(value: unknown): value is Id {
  return value === null || typeof value === "string" ||
    (typeof value === "number" && Number.isInteger(value));
}
