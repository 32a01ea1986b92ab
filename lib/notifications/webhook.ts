/** Delivers notices to one address, one after another, and tries again while the receiver is away. */
import { toHex } from "../base64.ts";
import { hmacSha256 } from "../hashes.ts";
import type { Logger } from "../observability/logging.ts";
import { reasonOf } from "../errors/system_errors.ts";
import { type Notice, type WebhookFormat, writeNotice } from "./notice.ts";

/** Where and how notices are sent. */
export interface WebhookTarget {
  /** May contain a secret, so it is never logged. */
  readonly url: string;
  /** Signs what is sent; null: it is not signed. */
  readonly secret: string | null;
  readonly format: WebhookFormat;
}

/** The world, as far as a webhook needs it. */
export interface WebhookOptions {
  readonly logger: Logger;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** Waits; ends early when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly fetch?: typeof fetch;
}

/** How long a receiver may take for its answer. */
const ANSWER_MS = 10_000;

/** How long what is still waiting may take when the program stops. */
const LAST_MS = 2_000;

/** How long is waited before each further try; together about twelve minutes. */
const PAUSES_MS = [1_000, 5_000, 30_000, 120_000, 600_000] as const;

/** More than this piles up only when a receiver is away for long; the oldest ones are dropped. */
const MAX_PENDING = 100;

/** Header with the seconds since 1970 (UTC) at which it was signed, so that a copy cannot be sent again later. */
export const TIMESTAMP_HEADER = "x-webhook-timestamp";
/** Header with `sha256=` and the HMAC of `TIMESTAMP.BODY`. */
export const SIGNATURE_HEADER = "x-webhook-signature";

/** How one try ended. */
type Delivery = "delivered" | "refused" | "again";

/** See the file's comment. */
export class Webhook implements AsyncDisposable {
  readonly #target: WebhookTarget;
  readonly #options: WebhookOptions;
  readonly #pending: Notice[] = [];
  readonly #ending = new AbortController();
  readonly #ended = new AbortController();
  #running: Promise<void> | null = null;

  /** Sends nothing yet. */
  constructor(target: WebhookTarget, options: WebhookOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Sends a notice as soon as the earlier ones are delivered or given up. */
  send(notice: Notice): void {
    if (this.#ending.signal.aborted) return;
    this.#pending.push(notice);
    if (this.#pending.length > MAX_PENDING) {
      const dropped = this.#pending.shift();
      this.#options.logger.warning("Webhook: too many notices wait; the oldest was dropped", {
        title: dropped?.title,
      });
    }
    this.#running ??= this.#run().finally(() => this.#running = null);
  }

  /** Ends; what waits is tried once more for two seconds, and the log names what was not delivered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    const timer = setTimeout(() => this.#ended.abort(), LAST_MS);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    for (let notice = this.#pending.shift(); notice !== undefined; notice = this.#pending.shift()) {
      await this.#deliver(notice);
    }
  }

  async #deliver(notice: Notice): Promise<void> {
    const { logger, wait } = this.#options;
    const { signal } = this.#ending;
    for (const pauseMs of [...PAUSES_MS, null]) {
      const { delivery, why } = await this.#attempt(notice);
      const told = { title: notice.title, why };
      if (delivery === "delivered") return logger.info("Webhook: delivered", { title: notice.title });
      if (delivery === "refused") return logger.warning("Webhook: the receiver refused a notice", told);
      if (pauseMs === null || signal.aborted) {
        return logger.warning("Webhook: a notice was not delivered; it is not tried again", told);
      }
      logger.warning("Webhook: a notice was not delivered; it is tried again", { ...told, inMs: pauseMs });
      await wait(pauseMs, signal);
    }
  }

  async #attempt(notice: Notice): Promise<{ readonly delivery: Delivery; readonly why: string }> {
    const { url, secret, format } = this.#target;
    const { now, fetch: send = fetch } = this.#options;
    const { body, headers } = writeNotice(format, notice);
    try {
      const answer = await send(url, {
        method: "POST",
        headers: { ...headers, ...(secret === null ? {} : signatureOf(secret, body, now())) },
        body,
        // Another place would get what was meant for this one.
        redirect: "manual",
        signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), this.#ended.signal]),
      });
      await answer.body?.cancel();
      return { delivery: deliveryOf(answer), why: `it answered ${answer.status}` };
    } catch (error) {
      // The error's text may name the address, which can contain a secret.
      const why = error instanceof DOMException && error.name === "TimeoutError"
        ? `it did not answer within ${ANSWER_MS / 1000} s`
        : reasonOf(error).replaceAll(url, "the address");
      return { delivery: "again", why };
    }
  }
}

/** A receiver that is busy or broken may take it later; other refusals stay. */
function deliveryOf({ ok, status }: Response): Delivery {
  if (ok) return "delivered";
  return status >= 500 || status === 408 || status === 429 ? "again" : "refused";
}

/** The headers by which a receiver knows who sent a body, and when. */
export function signatureOf(secret: string, body: string, now: number): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(now / 1000));
  const mac = hmacSha256(new TextEncoder().encode(secret), `${timestamp}.${body}`);
  return { [TIMESTAMP_HEADER]: timestamp, [SIGNATURE_HEADER]: `sha256=${toHex(mac)}` };
}
