/**
 * Protects what guests alone may read: neither the address of a seed nor what it contains is on a page, in JSON, in the log or in the
 * journal, while it is served, when it cannot be made and when the NAS refuses it.
 */
import assert from "node:assert/strict";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { seedArgumentOf } from "../../../lib/first_boot/command_line_args.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { startPathServer } from "../../../lib/secret_paths/path_server.ts";
import { startDashboard, TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { withFolder } from "../../support/folder.ts";
import { vmNamed } from "../../support/lab.ts";

const SECRET = "correct-horse-battery";
const CONFIG = TEST_CONFIG.replace(
  /^worker:/m,
  "worker:\n  ready: none\n  seed: { kind: cloud-init, user_data: user.yaml }",
);
const TYPES = [{ type: "worker", startPort: 5920 }];

/** The address that was refused is as secret as the one that was taken. */
function refusedToken(reason: string): string {
  const [, token = ""] = /\/([0-9a-f]{64})\//.exec(reason) ?? [];
  assert.notEqual(token, "", "the premise");
  return token;
}

Deno.test("neither the address of a seed nor its contents leave this program but to the guest", async () => {
  await withFolder(async (folder) => {
    using journal = Journal.open(folder);
    await using paths = await startPathServer({ host: "127.0.0.1", port: 0 });
    const lines: string[] = [];
    const seedFiles = {
      read: (path: string) =>
        path === "user.yaml"
          ? Promise.resolve(`#cloud-config\npassword: ${SECRET}\n`)
          : Promise.reject(new ConfigurationError(path, [{ field: "", message: "There is no such file" }])),
      keysOf: () => Promise.resolve(""),
    };
    await using dashboard = await startDashboard({
      config: CONFIG,
      manager: { paths, simulated: true, journal, seedFiles },
      onLog: (message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`),
    });
    const { manager, simulator, url } = dashboard;
    const { configuration } = dashboard.configuration();
    const request = { configuration, types: TYPES };
    const plan = await manager.planCreation(request);
    assert.deepEqual(plan.findings.filter(({ severity }) => severity === "error"), []);
    const error = { errno: 22, errname: "EINVAL", reason: "" };
    simulator.addFault({
      method: "vm.update",
      action: "fail",
      matches: ([, change]) => {
        // TrueNAS repeats what it was sent.
        error.reason = `[EINVAL] Not this: ${Object.values(change as object).join()}`;
        return true;
      },
      error,
    });
    const failed = await manager.create(request);
    assert.match(failed.vms[0]?.message ?? "", /Not this: .*the seed's address/, "the premise");
    const made = await manager.create(request);
    assert.equal(made.status, "done");

    const args = String(vmNamed(simulator, "worker01")?.config.command_line_args);
    const seed = seedArgumentOf(args);
    assert.ok(seed !== null);
    const user = await (await fetch(`${seed.url}user-data`)).text();
    assert.match(user, new RegExp(SECRET), "the guest reads it");

    const found = new Map<string, string>();
    const id = vmNamed(simulator, "worker01")?.id;
    const pages = [
      "/",
      `/vms/${id}`,
      `/vms/${id}/template`,
      "/operations",
      `/operations/${made.operation.id}`,
      `/operations/${failed.operation.id}`,
      "/audit",
      "/metrics",
      "/types",
      "/create",
    ];
    for (const page of pages) {
      for (const accept of ["text/html", "application/json"]) {
        const response = await fetch(`${url}${page}`, { headers: { accept } });
        found.set(`${page} ${accept}`, await response.text());
      }
    }
    found.set("the plan", JSON.stringify(await manager.planCreation(request)));
    found.set("the list", JSON.stringify(await manager.list()));
    found.set("the log", lines.join("\n"));
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile) found.set(`the journal's ${name}`, await Deno.readTextFile(`${folder}/${name}`));
    }
    assert.ok([...found.keys()].some((where) => where.startsWith("the journal")), "the premise");
    for (const [where, text] of found) {
      for (const secret of [seed.token, refusedToken(error.reason), SECRET]) {
        assert.ok(!text.includes(secret), `${where}: ${secret}`);
      }
    }
  });
});
