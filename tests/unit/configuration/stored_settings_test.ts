/**
 * Protects stored secrets: they are used only for the NAS and account they were stored with, after the environment and
 * .env, and every value is read as it was written.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { readEnvFile } from "../../../lib/configuration/environment/env_file.ts";
import {
  needsSetup,
  outerSettings,
  storedSettingsText,
  withStored,
} from "../../../lib/configuration/environment/stored_settings.ts";

const STORED = {
  TRUENAS_HOST: "nas.lan",
  API_USERNAME: "keeper",
  API_PASSWORD: "stored",
  VNC_PASSWORD: "display",
  TRUENAS_CERT_FINGERPRINT: "AA",
};

type Values = Readonly<Record<string, string>>;

function sources(env: Values, envFile: Values = {}, stored: Values = STORED) {
  return { env: (name: string) => env[name], envFile, stored };
}

Deno.test("withStored() takes the environment, then .env, then the stored settings", () => {
  const { get } = withStored(sources({ LOG_LEVEL: "DEBUG" }, { LOG_LEVEL: "ERROR", PORT: "1" }, {
    LOG_LEVEL: "INFO",
    PORT: "2",
    HOST: "::1",
  }));
  assert.deepEqual([get("LOG_LEVEL"), get("PORT"), get("HOST")], ["DEBUG", "1", "::1"]);
});

Deno.test("withStored() counts empty values as absent", () => {
  assert.equal(
    withStored(sources({ TRUENAS_HOST: "" }, { API_USERNAME: " " })).get("API_USERNAME"),
    "keeper",
  );
});

Deno.test("withStored() does not send a stored secret to another NAS", () => {
  const { get } = withStored(sources({ TRUENAS_HOST: "other.lan" }));
  assert.equal(get("API_PASSWORD"), undefined);
  assert.equal(get("TRUENAS_CERT_FINGERPRINT"), undefined);
  assert.equal(get("VNC_PASSWORD"), "display");
  assert.equal(withStored(sources({ TRUENAS_HOST: "nas.lan" })).get("API_PASSWORD"), "stored");
});

Deno.test("withStored() does not use a stored secret for another account or beside another one", () => {
  assert.equal(withStored(sources({ API_USERNAME: "other" })).get("API_PASSWORD"), undefined);
  for (const name of ["API_PASSWORD_FILE", "TRUENAS_API_KEY", "TRUENAS_API_KEY_FILE"]) {
    assert.equal(withStored(sources({}, { [name]: "x" })).get("API_PASSWORD"), undefined, name);
  }
  assert.equal(withStored(sources({ VNC_PASSWORD_FILE: "x" })).get("VNC_PASSWORD"), undefined);
});

Deno.test("needsSetup() holds only where no setting of a NAS has a value", () => {
  assert.ok(needsSetup(sources({ HOST: "::1", DASHBOARD_PASSWORD: "x" }, { TRUENAS_HOST: "" }, {})));
  for (
    const name of ["TRUENAS_HOST", "API_USERNAME", "API_PASSWORD_FILE", "TRUENAS_API_KEY", "VNC_PASSWORD"]
  ) {
    assert.ok(!needsSetup(sources({ [name]: "x" }, {}, {})), name);
    assert.ok(!needsSetup(sources({}, { [name]: "x" }, {})), name);
  }
  assert.ok(!needsSetup(sources({}, {}, STORED)));
});

Deno.test("outerSettings() names what set-up cannot change, and where it is set", () => {
  assert.deepEqual(outerSettings(sources({ TRUENAS_HOST: "x", VNC_PASSWORD: "x" }, { API_USERNAME: "y" })), [
    { name: "TRUENAS_HOST", where: "environment" },
    { name: "API_USERNAME", where: "file" },
  ]);
});

Deno.test("storedSettingsText() writes every value so that it is read back unchanged", async () => {
  const path = await Deno.makeTempFile();
  const secret = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) =>
    text.trim() !== "" && !/\r/.test(text)
  );
  await fc.assert(fc.asyncProperty(secret, secret, async (API_PASSWORD, VNC_PASSWORD) => {
    await Deno.writeTextFile(path, storedSettingsText({ API_PASSWORD, VNC_PASSWORD }));
    assert.deepEqual(await readEnvFile(path), { API_PASSWORD, VNC_PASSWORD });
  }));
  await Deno.remove(path);
});
