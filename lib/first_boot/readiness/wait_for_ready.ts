/**
 * Waits until a guest shows that it is ready. Each sense (the seed server, its ports, its agent, its console) is followed by
 * itself; what one of them finds out, such as an address, the others use. Only the own clock counts.
 */
import { TrueNASError } from "../../errors/errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { formatDuration } from "../../units.ts";
import type { GuestSign, PlannedReady } from "../types.ts";
import { describeMissing, describeSign, isSameSign } from "./describe_sign.ts";
import { portOf } from "./planned_ready.ts";
import type { ProbePort } from "./probe_port.ts";
import { strangeHome, strangeMac, type WaitingGuest } from "./strangers.ts";

/** The signs that come by the seed server. */
export interface ServedSigns {
  /** Those that have come already. */
  readonly signs: () => readonly GuestSign[];
  /** Calls the listener with each one from now on, until the returned function is called, where there is one. */
  readonly onSign: (listener: (sign: GuestSign) => void) => (() => void) | void;
  /** Whether it fetches its seed; else it only phones home. Default: it does. */
  readonly hasFiles?: boolean;
}

/** What can be found out about a guest. */
export interface GuestSenses {
  /** Null when nothing is served to it. */
  readonly served: ServedSigns | null;
  readonly probe: ProbePort;
  /** Reads the VM, and waits while the NAS is away; `unread` when the NAS refuses to tell; null when it does not exist. */
  readonly readVm: () => Promise<Vm | "unread" | null>;
  /** How often the NAS was away so far; nobody's time runs meanwhile. */
  readonly outages: () => number;
  /** Starts the VM again if a restart of the NAS has stopped it; false when nothing of that kind has happened. */
  readonly startAgain: () => Promise<boolean>;
  /** The address that its agent tells; null without this sense. */
  readonly askAgent: ((vm: Vm) => Promise<string | null>) | null;
  /** The MAC address that answers for an address, as the NAS knows it; null when it does not, or without this sense. */
  readonly macOf: ((address: string) => Promise<string | null>) | null;
  /** Reads its console until cloud-init has finished; null without this sense. */
  readonly readConsole: ((signal: AbortSignal) => Promise<{ readonly address: string | null }>) | null;
  /** Milliseconds; never set back. */
  readonly clock: () => number;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** Resolves after so many milliseconds, or when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds between two looks. */
  readonly pollMs: number;
}

/** A guest that did not answer in time, or cannot any longer. */
export class NotReady extends TrueNASError {
  override readonly name = "NotReady";

  /** Creates the error. */
  constructor(message: string) {
    super(message, { outcome: "not-done" });
  }
}

/** A VM that is off for longer was shut down. */
const OFF_MS = 60_000;
/** How long a port may take to answer. */
const PROBE_MS = 2_000;

/** How a wait is followed and ended. */
export interface WaitOptions {
  /** Receives each sign as it comes, the one that was waited for too. */
  readonly onSign: (sign: GuestSign) => void;
  /** Ends the wait with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * Resolves with the sign that shows that the guest is ready.
 *
 * @throws {NotReady} whose message says what was seen last, and what to look at.
 */
export async function waitForReady(
  guest: WaitingGuest,
  planned: PlannedReady,
  senses: GuestSenses,
  options: WaitOptions,
): Promise<GuestSign> {
  const waiting = new Waiting(guest, planned, senses, options);
  return await waiting.run();
}

class Waiting {
  readonly #guest: WaitingGuest;
  readonly #planned: PlannedReady;
  readonly #senses: GuestSenses;
  readonly #options: WaitOptions;
  readonly #ready = Promise.withResolvers<GuestSign>();
  readonly #over = new AbortController();
  readonly #signs: GuestSign[] = [];
  /** The VM as it was read last. */
  #vm: Vm | null = null;
  #deadline: number;

  constructor(
    guest: WaitingGuest,
    planned: PlannedReady,
    senses: GuestSenses,
    options: WaitOptions,
  ) {
    this.#guest = guest;
    this.#planned = planned;
    this.#senses = senses;
    this.#options = options;
    this.#deadline = senses.clock() + planned.timeoutMs;
  }

