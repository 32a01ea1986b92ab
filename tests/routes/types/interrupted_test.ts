/** Protects the configuration from a connection that breaks while a form is sent: half a text is never taken for the whole. */
import assert from "node:assert/strict";
import { TEST_CONFIG, type TestDashboard } from "../../support/pages/dashboard.ts";
import { post, text, withDashboard } from "../../support/pages/http.ts";
import { fieldsOf, fileText, filled, page, save } from "../../support/pages/type_forms.ts";

/** Sends a form of which only so many bytes arrive, and returns what the dashboard answers, if anything. */
async function sendPart({ url }: TestDashboard, path: string, body: string, bytes: number): Promise<string> {
  const { hostname, port, host } = new URL(url);
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${host}`,
    `origin: ${url}`,
    "content-type: application/x-www-form-urlencoded",
    `content-length: ${body.length}`,
    "connection: close",
  ];
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const whole = new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body.slice(0, bytes)}`);
  for (let sent = 0; sent < whole.length;) sent += await connection.write(whole.subarray(sent));
  await connection.closeWrite();
  // A connection that broke may be reset instead of answered.
  return await new Response(connection.readable).text().catch(() => "");
}

Deno.test("a configuration whose upload is interrupted is not saved, at whatever byte that happens", () =>
  withDashboard({}, async (dashboard) => {
    const edited = TEST_CONFIG.replace("count: 3", "count: 7");
    const review = await text(
      post(dashboard, "/types/review", filled(await page(dashboard, "/types/yaml"), { yaml: edited })),
    );
    const fields = fieldsOf(review);
    const body = new URLSearchParams(fields).toString();
    for (const share of [0, 0.25, 0.5, 0.9, 0.999]) {
      const answer = await sendPart(dashboard, "/types", body, Math.floor(body.length * share));
      assert.doesNotMatch(answer, /^HTTP\/1\.1 (?:2|3|500)/, `${share} of it`);
      assert.equal(fileText(dashboard), TEST_CONFIG);
    }
    await save(dashboard, fields);
    assert.equal(fileText(dashboard), edited, "the same form is taken once it arrives whole");
  }));
