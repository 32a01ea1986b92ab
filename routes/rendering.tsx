/** How views become text. */

function Nothing() {
  return <p></p>;
}

/**
 * Has views rendered without what only contexts need; called before the first one is. Views have no contexts and wait
 * for nothing, so that hono's JSX needs no AsyncLocalStorage. It looks for one at its first component, once, by
 * `process` (hono/jsx/context), for which the runtime loads much of what Node has: 23 ms of the first page, and 3 MB.
 */
export function renderWithoutContexts(): void {
  const process = Object.getOwnPropertyDescriptor(globalThis, "process");
  if (process === undefined) return;
  Reflect.deleteProperty(globalThis, "process");
  try {
    String(<Nothing />);
  } finally {
    Object.defineProperty(globalThis, "process", process);
  }
}
