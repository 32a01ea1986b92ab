/**
 * Serves each VM its seed below a path of its own, which only its SMBIOS tells: the files that cloud-init and Talos ask for, and a
 * place to phone home. A guest that fetches twice gets the same, until it has answered or its time is over.
 */
import { type Logger, silentLogger } from "../../observability/logging.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import {
  answerText,
  type IncomingMessage,
  type PathServer,
  type SecretPath,
  type ServerResponse,
} from "../../secret_paths/path_server.ts";
import type { GuestSign } from "../types.ts";
import type { SeedEnd, SeedServer, SeedToServe, ServedSeed } from "./served_seed.ts";
import { PHONE_HOME, readPhoneHome } from "./phone_home.ts";

/** Options of a seed server. */
export interface SeedServerOptions {
  readonly logger?: Logger;
  /** In milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** What is asked for last differs; an old cloud-init asks for no network-config. */
const NEEDED: readonly string[] = ["user-data", "meta-data", "vendor-data"];
const FILES: readonly string[] = ["user-data", "meta-data", "vendor-data", "network-config"];
/** How long after its first start a guest can fetch its seed, in milliseconds. */
export const SERVED_MS = 60 * 60_000;
/** More would only repeat themselves. */
const MAX_SIGNS = 64;
/** A guest fetches four files; one that asks more often is ill, and each answer is made anew. */
const MAX_FETCHES = { count: 120, withinMs: 60_000 } as const;

/** Serves seeds on a server. */
export function seedServerOn(
  server: PathServer,
  { logger = silentLogger, now }: SeedServerOptions,
): SeedServer {
  const served = new Map<string, ServedSeed>();
  return {
    host: server.host,
    async serve(seed) {
      served.get(seed.vm)?.close();
      const guest = new Guest(seed, logger, now);
      const path = await server.serve(
        (name, request, response) => guest.answer(name, request, response),
        seed.known,
      );
      guest.open(path, () => {
        path.close();
        if (served.get(seed.vm) === guest) served.delete(seed.vm);
      });
      served.set(seed.vm, guest);
      return guest;
    },
    get all() {
      return [...served.values()];
    },
    find: (vm) => served.get(vm) ?? null,
    listen: () => server.listen(),
    close: () => {
      for (const guest of served.values()) guest.close();
    },
  };
}

/** A guest, as it is seen from its seed. */
class Guest implements ServedSeed {
  readonly vm: string;
  readonly name: string;
  url = "";
  pathHash = "";
  until: number | null = null;
  readonly ended: Promise<SeedEnd>;
  readonly fetched: Promise<void>;
  readonly #seed: SeedToServe;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #listeners = new Set<(sign: GuestSign) => void>();
  readonly #signs: GuestSign[] = [];
  readonly #end = Promise.withResolvers<SeedEnd>();
  readonly #all = Promise.withResolvers<void>();
  readonly #missing = new Set(NEEDED);
  readonly #fetches = { count: 0, since: -Infinity };
  /** Whether nothing more is to come of it. */
  #isDone = false;
  #remove: () => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(seed: SeedToServe, logger: Logger, now: () => number) {
    this.vm = seed.vm;
    this.name = seed.name;
    this.fetched = Promise.race([this.#all.promise, this.#end.promise.then(() => {})]);
    this.ended = this.#end.promise;
    this.#seed = seed;
    this.#logger = logger;
    this.#now = now;
  }

  get hasFiles(): boolean {
    return this.#seed.render !== null;
  }

  get phoneHomeUrl(): string {
    return `${this.url}${PHONE_HOME}`;
  }

  open({ url, hash }: SecretPath, remove: () => void): void {
    this.url = url;
    this.pathHash = hash;
    this.#remove = remove;
  }

  signs(): readonly GuestSign[] {
    return [...this.#signs];
  }

  onSign(listener: (sign: GuestSign) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  endAt(at: number): void {
    clearTimeout(this.#timer);
    this.until = at;
    this.#timer = setTimeout(() => this.close("expired"), Math.max(0, at - this.#now()));
  }

  answered(): void {
    if (this.#isDone) this.close("answered");
  }

  close(reason: SeedEnd = "closed"): void {
    clearTimeout(this.#timer);
    this.#remove();
    this.#end.resolve(reason);
  }

  async answer(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET" } = request;
    if (name === PHONE_HOME && method === "POST") return await this.#phoneHome(request, response);
    const { render } = this.#seed;
    if (render === null || !FILES.includes(name) || (method !== "GET" && method !== "HEAD")) {
      return notFound(response);
    }
    if (this.#isTooMany()) {
      response.setHeader("retry-after", "10");
      return answerText(response, 429, "Too many requests");
    }
    const files = await this.#render(render);
    if (files === null) return answerText(response, 503, "The seed cannot be made");
    const text = files.get(name);
    if (text === undefined) return notFound(response);
    const bytes = new TextEncoder().encode(text);
    response.writeHead(200, {
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(bytes.length),
    });
    if (method === "HEAD") return void response.end();
    response.end(bytes);
    this.#show({ kind: "seed-fetched", at: this.#now(), address: peerOf(request) });
    this.#missing.delete(name);
    if ([...this.#missing].some((other) => files.has(other))) return;
    this.#all.resolve();
    // By vendor data guests are told to phone home; Talos has none.
    this.#isDone = !files.has("vendor-data");
  }

  /** The seed's files; null when it cannot be made. */
  async #render(
    render: NonNullable<SeedToServe["render"]>,
  ): Promise<ReadonlyMap<string, string> | null> {
    try {
      return (await render(this.phoneHomeUrl)).files;
    } catch (error) {
      this.#logger.error("The seed of a VM cannot be made, so its guest waits", {
        vm: this.#seed.name,
        reason: reasonOf(error),
      });
      return null;
    }
  }

  async #phoneHome(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const home = await readPhoneHome(request);
    if (home === null) {
      response.setHeader("connection", "close");
      return answerText(response, 413, "Too long");
    }
    const address = peerOf(request);
    const isOther = home.instanceId !== null && home.instanceId.toLowerCase() !== this.vm.toLowerCase();
    this.#show({ kind: "phone-home", at: this.#now(), address, ...home });
    if (isOther) return notFound(response);
    answerText(response, 200, "Thank you");
    // cloud-init does it last, when it needs nothing more.
    this.close("answered");
  }

  #show(sign: GuestSign): void {
    // A VM that was started elsewhere is given its hour from then on.
    if (this.until === null) this.endAt(sign.at + SERVED_MS);
    this.#signs.push(sign);
    if (this.#signs.length > MAX_SIGNS) this.#signs.splice(1, 1);
    const { kind, address } = sign;
    this.#logger.debug("A guest showed itself", { vm: this.#seed.name, sign: kind, address });
    for (const listener of this.#listeners) listener(sign);
  }

  #isTooMany(): boolean {
    const now = this.#now();
    if (now - this.#fetches.since > MAX_FETCHES.withinMs) {
      Object.assign(this.#fetches, { count: 0, since: now });
    }
    this.#fetches.count += 1;
    return this.#fetches.count > MAX_FETCHES.count;
  }
}

function notFound(response: ServerResponse): void {
  response.setHeader("connection", "close");
  answerText(response, 404, "Not found");
}

/** IPv4 for a mapped address. */
function peerOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:/i, "");
}
