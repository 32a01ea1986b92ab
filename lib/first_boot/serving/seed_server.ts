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

const FILES: readonly string[] = ["user-data", "meta-data", "vendor-data", "network-config"];
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
        seed.token,
      );
      guest.open(path.url, () => {
        path.close();
        if (served.get(seed.vm) === guest) served.delete(seed.vm);
      });
      served.set(seed.vm, guest);
      return guest;
    },
    find: (vm) => served.get(vm) ?? null,
    close: () => {
      for (const guest of served.values()) guest.close();
    },
  };
}

/** A guest, as it is seen from its seed. */
class Guest implements ServedSeed {
  readonly vm: string;
  url = "";
  until: number | null = null;
  readonly ended: Promise<SeedEnd>;
  readonly #seed: SeedToServe;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #listeners = new Set<(sign: GuestSign) => void>();
  readonly #signs: GuestSign[] = [];
  readonly #end = Promise.withResolvers<SeedEnd>();
  readonly #fetches = { count: 0, since: -Infinity };
  #remove: () => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(seed: SeedToServe, logger: Logger, now: () => number) {
    this.vm = seed.vm;
    this.ended = this.#end.promise;
    this.#seed = seed;
    this.#logger = logger;
    this.#now = now;
  }

  get phoneHomeUrl(): string {
    return `${this.url}${PHONE_HOME}`;
  }

  open(url: string, remove: () => void): void {
    this.url = url;
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
    const text = await this.#render(name, render);
    if (text === null) return answerText(response, 503, "The seed cannot be made");
    if (text === undefined) return notFound(response);
    const bytes = new TextEncoder().encode(text);
    response.writeHead(200, {
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(bytes.length),
    });
    if (method === "HEAD") return void response.end();
    response.end(bytes);
    this.#show({ kind: "seed-fetched", at: this.#now(), address: peerOf(request) });
  }

  /** A file; undefined when the seed has no such file, null when it cannot be made. */
  async #render(
    name: string,
    render: NonNullable<SeedToServe["render"]>,
  ): Promise<string | undefined | null> {
    try {
      return (await render(this.phoneHomeUrl)).files.get(name);
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
    if (home.instanceId !== null && home.instanceId.toLowerCase() !== this.vm.toLowerCase()) {
      this.#logger.warning("A guest phoned home as another instance", { vm: this.#seed.name, from: address });
      return notFound(response);
    }
    answerText(response, 200, "Thank you");
    this.#show({ kind: "phone-home", at: this.#now(), address, hostname: home.hostname });
    // cloud-init does it last, when it needs nothing more.
    this.close("answered");
  }

  #show(sign: GuestSign): void {
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
