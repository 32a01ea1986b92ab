/** Tokens of auth.generate_token, with their conditions. */
import type { Account } from "../accounts.ts";

/** A token. */
export interface Token {
  readonly account: Account;
  /** Milliseconds since 1970 (UTC). */
  readonly expiresAt: number;
  /** With attributes it is only good for what they say, and never for an upload. */
  readonly hasAttributes: boolean;
  /** The job whose output it opens; absent for others. */
  readonly job?: number;
  /** The address that has to use it; null for any. */
  readonly origin: string | null;
  readonly isSingleUse: boolean;
}

/** The tokens of all connections. */
export class Tokens {
  readonly #tokens = new Map<string, Token>();

  /** Adds one and returns its text. */
  add(token: Token): string {
    const text = crypto.randomUUID().replaceAll("-", "").repeat(2);
    this.#tokens.set(text, token);
    return text;
  }

  /** Uses a token; undefined when it is unknown, expired or used up. */
  use(text: string, isFit: (token: Token) => boolean = () => true): Token | undefined {
    const token = this.#tokens.get(text);
    if (token === undefined || token.expiresAt < Date.now() || !isFit(token)) return undefined;
    if (token.isSingleUse) this.#tokens.delete(text);
    return token;
  }
}
