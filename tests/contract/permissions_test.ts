/**
 * Protects everything except the NAS from the dashboard: it can access its NAS, its listening address and its files,
 * and the runtime refuses everything else. The program runs as under `deno task start`.
 */
import assert from "node:assert/strict";
import { readArguments } from "../../lib/command_line/arguments.ts";
import { readSettings } from "../../lib/configuration/environment/settings.ts";
import { describePermissions, type Permissions, permissionsOf } from "../../lib/configuration/permissions.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { fingerprintOf, makeCertificates } from "../support/network/certificates.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import type { Attempt } from "../support/program/probe.ts";
import { repeatedly, soon } from "../support/deadline.ts";
import { listenForDisplay } from "../support/network/display.ts";
import { START_FLAGS, startAttacked } from "../support/program/attacked.ts";
import { beginWorkers, startProgram, withFolder } from "../support/program/program.ts";

const ENV = { API_USERNAME: "admin", API_PASSWORD: "pw", VNC_PASSWORD: "pw" };

function permissions(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  tunnelSockets: readonly string[] = [],
  configTarget: string | null = null,
): Permissions {
  const all: Readonly<Record<string, string>> = { ...ENV, ...env };
  const settings = readSettings({ env: (name) => all[name] });
  const call = readArguments(["serve", ...args]);
  assert.ok(call.command !== "help");
  const { options } = call;
  const configFile = options.config ?? "config.yaml";
  const started = { options, settings, configFile, configTarget, tunnelSockets, innerPort: 9 };
  return permissionsOf({ command: "serve", ...started });
}

/** The runtime knows no ranges. */
function displayPorts(host: string): string[] {
  return Array.from({ length: 2_100 }, (_, index) => `${host}:${5_900 + index}`);
}

/** SEED_HOST, and where the one-time server may listen. */
const SEEDING = [
  ["192.168.1.5", ["192.168.1.5:8081", "0.0.0.0:8081"]],
  ["fd00::5", ["[fd00::5]:8081", "[::]:8081"]],
  ["vms.lan", ["0.0.0.0:8081"]],
] as const;

