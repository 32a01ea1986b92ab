/**
 * Protects the log: one line per event, no secret in any form, nothing that could forge a line or control a terminal.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import fc from "../support/packages/fast_check.ts";
import { mock } from "node:test";
import { setupLogging, silentLogger } from "../../lib/observability/logging.ts";

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

Deno.test("a JSON line is valid JSON", () => {
  const [line] = linesOf("json", [], (logger) => logger.info("hello", { host: "a\nb" }));
  assert.deepEqual(JSON.parse(line ?? ""), {
    time: "1970-01-01T00:00:00.000Z",
    level: "INFO",
    message: "hello",
    host: "a\nb",
  });
});

Deno.test("secrets are removed from logs in every form and position", () => {
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
    // Premise: a word that is in every line, such as a field name, is not a leak.
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

Deno.test("a line has a maximum length", () => {
  const [line = ""] = linesOf("text", [], (logger) => logger.info("x".repeat(100_000)));
  assert.equal(line.length, 4_000);
});

/** Every way in which this program writes a value down, at the depth that a line can have. */
function writings(secret: string): Record<string, unknown> {
  return {
    plain: secret,
    between: `x${secret}y`,
    nested: { list: [secret] },
    json: JSON.stringify({ secret }),
    nestedJson: { frame: JSON.stringify({ params: [secret] }) },
    url: `wss://nas.lan/?token=${encodeURIComponent(secret)}`,
    form: new URLSearchParams({ secret }).toString(),
  };
}

Deno.test("secrets with special characters are removed as well", () => {
  const char = fc.constantFrom(
    '"',
    "\\",
    "\n",
    "\t",
    "\u007f",
    "\u0085",
    "\u2028",
    " ",
    "+",
    "%",
    "ä",
    "€",
    "😀",
    "x",
  );
  // The letters around it are in no other part of a line, so that what is left of it can be looked for.
  const secret = fc.array(char, { minLength: 1, maxLength: 6 }).map((chars) => `Q${chars.join("")}X`);
  fc.assert(fc.property(secret, fc.constantFrom("text" as const, "json" as const), (secret, format) => {
    const log = (secrets: string[]) =>
      linesOf(format, secrets, (logger) => {
        logger.error(`Cannot sign in with ${secret}`);
        logger.error(`Cannot sign in with ${JSON.stringify(secret)}`, writings(secret));
      }).join("\n");
    assert.match(log([]), /Q.*X/s, "the premise: without redaction it is there");
    assert.doesNotMatch(log([secret]), /[QX]/);
    assert.match(log([secret]), /\[secret\]/);
  }));
});

Deno.test("a secret inside a longer one does not leave parts of the longer one", () => {
  const [line = ""] = linesOf("text", ["pass", "password1"], (logger) => logger.info("my password1"));
  assert.match(line, /my \[secret\]$/);
});

Deno.test("an empty or very short secret hides nothing", () => {
  const [line = ""] = linesOf("text", ["", "a", "in"], (logger) => logger.info("again and again"));
  assert.match(line, /again and again$/);
});

Deno.test("logging never throws, and a JSON line is always valid JSON", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const fields = fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), fields, (message, fields) => {
    for (const format of ["text", "json"] as const) {
      const lines = linesOf(
        format,
        ["p\ud800w"],
        (logger) => logger.info(message, { ...fields, circle, big: 1n }),
      );
      assert.equal(lines.length, 1);
    }
    const [line = ""] = linesOf("json", [], (logger) => logger.info(message, fields));
    if (line.length < 4_000) assert.equal(JSON.parse(line).message, message);
  }));
  const [line = ""] = linesOf(
    "text",
    [],
    (logger) => logger.info("odd", { circle, big: 1n, none: undefined }),
  );
  assert.match(line, /odd circle="\[no JSON\]" big="\[no JSON\]"$/);
});

Deno.test("a field cannot replace the time, level or message of its line", () => {
  const forged = { time: "2000", level: "ERROR", message: "forged", host: "nas" };
  const [line = ""] = linesOf("json", [], (logger) => logger.info("true", forged));
  assert.deepEqual(JSON.parse(line), {
    time: "1970-01-01T00:00:00.000Z",
    level: "INFO",
    message: "true",
    host: "nas",
  });
});

Deno.test("logs are written to standard error by default, and the silent logger writes nothing", () => {
  const lines: string[] = [];
  const write = mock.method(fs, "writeSync", (_to: number, bytes: Uint8Array) => {
    lines.push(new TextDecoder().decode(bytes));
    return bytes.length;
  });
  try {
    setupLogging("DEBUG", { now: () => 0 }).debug("to standard error");
    for (const level of ["debug", "info", "warning", "error"] as const) silentLogger[level]("nothing");
    assert.deepEqual(lines, ["1970-01-01T00:00:00.000Z DEBUG   to standard error\n"]);
  } finally {
    write.mock.restore();
  }
});

Deno.test("a closed log does not stop the program", () => {
  const write = mock.method(fs, "writeSync", () => {
    throw new Deno.errors.BrokenPipe("Broken pipe");
  });
  try {
    setupLogging("DEBUG").info("to a closed pipe");
    assert.equal(write.mock.callCount(), 1);
  } finally {
    write.mock.restore();
  }
});
