/**
 * Protects the self-extracting file as people use it: on a machine with nothing in its environment and no network it
 * extracts, serves its page and creates VMs; another build of the same sources has the same bytes.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { bundleProgram, readSources } from "../../packaging/program.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { ARCHITECTURE, built, end, namesIn, succeed, tell, withPublicFolder } from "./support/packages.ts";
import { settingsFor, type Start, type Visit } from "./support/visit.ts";

const VISIT = fileURLToPath(new URL("support/visit.ts", import.meta.url));
/** With a warm start on two idle cores it takes a quarter of it. */
const WARM_START_MS = 500;
/** Tries, because the machine may be busy with something else. */
const TRIES = 5;

/** Visits a program on a machine whose only network is its own loopback. */
async function visitWithoutNetwork(start: Start): Promise<Visit> {
  const script = 'ip link set lo up && exec "$0" run --no-check --no-prompt --allow-all "$1" "$2"';
  const args = ["--net", "sh", "-c", script, Deno.execPath(), VISIT, JSON.stringify(start)];
  const { success, stdout, stderr } = await new Deno.Command("unshare", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("The .run file serves its page and creates VMs without network, and its removal leaves nothing", () =>
  withPublicFolder(async (folder) => {
    const file = `${folder}/truenas-vm-manager.run`;
    await Deno.copyFile(built("run"), file);
    const megabytes = (await Deno.stat(file)).size / 1e6;
    assert.ok(megabytes > 36 && megabytes < 50, `it has ${megabytes} MB`);
    const home = `${folder}/home`;
    await Deno.mkdir(home);
    await Deno.writeTextFile(`${home}/config.yaml`, TEST_CONFIG);
    const start = { command: [file, "serve"], cwd: home, env: { STATE_DIR: `${home}/state` } };
    const first = await visitWithoutNetwork(start);
    assert.deepEqual([first.status, first.code], ["done", 0], first.said);
    tell(".run: from nothing to a page", first.pageMs);
    let pageMs = Infinity;
    for (let tried = 0; tried < TRIES && pageMs > WARM_START_MS; tried++) {
      pageMs = Math.min(pageMs, (await visitWithoutNetwork(start)).pageMs);
    }
    tell(".run: from a later start to a page", pageMs);
    const { code, out } = await end(file, ["plan", "--nonsense"]);
    assert.equal(code, 2, out);

    await Deno.mkdir(`${folder}/apps`);
    await Deno.chown(`${folder}/apps`, 568, 568);
    const asOther = (command: string, env: Record<string, string> = {}) =>
      end("setpriv", ["--reuid=568", "--regid=568", "--clear-groups", file, command], { cwd: home, env });
    const asked = await asOther("version");
    assert.deepEqual([asked.code, asked.err], [0, ""], "other users start what root extracted");
    const settings = { ...settingsFor("ws://127.0.0.1:9"), STATE_DIR: `${folder}/apps` };
    const low = await asOther("serve", { ...settings, PORT: "80" });
    assert.equal(low.code, 2, low.err);
    assert.match(
      low.err,
      /PORT: Only root may listen on port 80: it is below 1024\. Set PORT to a higher one/,
    );
    const readOnly = await asOther("serve", { ...settings, PORT: "0", STATE_DIR: `${home}/state` });
    assert.equal(readOnly.code, 2, readOnly.err);
    assert.match(readOnly.err, /STATE_DIR: .*\/state.*(permission|cannot)/i);
    // It serves until it is stopped, because the folder can be made writable meanwhile.
    const unfinished = await end("timeout", [
      ...["5", "setpriv", "--reuid=568", "--regid=568", "--clear-groups"],
      file,
      "serve",
    ], {
      env: { STATE_DIR: home, PORT: "0" },
    });
    assert.match(
      unfinished.out + unfinished.err,
      /WARNING The state folder cannot be written, so set-up cannot finish/,
    );
    await Deno.remove(`${folder}/apps`, { recursive: true });
    const [extracted = ""] = (await namesIn(folder)).filter((name) => /^truenas-vm-manager-\d/.test(name));
    const production = (await readSources()).packages.map((it) => it.name).sort();
    const packages = new Set<string>();
    const found = await succeed("find", `${folder}/${extracted}`, "-name", "*.js", "-print0");
    for (const name of found.split("\0").filter((it) => it !== "")) {
      const text = await Deno.readTextFile(name);
      for (const [, bundled = ""] of text.matchAll(/^\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)/gm)) {
        assert.ok(production.includes(bundled), `${bundled} belongs to the program`);
        packages.add(bundled);
      }
      assert.doesNotMatch(text, /\.cache\/deno/, `${name} names nothing of the machine that built it`);
      assert.ok(!text.includes(fileURLToPath(new URL("../../", import.meta.url))), name);
    }
    assert.deepEqual(
      [...packages].sort(),
      production,
      "the program has all its packages, and nothing of the tests",
    );
    await Deno.remove(`${folder}/${extracted}`, { recursive: true });
    await Deno.remove(file);
    assert.deepEqual(await namesIn(folder), ["home"], `for ${ARCHITECTURE}`);
  }));

Deno.test("The program has the same bytes in each build", () =>
  withPublicFolder(async (folder) => {
    // What was built before, in another folder.
    await succeed("dpkg-deb", "--extract", built("deb"), `${folder}/before`);
    await bundleProgram(await readSources(), `${folder}/again`);
    const before = `${folder}/before/usr/lib/truenas-vm-manager/program`;
    await succeed("diff", "--recursive", before, `${folder}/again`);
  }));