Deno.test("permissions name this NAS, this address and these files", () => {
  const plain = permissions({ TRUENAS_HOST: "nas.lan" });
  assert.deepEqual(plain, {
    net: ["127.0.0.1:8080", "127.0.0.1:9", "nas.lan:443", ...displayPorts("nas.lan")],
    read: ["config.yaml", "./state"],
    write: ["./state", "config.yaml"],
    env: ["LOG_STREAM", "LOG_TOKENS"],
    run: false,
    sys: false,
    ffi: false,
    import: false,
  });
  assert.equal(
    describePermissions(plain),
    "connect and listen: 127.0.0.1:8080, 127.0.0.1:9, nas.lan:443, nas.lan:5900-7999; " +
      "read and write: ./state, config.yaml",
  );
  const sockets = Array.from({ length: 16 }, (_, n) => `/tmp/tunnels/nas${n}.sock`);
  const pinned = permissions(
    { TRUENAS_HOST: "nas.lan", TRUENAS_CERT_FINGERPRINT: "AB".repeat(32), TRUENAS_CA_FILE: "/etc/ca.pem" },
    ["--config", "./state/config.yaml"],
    sockets,
  );
  assert.equal(
    describePermissions(pinned),
    "connect and listen: 127.0.0.1:8080, 127.0.0.1:9, nas.lan:443, nas.lan:80, unix:/tmp/tunnels/nas0-15.sock, " +
      "nas.lan:5900-7999; read and write: ./state; read: /etc/ca.pem",
    "each is named once",
  );
  const other = permissions(
    {
      TRUENAS_HOST: "ws://[fd00::1]:6000",
      HOST: "::1",
      PORT: "9000",
      STATE_DIR: "/var/lib/vms",
      TRUENAS_CA_FILE: "/etc/ca.pem",
      TLS_CERT_FILE: "/etc/cert.pem",
      TLS_KEY_FILE: "/etc/key.pem",
    },
    ["--config", "/etc/vms.yaml", "--templates-dir", "/etc/templates"],
    ["/tmp/nas0.sock"],
  );
  assert.deepEqual(other.net, [
    "[::1]:9000",
    "127.0.0.1:9",
    "[fd00::1]:6000",
    "unix:/tmp/nas0.sock",
    ...displayPorts("[fd00::1]"),
  ]);
  assert.deepEqual(other.read, [
    "/etc/vms.yaml",
    "/etc/templates",
    "/etc/ca.pem",
    "/etc/cert.pem",
    "/etc/key.pem",
    "/var/lib/vms",
    "/tmp/nas0.sock",
  ]);
  assert.deepEqual(other.write, ["/var/lib/vms", "/etc/vms.yaml", "/etc/templates", "/tmp/nas0.sock"]);
  const linked = permissions({ TRUENAS_HOST: "nas.lan" }, [], [], "/data/real.yaml");
  assert.deepEqual(linked.write, ["./state", "config.yaml", "/data/real.yaml"]);
  assert.deepEqual(linked.read, ["config.yaml", "/data/real.yaml", "./state"]);
  const socket = permissions({ TRUENAS_HOST: "unix:/run/middleware.sock" });
  assert.deepEqual(socket.net, [
    "127.0.0.1:8080",
    "127.0.0.1:9",
    "localhost:80",
    "unix:/run/middleware.sock",
    ...displayPorts("127.0.0.1"),
  ]);
  const named = permissions({ TRUENAS_HOST: "nas.lan", NAS_PUBLIC_HOST: "https://nas.example" });
  const { net } = named;
  assert.ok(net !== true && net.includes("nas.example:5910") && !net.includes("nas.example:443"));
  const seeding = (SEED_HOST: string) => {
    const { net, sys } = permissions({ TRUENAS_HOST: "nas.lan", SEED_HOST });
    assert.deepEqual(sys, ["statfs"], "images wait on the journal's disk");
    return net;
  };
  for (const [host, addresses] of SEEDING) {
    const allowed = seeding(host);
    assert.ok(allowed !== true);
    assert.deepEqual(allowed.filter((name) => name.endsWith(":8081")), addresses);
  }
  assert.deepEqual(socket.write, ["./state", "config.yaml", "/run/middleware.sock"]);
});

Deno.test("the command for agents reaches the NAS and the dashboard's socket, and listens nowhere", () => {
  const all: Readonly<Record<string, string>> = { ...ENV, TRUENAS_HOST: "nas.lan" };
  const settings = readSettings({ env: (name) => all[name] });
  const call = readArguments(["mcp"]);
  assert.ok(call.command !== "help");
  const { net, read, write, run } = permissionsOf({
    command: "mcp",
    options: call.options,
    settings,
    configFile: "config.yaml",
    configTarget: null,
    tunnelSockets: [],
    innerPort: 0,
    agentSocket: "/state/agents.sock",
  });
  assert.deepEqual([net, run], [["nas.lan:443", "unix:/state/agents.sock"], false]);
  assert.deepEqual(read, ["config.yaml", "./state", "/state/agents.sock"]);
  assert.deepEqual(write, ["./state", "/state/agents.sock"], "it cannot save config.yaml");
});

Deno.test("set-up can connect anywhere, because the address is not known yet, and writes only its state", () => {
  const settings = readSettings({ env: () => undefined, needNas: false });
  const call = readArguments(["serve"]);
  assert.ok(call.command !== "help");
  const { net, write, read, run } = permissionsOf({
    command: "serve",
    options: call.options,
    settings,
    configFile: "config.yaml",
    configTarget: null,
    tunnelSockets: ["/tmp/nas0.sock"],
    innerPort: 9,
    isSetup: true,
    localSocket: null,
  });
  assert.deepEqual([net, write, run], [true, ["./state", "/tmp/nas0.sock"], false]);
  assert.deepEqual(read, ["config.yaml", "./state", "/tmp/nas0.sock"]);
});

