/**
 * Protects changing the connection that set-up stored: the fingerprint of the first NAS's certificate is stored with it,
 * and must not keep anyone from connecting another NAS. The real program, with the settings that set-up writes.
 */
import assert from "node:assert/strict";
import { storedSettingsText } from "../../../lib/configuration/environment/stored_settings.ts";
import { repeatedly } from "../../support/deadline.ts";
import { KEEPER_PASSWORD, NAS_CERTIFICATE, startUnset, withNas } from "../../support/program/first_run.ts";
import { fingerprintOf, makeCertificates } from "../../support/network/certificates.ts";
import { SetupBrowser } from "../../support/pages/setup.ts";

/** The certificate of the NAS that was connected first. */
const FIRST = (await makeCertificates()).selfSigned;

Deno.test("'Change connection' accepts another NAS's certificate although set-up stored the first one's fingerprint", () =>
  withNas(async (nas, folder) => {
    const stored = {
      TRUENAS_HOST: "127.0.0.1:1",
      TRUENAS_CERT_FINGERPRINT: await fingerprintOf(FIRST),
      API_USERNAME: "keeper",
      API_PASSWORD: KEEPER_PASSWORD,
      VNC_PASSWORD: "display1",
    };
    await Deno.mkdir(`${folder}/state`);
    await Deno.writeTextFile(`${folder}/state/settings.env`, storedSettingsText(stored), { mode: 0o600 });
    const program = await startUnset(folder);
    const page = await (await fetch(`${program.url}/connection`)).text();
    assert.match(page, /href="\/setup"[^>]*>Change connection/);
    const opening = await fetch(`${program.url}/setup`, { method: "POST", headers: { origin: program.url } });
    assert.match(await opening.text(), /url=\/setup/);
    const browser = new SetupBrowser(program);
    await repeatedly("set-up asks for the address", async () => {
      const answer = await browser.open().catch(() => null);
      return answer?.step === "address" ? answer : null;
    });
    const fingerprint = await fingerprintOf(NAS_CERTIFICATE);
    assert.notEqual(fingerprint, stored.TRUENAS_CERT_FINGERPRINT, "the premise");
    const host = new URL(nas.url.replace(/^ws/, "http")).host;
    const certificate = await browser.submit("address", { host });
    assert.equal(certificate.step, "certificate", JSON.stringify(certificate.errors));
    assert.equal((await browser.submit("certificate", { fingerprint })).step, "account");
    const account = { method: "password", username: "keeper", password: KEEPER_PASSWORD };
    assert.equal((await browser.submit("account", account)).step, "place");
    const done = await browser.submit("place", { dataset: "tank/vms", iso: "later" });
    assert.equal(done.step, "done", done.html);
    const text = await Deno.readTextFile(`${folder}/state/settings.env`);
    assert.ok(text.includes(fingerprint) && !text.includes(stored.TRUENAS_CERT_FINGERPRINT), text);
    assert.equal(await program.stop(), 0);
  }));