  async run(): Promise<GuestSign> {
    const { served } = this.#senses;
    const { signal } = this.#options;
    if (served === null && this.#planned.when === "phone-home") throw new NotReady(unheard(this.#guest));
    const cancel = () => {
      this.#over.abort();
      this.#ready.reject(signal.reason);
    };
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    // A sense that fails ends the wait with its error; one that only has nothing to tell goes on.
    const follow = (sense: () => Promise<void>) => {
      sense().catch((error) => this.#ready.reject(error));
    };
    for (const sign of served?.signs() ?? []) this.#take(sign);
    const end = served?.onSign((sign) => this.#take(sign));
    follow(() => this.#followVm());
    follow(() => this.#followPorts());
    follow(() => this.#followAgent());
    follow(() => this.#followConsole());
    try {
      return await this.#ready.promise;
    } finally {
      this.#over.abort();
      signal.removeEventListener("abort", cancel);
      end?.();
    }
  }

  /** The time, and whether the VM is still there. */
  async #followVm(): Promise<void> {
    const { clock, readVm, startAgain, outages } = this.#senses;
    let offSince: number | null = null;
    for (;;) {
      const [startedAt, before] = [clock(), outages()];
      const vm = await readVm();
      if (this.#over.signal.aborted) return;
      if (outages() > before) this.#deadline += clock() - startedAt;
      if (vm === null) return this.#fail(`${this.#guest.name} no longer exists on the NAS`);
      if (vm !== "unread") {
        this.#vm = vm;
        const isOff = vm.state !== "RUNNING";
        if (!isOff || await startAgain()) offSince = null;
        else offSince ??= clock();
        if (offSince !== null && clock() - offSince >= OFF_MS) {
          return this.#fail(`${this.#guest.name} is ${vm.state.toLowerCase()}, so it cannot answer`);
        }
      }
      if (clock() >= this.#deadline) return this.#fail(this.#lateMessage());
      if (!await this.#pause()) return;
    }
  }

  #lateMessage(): string {
    const { name } = this.#guest;
    const { when, timeoutMs } = this.#planned;
    const last = this.#signs.at(-1);
    const seen = last === undefined
      ? "nothing was seen of it since it was started"
      : `seen last: ${describeSign(last)}`;
    return `${name} did not answer within ${formatDuration(timeoutMs)}; ${seen}. ${
      describeMissing(when, this.#signs, this.#senses.served?.hasFiles)
    }`;
  }

  async #followPorts(): Promise<void> {
    const port = portOf(this.#planned.when);
    if (port === null) return;
    do {
      await Promise.all(this.#addresses().map((address) => this.#probe(address, port)));
    } while (await this.#pause());
  }

  async #probe(address: string, port: number): Promise<void> {
    const { probe, macOf, now } = this.#senses;
    const { state, greeting } = await probe({ address, port, timeoutMs: PROBE_MS });
    if (state === "refused") this.#take({ kind: "network", at: now(), address, by: "refused" });
    if (state !== "open" || this.#over.signal.aborted) return;
    const why = strangeMac(this.#guest, await macOf?.(address) ?? null);
    if (why !== null) return this.#take({ kind: "stranger", at: now(), address, why });
    this.#take({
      kind: "port",
      at: now(),
      address,
      port,
      ...(greeting === null ? {} : { greeting }),
    });
  }

  /** Asked where nothing else tells the address, because an agent that is not there keeps the NAS busy for half a minute. */
  async #followAgent(): Promise<void> {
    const { askAgent, now } = this.#senses;
    const { when } = this.#planned;
    if (askAgent === null || (when !== "agent" && portOf(when) === null)) return;
    do {
      const isNeeded = when === "agent" || this.#addresses().length === 0;
      const address = isNeeded && this.#vm?.state === "RUNNING" ? await askAgent(this.#vm) : null;
      if (address !== null) {
        this.#take(
          when === "agent"
            ? { kind: "agent", at: now(), address }
            : { kind: "network", at: now(), address, by: "agent" },
        );
      }
    } while (await this.#pause());
  }

  async #followConsole(): Promise<void> {
    const { readConsole, now } = this.#senses;
    if (this.#planned.when !== "console" || readConsole === null) return;
    const { address } = await readConsole(this.#over.signal);
    if (!this.#over.signal.aborted) this.#take({ kind: "console", at: now(), address });
  }

  /** Where it may be reached: as planned, and as it was seen, the latest first. */
  #addresses(): readonly string[] {
    const seen = this.#signs.filter(({ kind }) => kind !== "stranger").flatMap(({ address }) =>
      address ?? []
    );
    return [...new Set([...this.#guest.addresses, ...seen.toReversed()])];
  }

  /** False when the wait is over. */
  async #pause(): Promise<boolean> {
    const { sleep, pollMs } = this.#senses;
    const { signal } = this.#over;
    if (!signal.aborted) await sleep(pollMs, signal);
    return !signal.aborted;
  }

  #take(sign: GuestSign): void {
    if (this.#over.signal.aborted) return;
    const why = sign.kind === "phone-home" ? strangeHome(this.#guest, sign) : null;
    const taken: GuestSign = why === null || sign.kind !== "phone-home"
      ? sign
      : { kind: "stranger", at: sign.at, address: sign.address, why };
    if (this.#signs.some((known) => isSameSign(known, taken))) return;
    this.#signs.push(taken);
    this.#options.onSign(taken);
    if (isAnswer(this.#planned, taken)) this.#ready.resolve(taken);
  }

  #fail(message: string): void {
    this.#ready.reject(new NotReady(message));
  }
}

function unheard({ name }: WaitingGuest): string {
  return `${name} cannot be heard any more, because this program does not listen where its first configuration (seed) says: ` +
    "SEED_HOST or SEED_PORT was changed, or an earlier version made it. Look at its console; if it is ready, keep it";
}

/** Whether a sign is the one that was waited for. */
function isAnswer({ when }: PlannedReady, sign: GuestSign): boolean {
  return portOf(when) === null ? sign.kind === when : sign.kind === "port" && sign.port === portOf(when);
}
