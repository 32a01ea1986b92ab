/** Protects the log: one line an event, no secret in any form, nothing that could forge a line or steer a terminal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { setupLogging } from "../../lib/logging.ts";

function linesOf(
  format: "text" | "json",
  secrets: string[],
  log: (logger: ReturnType<typeof setupLogging>) => void,
): string[] {
  const lines: string[] = [];
  log(setupLogging("INFO", { format, secrets, write: (line) => lines.push(line), now: () => 0 }));
  return lines;
}

Deno.test("setupLogging() writes lines of its level and above", () => {
  const lines = linesOf("text", [], (logger) => {
    logger.debug("no");
    logger.info("hello", { host: "nas", count: 2, list: [1] });
    logger.warning("careful");
    logger.error("bad");
  });
  assert.deepEqual(lines, [
    '1970-01-01T00:00:00.000Z INFO    hello host="nas" count=2 list="[1]"',
    "1970-01-01T00:00:00.000Z WARNING careful",
    "1970-01-01T00:00:00.000Z ERROR   bad",
  ]);
});

Deno.test("a JSON line is JSON", () => {
  const [line] = linesOf("json", [], (logger) => logger.info("hello", { host: "a\nb" }));
  assert.deepEqual(JSON.parse(line ?? ""), {
    time: "1970-01-01T00:00:00.000Z",
    level: "INFO",
    message: "hello",
    host: "a\nb",
  });
});

Deno.test("a secret never survives, in whatever form and place", () => {
  fc.assert(fc.property(fc.string({ minLength: 3 }), fc.constantFrom("text", "json"), (secret, format) => {
    const fields = {
      plain: secret,
      nested: { list: [`x${secret}y`] },
      url: encodeURIComponent(secret),
      json: JSON.stringify(secret),
    };
    const clean = { plain: "", nested: { list: ["xy"] }, url: "", json: '""' };
    const [line = ""] = linesOf(
      format as "text" | "json",
      [secret],
      (logger) => logger.info("message", fields),
    );
    const [without = ""] = linesOf(format as "text" | "json", [], (logger) => logger.info("message", clean));
    // The premise: a word that stands in every line (a name of a field, say) is no sign of a leak.
    fc.pre(!without.includes(secret) && !"[secret]".includes(secret));
    assert.ok(!line.includes(secret), line);
  }));
});

Deno.test("control characters cannot start a line or steer a terminal", () => {
  const hostile = "name\n2026 ERROR forged\u001b[31m\u0007\r\u2028";
  for (const format of ["text", "json"] as const) {
    const lines = linesOf(format, [], (logger) => logger.info(hostile, { hostile }));
    assert.equal(lines.length, 1);
    assert.doesNotMatch(lines[0] ?? "", /\p{Cc}/u);
  }
});

Deno.test("a line has a limit", () => {
  const [line = ""] = linesOf("text", [], (logger) => logger.info("x".repeat(100_000)));
  assert.equal(line.length, 4_000);
});
