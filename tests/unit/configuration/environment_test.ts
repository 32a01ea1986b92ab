/** Protects settings from the environment: all missing and invalid ones are reported in one message. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { readEnvFile } from "../../../lib/configuration/environment/env_file.ts";
import {
  type Environment,
  type EnvironmentName,
  getEnvironmentVariables,
} from "../../../lib/configuration/environment/environment.ts";
import { readSettings } from "../../../lib/configuration/environment/settings.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";

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

Deno.test("getEnvironmentVariables() returns the settings that a script needs", () => {
  assert.deepEqual(getEnvironmentVariables({ env: env(NAS) }), {
    host: "nas.lan",
    username: "admin",
    password: "p",
    vncPassword: "v",
  });
  const { API_PASSWORD: _password, ...keyed } = { ...NAS, TRUENAS_API_KEY: "1-abc" };
  assert.equal(getEnvironmentVariables({ env: env(keyed) }).apiKey, "1-abc");
});

Deno.test("a script trusts the certificates of its environment, and refuses what it forbids", async () => {
  const caFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(caFile, "PEM");
    const strict = { TRUENAS_CA_FILE: caFile, TRUENAS_CERT_FINGERPRINT: "ab".repeat(32), READ_ONLY: "1" };
    const { caCerts, certFingerprint, readOnly, noDestroy } = getEnvironmentVariables({
      env: env({ ...NAS, ...strict }),
    });
    assert.deepEqual([caCerts, readOnly, noDestroy], [["PEM"], true, undefined]);
    assert.equal(certFingerprint, Array(32).fill("AB").join(":"));
  } finally {
    await Deno.remove(caFile);
  }
  const wrong = { TRUENAS_CA_FILE: "/none.pem", TRUENAS_CERT_FINGERPRINT: "ab", NO_DESTROY: "maybe" };
  const message = messageOf(() => getEnvironmentVariables({ env: env({ ...NAS, ...wrong }) }));
  for (const field of ["Cannot read /none.pem", "TRUENAS_CERT_FINGERPRINT", "NO_DESTROY must be 1 or 0"]) {
    assert.ok(message.includes(field), message);
  }
});

Deno.test("getEnvironmentVariables() names all missing variables in one message", () => {
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

Deno.test("a unix socket requires no account", () => {
  const { host } = getEnvironmentVariables({
    env: env({ TRUENAS_HOST: "unix:/run/x.sock", VNC_PASSWORD: "v" }),
  });
  assert.equal(host, "unix:/run/x.sock");
});

Deno.test("readSettings() has defaults and reports every invalid value", () => {
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
    /use ws:\/\/ instead of http:\/\//,
  );
});

Deno.test("the environment overrides the .env file", async () => {
  const folder = mkdtempSync(`${tmpdir()}/env-test-`);
  try {
    const path = `${folder}/.env`;
    writeFileSync(
      path,
      'TRUENAS_HOST=file.lan\nAPI_USERNAME=file # who\nAPI_PASSWORD="p w"\nVNC_PASSWORD=v\n',
    );
    const variables = getEnvironmentVariables({
      env: env({ TRUENAS_HOST: "real.lan" }),
      envFile: await readEnvFile(path, { required: true }),
    });
    assert.deepEqual([variables.host, variables.username, variables.password], ["real.lan", "file", "p w"]);
    await assert.rejects(readEnvFile(`${folder}/none`, { required: true }), /No such file/);
    assert.deepEqual(await readEnvFile(`${folder}/none`), {});
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("problems of every kind are reported in one error, one per line", () => {
  const message = messageOf(() =>
    readSettings({ env: env({ TRUENAS_HOST: "http://nas.lan", PORT: "70000", NO_DESTROY: "on" }) })
  );
  assert.deepEqual(message.split("\n").map((line) => /^environment: (\w+)/.exec(line)?.[1]), [
    "Missing",
    "TRUENAS_HOST",
    "PORT",
    "NO_DESTROY",
  ]);
  assert.match(message, /Missing: API_USERNAME, API_PASSWORD \(or TRUENAS_API_KEY\), VNC_PASSWORD;/);
});

Deno.test("no message repeats a password or a key", () => {
  const wrong = { API_PASSWORD: "HUNTER2", TRUENAS_API_KEY: "1-HUNTER2", VNC_PASSWORD: "HUNTER2", PORT: "x" };
  const message = messageOf(() =>
    readSettings({ env: env({ ...wrong, TRUENAS_HOST: "https://u:HUNTER2@nas" }) })
  );
  assert.match(message, /TRUENAS_HOST/, "the premise");
  assert.doesNotMatch(message, /HUNTER2/);
});

Deno.test("SEED_HOST and SEED_PORT say how the NAS reaches this machine", () => {
  const seedOf = (values: Partial<Record<EnvironmentName, string>>) =>
    readSettings({ env: env({ ...NAS, ...values }) }).seed;
  assert.equal(seedOf({}), null);
  assert.deepEqual(seedOf({ SEED_HOST: "vms.lan" }), { host: "vms.lan", port: 8081 });
  assert.deepEqual(seedOf({ SEED_HOST: "[fd00::1]", SEED_PORT: "0" }), { host: "fd00::1", port: 0 });
  for (const SEED_HOST of ["http://vms.lan", "vms.lan:80", "vms.lan/x", "a b", "-x", "x".repeat(300) + "/"]) {
    assert.match(messageOf(() => seedOf({ SEED_HOST })), /SEED_HOST must be a name or address/, SEED_HOST);
  }
  assert.match(messageOf(() => seedOf({ SEED_PORT: "80" })), /SEED_PORT: Requires SEED_HOST/);
  assert.match(
    messageOf(() => seedOf({ SEED_HOST: "a", SEED_PORT: "x" })),
    /SEED_PORT must be a whole number/,
  );
});

Deno.test("PORT accepts whole numbers from 0 to 65535", () => {
  const portOf = (PORT: string) => readSettings({ env: env({ ...NAS, PORT }) }).listenPort;
  assert.deepEqual(["0", "80", "65535"].map(portOf), [0, 80, 65_535]);
  for (const PORT of ["-1", "65536", "1.5", "0x50", "8080 ", "eighty", "1e3"]) {
    assert.match(messageOf(() => portOf(PORT)), /PORT must be a whole number from 0 to 65535/, PORT);
  }
});

Deno.test("READ_ONLY and NO_DESTROY accept yes and no in usual forms, and any other value turns them on", () => {
  const readOnly = (READ_ONLY: string) => readSettings({ env: env({ ...NAS, READ_ONLY }) }).readOnly;
  assert.deepEqual(["1", "true", "YES"].map(readOnly), [true, true, true]);
  assert.deepEqual(["0", "false", "No", "", " "].map(readOnly), [false, false, false, false, false]);
  assert.throws(() => readOnly("ture"), /READ_ONLY must be 1 or 0, found "ture"/);
});

Deno.test("an unreadable file is an error, even if the file is optional", async () => {
  const folder = mkdtempSync(`${tmpdir()}/env-test-`);
  try {
    await assert.rejects(readEnvFile(folder), /The file cannot be read/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("by default, settings come from the environment of the process", () => {
  const own = (name: EnvironmentName) => Deno.env.get(name);
  const outcomeOf = (read: () => unknown) => {
    try {
      return read();
    } catch (error) {
      return String(error);
    }
  };
  assert.deepEqual(
    outcomeOf(() => getEnvironmentVariables()),
    outcomeOf(() => getEnvironmentVariables({ env: own })),
  );
});
