/** The serial consoles of running VMs: what guests print, for whoever is connected. */

/** Text of guests, by the id of the VM. */
export class SerialConsoles {
  readonly #listeners = new Map<number, Set<(text: string) => void>>();
  readonly #prompts = new Map<number, string>();

  /** Prints lines; nobody sees later what was printed while no one was connected. */
  print(vm: number, lines: readonly string[]): void {
    const text = lines.map((line) => `${line}\r\n`).join("");
    for (const listener of this.#listeners.get(vm) ?? []) listener(text);
  }

  /** Prints the prompt to sign in at, which a connection also sees as its first; empty while the guest boots. */
  prompt(vm: number, prompt: string): void {
    this.#prompts.set(vm, prompt);
    for (const listener of this.#listeners.get(vm) ?? []) listener(prompt);
  }

  /** The prompt of a VM; null when no guest has shown one. */
  promptOf(vm: number): string | null {
    return this.#prompts.get(vm) ?? null;
  }

  /** Forgets a guest that has ended. */
  end(vm: number): void {
    this.#prompts.delete(vm);
  }

  /** Listens until the returned function is called. */
  onText(vm: number, listener: (text: string) => void): () => void {
    const listeners = this.#listeners.get(vm) ?? new Set();
    this.#listeners.set(vm, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(vm);
    };
  }
}
