/** Protects streams from their own data: clients end a line at a line feed, a carriage return, or both. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { frame } from "../../../routes/live/streams.ts";

/** What a client reads, by the rules of the HTML standard. */
function read(message: Uint8Array): { id: string | null; event: string | null; data: string }[] {
  const events: { id: string | null; event: string | null; data: string }[] = [];
  let data: string[] = [];
  let [id, event]: (string | null)[] = [null, null];
  for (const line of new TextDecoder().decode(message).split(/\r\n|\r|\n/)) {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (field === "data") data.push(value);
    if (field === "id") id = value;
    if (field === "event") event = value;
    if (line !== "" || data.length === 0) continue;
    events.push({ id: id ?? null, event: event ?? null, data: data.join("\n") });
    [data, id, event] = [[], null, null];
  }
  return events;
}

Deno.test("frame() encodes any text as one message, whatever its line endings (fault 19)", () => {
  const part = fc.constantFrom("\r", "\n", "\r\n", "event: end", "data: x", "id: 9", ": ", "a");
  fc.assert(fc.property(fc.array(part), fc.nat(), (parts, id) => {
    const text = parts.join("");
    assert.deepEqual(read(frame(text, { id })), [
      { id: String(id), event: null, data: text.replaceAll(/\r\n|\r/g, "\n") },
    ]);
  }));
});
