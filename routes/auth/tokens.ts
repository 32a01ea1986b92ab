/**
 * One-time tokens for forms that change something. A form submitted twice, by a double click or a reload, takes effect
 * once, and both submissions lead to the same page.
 */

/** How many tokens are remembered. When the oldest is dropped, its form has to be shown again. */
const MAX_TOKENS = 1_000;

/** Issues and redeems tokens. */
export class OneTimeTokens {
  /** null until a token is used; then the page its use led to. */
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
   * Runs `act` once and returns the page it leads to; later calls return the same page. If `act` returns null or throws,
   * the token can be used again.
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
