/**
 * Protects scripts that use the library from their own folder, without this project's configuration and import map: a
 * script imports lib/mod.ts by path, in its own process.
 */
import assert from "node:assert/strict";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";

const LIBRARY = new URL("../../lib/mod.ts", import.meta.url).href;

const SCRIPT = `
import { loadConfiguration, setupLogging, TemplateManager, TrueNASError, VMManager } from "${LIBRARY}";

const [host = ""] = Deno.args;
const account = { username: "admin", password: "truenas", vncPassword: "v" };
const logger = setupLogging("ERROR");
await using manager = new VMManager({ host, ...account, logger, templateManager: new TemplateManager() });
await manager.connect();
const result = await manager.createVmType(loadConfiguration("config.yaml"), "worker", 5920);
console.log(result.status, result.vms.length, TrueNASError.name);
`;

for (
  const [what, files] of [
    ["an empty folder", {}],
    ["a project with a configuration of its own", { "deno.json": '{ "imports": { "zod": "./zod.ts" } }' }],
  ] as const
) {
  Deno.test(`a script in ${what} imports the library by its path and works (fault 29)`, async () => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const folder = await Deno.makeTempDir();
    try {
      const all = { ...files, "config.yaml": TEST_CONFIG, "script.ts": SCRIPT };
      for (const [name, text] of Object.entries(all)) await Deno.writeTextFile(`${folder}/${name}`, text);
      const command = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-prompt", "script.ts", simulator.url],
        cwd: folder,
        stdin: "null",
      });
      const { code, stdout, stderr } = await command.output();
      const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assert.equal(code, 0, decode(stderr));
      assert.match(decode(stdout), /^done 3 TrueNASError$/m);
      assert.equal(simulator.store.vms.size, 3);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