Deno.test("commands whose configuration or simulated guests are read as YAML may read what the parser looks at", () => {
  const envOf = (command: "simulate" | "demo" | "create" | "inventory") => {
    const call = readArguments([command]);
    assert.ok(call.command !== "help");
    const none = { settings: null, configTarget: null, tunnelSockets: [], innerPort: 0 };
    return permissionsOf({ command, options: call.options, configFile: "config.yaml", ...none }).env;
  };
  for (const command of ["simulate", "demo", "create"] as const) {
    assert.deepEqual(envOf(command), ["LOG_STREAM", "LOG_TOKENS"], command);
  }
  assert.deepEqual(envOf("inventory"), []);
});

Deno.test("the worker is refused everything else, from its first instruction (fault 9, fault 19)", async () => {
  for (const flags of [START_FLAGS, ["-A", "--no-prompt"]]) {
    await withFolder(TEST_CONFIG, async (folder) => {
      await using nas = await startSimulator({ times: TEST_TIMES });
      await using another = await startSimulator({ times: TEST_TIMES });
      using display = listenForDisplay();
      for (const name of ["state", "templates", "others"]) await Deno.mkdir(`${folder}/${name}`);
      await Deno.writeTextFile(`${folder}/code.ts`, "export {};");
      await Deno.writeTextFile(`${folder}/password`, "dashboard-password\n");
      const hostOf = ({ url }: { url: string }) => new URL(url).host;
      const cases: readonly (readonly [Attempt, "done" | "NotCapable" | "TypeError"])[] = [
        [["connect", hostOf(nas)], "done"],
        [["connect", hostOf(another)], "NotCapable"],
        [["connect", "example.com:443"], "NotCapable"],
        [["connect", "example.com:5910"], "NotCapable"],
        [["connect", `127.0.0.1:${display.addr.port}`], "done"],
        [["connect", "127.0.0.1:22"], "NotCapable"],
        [["connect", "127.0.0.1:8000"], "NotCapable"],
        [["listen", "127.0.0.1:0"], "done"],
        [["listen", "0.0.0.0:0"], "NotCapable"],
        [["read", `${folder}/state`], "done"],
        [["read", `${folder}/config.yaml`], "done"],
        [["read", `${folder}/others`], "NotCapable"],
        [["read", `${folder}/password`], "NotCapable"],
        [["read", folder], "NotCapable"],
        [["read", "/etc"], "NotCapable"],
        [["read", "/proc/self/environ"], "NotCapable"],
        [["write", `${folder}/state/file`], "done"],
        [["write", `${folder}/state/../others/x`], "NotCapable"],
        [["write", `${folder}/config.yaml.new`], "NotCapable"],
        [["env", "API_PASSWORD"], "NotCapable"],
        [["env", "HOME"], "NotCapable"],
        [["run", "true"], "NotCapable"],
        [["sys", ""], "NotCapable"],
        [["ffi", "/lib/x86_64-linux-gnu/libc.so.6"], "NotCapable"],
        [["import", "https://example.com/code.ts"], "TypeError"],
        [["import", `file://${folder}/code.ts`], "TypeError"],
        [["worker", `file://${folder}/code.ts`], "NotCapable"],
      ];
      const probe = new URL("../support/program/probe.ts", import.meta.url).href;
      const program = await startAttacked(nas, folder, {
        flags,
        env: { STATE_DIR: `${folder}/state`, DASHBOARD_PASSWORD_FILE: `${folder}/password` },
        code: `import { tryAll } from ${JSON.stringify(probe)};
          const ended = await tryAll(${JSON.stringify(cases.map(([attempt]) => attempt))});
          console.error("ATTACK" + JSON.stringify(ended));`,
      });
      const ended = JSON.parse(/^ATTACK(.*)$/m.exec(program.said())?.[1] ?? assert.fail(program.said()));
      assert.equal((await program.stop("SIGTERM")).code, 0);
      assert.deepEqual(
        cases.map(([attempt], index) => [...attempt, ended[index]]),
        cases.map(([attempt, wanted]) => [...attempt, wanted]),
        flags.join(" "),
      );
    });
  }
});

