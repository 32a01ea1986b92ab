/** Protects what is read from the environment: everything that is missing or wrong is told in one message. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "fast-check";
import {
  type Environment,
  type EnvironmentName,
  getEnvironmentVariables,
  readSettings,
} from "../../lib/environment.ts";
import { ConfigurationError } from "../../lib/errors.ts";
import { parseNasAddress } from "../../lib/nas_address.ts";

const NAS = { TRUENAS_HOST: "nas.lan", API_USERNAME: "admin", API_PASSWORD: "p", VNC_PASSWORD: "v" } as const;

function env(values: Partial<Record<EnvironmentName, string>>): Environment {
  return (name) => values[name];
}

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.message;
  }
  return "";
}

Deno.test("getEnvironmentVariables() gives what a script needs", () => {
  assert.deepEqual(getEnvironmentVariables({ env: env(NAS) }), {
    host: "nas.lan",
    username: "admin",
    password: "p",
    vncPassword: "v",
  });
  const { API_PASSWORD: _password, ...keyed } = { ...NAS, TRUENAS_API_KEY: "1-abc" };
  assert.equal(getEnvironmentVariables({ env: env(keyed) }).apiKey, "1-abc");
});

Deno.test("getEnvironmentVariables() names all that is missing in one message", () => {
  const message = messageOf(() => getEnvironmentVariables({ env: env({}) }));
  for (const name of ["TRUENAS_HOST", "API_USERNAME", "API_PASSWORD", "VNC_PASSWORD"]) {
    assert.match(message, new RegExp(name));
  }
  assert.equal(message.split("\n").length, 1);
  assert.match(
    messageOf(() => getEnvironmentVariables({ env: env({ ...NAS, VNC_PASSWORD: "  " }) })),
    /Missing: VNC_PASSWORD;/,
  );
});

Deno.test("a unix socket needs no account", () => {
  const { host } = getEnvironmentVariables({
    env: env({ TRUENAS_HOST: "unix:/run/x.sock", VNC_PASSWORD: "v" }),
  });
  assert.equal(host, "unix:/run/x.sock");
});

Deno.test("readSettings() has sensible defaults and tells every wrong value", () => {
  const settings = readSettings({ env: env(NAS) });
  assert.deepEqual([settings.listenHost, settings.listenPort, settings.readOnly, settings.logLevel], [
    "127.0.0.1",
    8080,
    false,
    "INFO",
  ]);
  assert.equal(readSettings({ env: env({}), needNas: false }).nas, null);
  const wrong = { ...NAS, PORT: "80x", READ_ONLY: "maybe", LOG_LEVEL: "LOUD", LOG_FORMAT: "xml" } as const;
  const message = messageOf(() => readSettings({ env: env(wrong) }));
  for (const name of ["PORT", "READ_ONLY", "LOG_LEVEL", "LOG_FORMAT"]) {
    assert.match(message, new RegExp(`${name} must be`));
  }
  assert.equal(readSettings({ env: env({ ...NAS, NO_DESTROY: "1", LOG_LEVEL: "debug" }) }).noDestroy, true);
  assert.match(
    messageOf(() => readSettings({ env: env({ ...NAS, TRUENAS_HOST: "http://x" }) })),
    /write ws:\/\/ instead of http:\/\//,
  );
});

Deno.test("a file of values stands behind the environment itself", () => {
  const folder = mkdtempSync(`${tmpdir()}/env-test-`);
  try {
    const path = `${folder}/.env`;
    writeFileSync(
      path,
      'TRUENAS_HOST=file.lan\nAPI_USERNAME=file # who\nAPI_PASSWORD="p w"\nVNC_PASSWORD=v\n',
    );
    const variables = getEnvironmentVariables({
      env: env({ TRUENAS_HOST: "real.lan" }),
      envFile: { path, required: true },
    });
    assert.deepEqual([variables.host, variables.username, variables.password], ["real.lan", "file", "p w"]);
    const missing = { path: `${folder}/none`, required: true };
    assert.match(messageOf(() => readSettings({ env: env(NAS), envFile: missing })), /There is no such file/);
    assert.ok(readSettings({ env: env(NAS), envFile: { ...missing, required: false } }));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("parseNasAddress() reads every way to write a NAS", () => {
  const urlOf = (text: string) => {
    const parsed = parseNasAddress(text);
    return parsed.ok ? parsed.address.url : parsed.problem.message;
  };
  assert.equal(urlOf("nas.lan"), "wss://nas.lan");
  assert.equal(urlOf(" nas.lan:444 "), "wss://nas.lan:444");
  assert.equal(urlOf("[::1]:444"), "wss://[::1]:444");
  assert.equal(urlOf("ws://10.0.0.2/"), "ws://10.0.0.2");
  assert.equal(urlOf("wss://nas.lan/api/current"), "wss://nas.lan");
  assert.equal(urlOf("unix:/run/middlewared.sock"), "unix:/run/middlewared.sock");
  assert.match(urlOf(""), /empty/);
  assert.match(urlOf("https://nas.lan"), /write wss:\/\//);
  assert.match(urlOf("ftp://nas.lan"), /begins with ftp/);
  assert.match(urlOf("wss://admin:pw@nas.lan"), /API_USERNAME/);
  assert.doesNotMatch(urlOf("wss://admin:pw@nas.lan"), /pw@/);
  assert.match(urlOf("nas.lan/ui"), /has a path/);
  assert.match(urlOf("unix:run/x"), /absolute path/);
  assert.match(urlOf("nas lan"), /is no address/);
});

Deno.test("parseNasAddress() never throws", () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(typeof parseNasAddress(text).ok, "boolean")));
});
