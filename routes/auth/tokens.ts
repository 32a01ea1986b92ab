/**
 * One-time tokens of forms that change something: a form sent twice, by a double click or a reload, has one effect,
 * and both answers lead to the same place.
 */

/** Tokens remembered; the oldest is forgotten first, and its form then has to be shown again. */
const MAX_TOKENS = 1_000;

/** Issues and redeems tokens. */
export class OneTimeTokens {
  /** null while a token has not been used; then where its use led. */
  readonly #issued = new Map<string, Promise<string | null> | null>();

  /** A new token for one form. */
  issue(): string {
    const token = crypto.randomUUID();
    this.#issued.set(token, null);
    const [oldest] = this.#issued.keys();
    if (this.#issued.size > MAX_TOKENS && oldest !== undefined) this.#issued.delete(oldest);
    return token;
  }

  /** Whether the token was issued here and is remembered. */
  knows(token: string): boolean {
    return this.#issued.has(token);
  }

  /** Whether it was used, or is being used: then using it again leads to the same place. */
  isUsed(token: string): boolean {
    return (this.#issued.get(token) ?? null) !== null;
  }

  /**
   * Where the token's use led: `act` is run at most once at a time, and never again after it led somewhere. When it
   * leads nowhere (null) or throws, the token can be used again.
   */
  async redeem(token: string, act: () => Promise<string | null>): Promise<string | null> {
    const use = this.#issued.get(token) ?? act();
    this.#issued.set(token, use);
    try {
      const led = await use;
      if (led === null) this.#issued.set(token, null);
      return led;
    } catch (error) {
      this.#issued.set(token, null);
      throw error;
    }
  }
}
