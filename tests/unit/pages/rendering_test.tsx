/** Protects the first page from waiting for parts of the runtime that no view needs. */
import assert from "node:assert/strict";
import { renderWithoutContexts } from "../../../routes/rendering.tsx";
import { CapacityLine } from "../../../templates/parts/capacity.tsx";

Deno.test("views are rendered without a look at the process, which is there for whoever needs it", () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "process");
  let looks = 0;
  const counting = { configurable: true, get: () => void looks++ };
  Object.defineProperty(globalThis, "process", counting);
  try {
    renderWithoutContexts();
    assert.equal(String(<CapacityLine capacity={null} />), '<p class="help" id="capacity"></p>');
    assert.equal(looks, 0);
    assert.equal(Object.getOwnPropertyDescriptor(globalThis, "process")?.get, counting.get);
  } finally {
    if (before !== undefined) Object.defineProperty(globalThis, "process", before);
  }
});
