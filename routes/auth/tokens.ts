/**
 * One-time tokens for forms that change something. A form submitted twice, by a double click or a reload, takes effect
 * once, and both submissions lead to the same page.
 */

/** How many tokens are remembered. A form whose token was dropped has to be shown again. */
const MAX_TOKENS = 1_000;

/** Issues and redeems tokens. */
export class OneTimeTokens {
  /** By token; null until it is used, then the page that opens after its use. */
  readonly #issued = new Map<string, Promise<string | null> | null>();

  /** A new token for one form. */
  issue(): string {
    const token = crypto.randomUUID();
    this.#issued.set(token, null);
    const [oldest] = this.#issued.keys();
    if (this.#issued.size > MAX_TOKENS && oldest !== undefined) this.#issued.delete(oldest);
    return token;
  }

  /** Whether the token was issued and is still remembered. */
  knows(token: string): boolean {
    return this.#issued.has(token);
  }

  /** Whether the token was used or is being used. Using it again leads to the same page. */
  isUsed(token: string): boolean {
    return (this.#issued.get(token) ?? null) !== null;
  }

  /**
   * Runs `act` once and returns its page; later calls return the same page. If `act` returns null or throws, the token
   * can be used again.
   */
  async redeem(token: string, act: () => Promise<string | null>): Promise<string | null> {
    const use = this.#issued.get(token) ?? act();
    this.#issued.set(token, use);
    try {
      const page = await use;
      if (page === null) this.#issued.set(token, null);
      return page;
    } catch (error) {
      this.#issued.set(token, null);
      throw error;
    }
  }
}