Deno.test("under deno task start, the whole job works over a unix socket and with a pinned certificate", async () => {
  const certificates = await makeCertificates();
  const fingerprint = await fingerprintOf(certificates.selfSigned);
  for (const way of ["a unix socket", "a pinned certificate"]) {
    await withFolder(TEST_CONFIG, async (folder) => {
      const unixPath = `${folder}/middlewared.sock`;
      await using simulator = await startSimulator({
        times: TEST_TIMES,
        ...(way === "a unix socket" ? { unixPath } : { tls: certificates.selfSigned }),
      });
      const env: Record<string, string> = way === "a unix socket"
        ? { TRUENAS_HOST: `unix:${unixPath}` }
        : { TRUENAS_CERT_FINGERPRINT: fingerprint };
      const program = await startProgram(simulator, folder, { env, flags: START_FLAGS });
      const path = await beginWorkers(program);
      await (await fetch(`${program.url}${path}/events`)).text();
      const operation = await (await fetch(program.url + path, { headers: { accept: "application/json" } }))
        .json();
      assert.equal(operation.status, "done", way);
      assert.equal(simulator.store.vms.size, 2);
      const { code } = await program.stop("SIGTERM");
      assert.equal(code, 0);
      assert.ok(!/NotCapable|Requires \w+ access/.test(program.said()), program.said());
    });
  }
});

Deno.test("with only its computed permissions, the program serves the console page and relays a screen", async () => {
  for (const way of ["ws", "unix"]) {
    await withFolder(TEST_CONFIG, async (folder) => {
      const unixPath = `${folder}/middlewared.sock`;
      await using simulator = await startSimulator({ times: TEST_TIMES, unixPath, foreignVms: 1 });
      using listener = listenForDisplay();
      const display = [...simulator.store.devices.values()].find((it) => it.attributes.dtype === "DISPLAY");
      assert.ok(display !== undefined, "the premise: a VM has a display");
      Object.assign(display.attributes, { port: listener.addr.port });
      const env = { BASE_PATH: "/below", ...(way === "unix" ? { TRUENAS_HOST: `unix:${unixPath}` } : {}) };
      const program = await startProgram(simulator, folder, { env, flags: START_FLAGS });
      const page = await openedPage(`${program.url}/vms/${display.vm}/console`);
      const script = /src="([^"]*display\/[^"]*\.js)"/.exec(page)?.[1] ?? assert.fail(page);
      assert.match(script, /^\/below\/static\/display\//);
      const { origin } = new URL(program.url);
      const served = await fetch(origin + script);
      assert.equal(served.status, 200);
      assert.match(await served.text(), /us_keyboard\.js/);
      const address = `${program.url.replace("http:", "ws:")}/vms/${display.vm}/display?device=${display.id}`;
      const socket = new WebSocket(address, { headers: { origin } });
      socket.binaryType = "arraybuffer";
      const received = new Promise<string>((resolve, reject) => {
        socket.onmessage = ({ data }) => resolve(new TextDecoder().decode(data));
        socket.onclose = ({ reason }) => reject(new Error(`${reason}: ${program.said()}`));
      });
      const accepted = soon(listener.accept(), "the display is asked");
      await Promise.race([accepted, received]);
      using connection = await accepted;
      await connection.write(new TextEncoder().encode("RFB 003.008\n"));
      assert.equal(await soon(received, "the greeting of the display"), "RFB 003.008\n", way);
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
      assert.equal((await program.stop("SIGTERM")).code, 0);
      assert.ok(!/NotCapable|Requires \w+ access/.test(program.said()), program.said());
    });
  }
});

/** A page of the program, once it has read the VMs. */
function openedPage(url: string): Promise<string> {
  return repeatedly(`${url} is shown`, async () => {
    const response = await fetch(url);
    const html = await response.text();
    return response.status === 200 ? html : null;
  });
}
