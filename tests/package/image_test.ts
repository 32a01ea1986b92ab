/**
 * Protects the container image: tools other than ours read it, and its root, read-only and as the user that TrueNAS
 * gives apps, serves the page, creates VMs, passes its health check and keeps its journal for the next version.
 */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { parse } from "../../lib/configuration/yaml.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { configurationOf, USER, withImage } from "./support/image.ts";
import { built, end, succeed, tell } from "./support/packages.ts";
import { settingsFor, visit } from "./support/visit.ts";

const COMPOSE = new URL("../../docs/install/compose.yaml", import.meta.url);
/** Everybody may write, but only the owner may remove. */
const SHARED_MODE = 0o1777;

Deno.test("The image can be loaded by Docker, and by tools for OCI images", async () => {
  const file = built("oci.tar");
  const configuration = await configurationOf(`oci-archive:${file}`);
  assert.deepEqual(await configurationOf(`docker-archive:${file}`), configuration);
  assert.equal(configuration.User, `${USER}:${USER}`);
  assert.match(configuration.Labels["org.opencontainers.image.version"] ?? "", /^\d+\.\d+\.\d+$/);
  const { services } = parse(await Deno.readTextFile(COMPOSE));
  const { healthcheck, image, user } = services["vm-manager"];
  assert.deepEqual(healthcheck.test, configuration.Healthcheck.Test, "compose.yaml has the same check");
  assert.deepEqual([image, user], [`truenas-vm-manager:${project.version}`, configuration.User]);
  const { RepoTags, Architecture } = JSON.parse(await succeed("skopeo", "inspect", `docker-archive:${file}`));
  assert.deepEqual([RepoTags ?? [], Architecture], [[], Deno.build.arch === "x86_64" ? "amd64" : "arm64"]);
});

Deno.test("The image's read-only root serves the page and creates VMs as user 568", () =>
  withImage(async ({ configuration, env, root, config, enter, unpackMs }) => {
    await Deno.writeTextFile(`${config}/config.yaml`, TEST_CONFIG);
    const { mode } = await Deno.stat(`${root}/tmp`);
    // Docker mounts memory on it, which belongs to root and has the mode of this folder.
    assert.equal((mode ?? 0) & 0o7777, SHARED_MODE, "568 may write /tmp");
    const executable = await succeed("find", root, "-type", "f", "-perm", "/6111", "-printf", "%M %f\\n");
    const programs = executable.split("\n").filter((line) => line !== "" && !/ \S+\.so[.\d]*$/.test(line));
    assert.deepEqual(programs.sort(), ["-rwxr-xr-x runtime", "-rwxr-xr-x truenas-vm-manager"], "no shell");
    const { Entrypoint, Cmd, Healthcheck } = configuration;

    const run = ([command = "", ...args]: string[], changes: Record<string, string> = {}) =>
      end(command, args, { env: { ...env, ...changes } });

    const open = await run([...enter, ...Entrypoint, ...Cmd], settingsFor("ws://127.0.0.1:9"));
    assert.equal(open.code, 2, "it does not listen on every address without a password");
    assert.match(open.err, /DASHBOARD_PASSWORD/);

    const [health, ...healthArgs] = Healthcheck.Test;
    assert.equal(health, "CMD");
    const isHealthy = async (port: string) =>
      (await run([...enter, ...healthArgs], { PORT: port })).code === 0;
    const start = {
      command: [...enter, ...Entrypoint, ...Cmd],
      cwd: "/",
      env: { ...env, PORT: "0", HOST: "127.0.0.1" },
    };
    for (const time of ["first", "second"]) {
      const seen = await visit(start, {
        meanwhile: async (url) => {
          const { port } = new URL(url);
          assert.ok(await isHealthy(port), "its health check passes");
          const page = await (await fetch(`${url}/operations`)).text();
          const operations = new Set([...page.matchAll(/data-operation="([^"]+)"/g)].map(([, id]) => id));
          assert.equal(
            operations.size,
            time === "first" ? 1 : 2,
            "the journal is kept for the next container",
          );
        },
      });
      assert.deepEqual([seen.status, seen.code], ["done", 0], seen.said);
      if (time === "first") tell("image: from nothing to a page", unpackMs + seen.pageMs);
    }
    assert.ok(!await isHealthy("9"), "the health check fails when nothing answers");
  }));
