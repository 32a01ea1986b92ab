/**
 * Protects the command line as scripts use it: commands, output and exit codes. The real program runs in its own
 * process against a simulated NAS.
 */
import assert from "node:assert/strict";
import { Journal } from "../../../lib/operations/record/journal.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { makeCertificates } from "../../support/network/certificates.ts";
import { MAIN, runProgram, withCommandLine as withLab } from "../../support/program/command_line.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";

Deno.test("plan, create, list and destroy do the whole job, and nothing the second time", () =>
  withLab(async ({ simulator, run }) => {
    const plan = await run("plan", "--json");
    assert.equal(plan.code, 0, plan.err);
    assert.deepEqual(JSON.parse(plan.out).totals.vms, 4);
    assert.equal(simulator.store.vms.size, 1, "a plan changes nothing");
    const created = await run("create", "worker");
    assert.equal(created.code, 0, created.err);
    assert.match(created.out, /worker02 disk1: done, tank\/vms\/worker02-disk1, 50 GiB/);
    assert.equal(simulator.store.vms.size, 4);
    const again = await run("create", "worker", "--json");
    assert.deepEqual(JSON.parse(again.out).vms.map(({ outcome }: { outcome: string }) => outcome), [
      "kept",
      "kept",
      "kept",
    ]);
    const list = await run("list", "--json");
    assert.deepEqual(JSON.parse(list.out).vms.map(({ name }: { name: string }) => name), [
      "homeassistant",
      "worker01",
      "worker02",
      "worker03",
    ]);
    const unconfirmed = await run("destroy", "--prefix", "worker");
    assert.equal(unconfirmed.code, 2);
    assert.match(unconfirmed.err, /--yes/);
    assert.equal(simulator.store.vms.size, 4);
    const destroyed = await run("destroy", "--prefix", "worker", "--yes");
    assert.equal(destroyed.code, 0, destroyed.err);
    assert.match(destroyed.out, /3 VMs and 6 disks will be destroyed permanently/);
    assert.equal(simulator.store.vms.size, 1);
    for (const { out, err } of [plan, created, again, list, destroyed]) {
      assert.ok(!`${out}${err}`.includes("display-secret"));
    }
  }, { foreignVms: 1 }));

Deno.test("create keeps a failed VM, resumes it, and destroy keeps its disks", () =>
  withLab(async ({ simulator, run }) => {
    simulator.addFault({
      method: "vm.device.create",
      action: "fail",
      matches: (params) => JSON.stringify(params).includes("worker01-disk1"),
    });
    const kept = await run("create", "worker", "--on-failure", "keep", "--at-a-time", "1");
    assert.equal(kept.code, 1);
    assert.match(kept.out, /worker01 +left-behind.*Its parts were kept as requested/);
    const plan = await run("plan", "worker");
    assert.match(plan.out, /worker01 +complete .*missing: disk1/);
    const completed = await run("create", "worker");
    assert.equal(completed.code, 0, completed.err);
    const destroyed = await run("destroy", "--prefix", "worker", "--yes", "--keep-disks", "--shutdown");
    assert.equal(destroyed.code, 0, destroyed.out);
    assert.match(destroyed.out, /worker01 shutdown: done, STOPPED/);
    assert.equal(simulator.store.vms.size, 0);
    assert.equal([...simulator.store.datasets.keys()].filter((name) => name.includes("-disk")).length, 6);
  }));

Deno.test("a VM created elsewhere is spared unless it is named", () =>
  withLab(async ({ simulator, run }) => {
    assert.equal((await run("create", "worker")).code, 0);
    const [first] = simulator.store.vms.values();
    assert.ok(first);
    first.config.description = "by hand";
    const spared = await run("destroy", "--prefix", "worker", "--yes");
    assert.match(spared.out, /worker01 stays: its description does not contain this program's mark/);
    assert.deepEqual([...simulator.store.vms.values()].map(({ config }) => config.name), ["worker01"]);
    assert.equal((await run("destroy", "--prefix", "worker", "--vm", "worker01", "--yes")).code, 0);
    assert.equal(simulator.store.vms.size, 0);
  }));

/** The names of the VMs that are there. */
function namesOf({ store }: Simulator): string[] {
  return [...store.vms.values()].map(({ config }) => String(config.name)).toSorted();
}

const CHANGES = /^(vm\.(create|delete|poweroff|stop|device\.)|pool\.)(?!.*query)/;

Deno.test("destroy --vm selects only the named VMs; with --prefix, both (fault 1)", () =>
  withLab(async ({ simulator, run }) => {
    assert.equal((await run("create")).code, 0);
    const one = await run("destroy", "--vm", "worker02", "--yes");
    assert.equal(one.code, 0, one.err);
    assert.deepEqual(namesOf(simulator), ["controlplane01", "homeassistant", "worker01", "worker03"]);
    const both = await run("destroy", "--prefix", "worker", "--vm", "homeassistant", "--yes");
    assert.equal(both.code, 0, both.err);
    assert.deepEqual(namesOf(simulator), ["controlplane01"]);
  }, { foreignVms: 1 }));

Deno.test("destroy with a name or prefix that matches nothing exits with 2 and changes nothing (fault 1)", () =>
  withLab(async ({ simulator, run }) => {
    assert.equal((await run("create", "worker")).code, 0);
    const before = simulator.calls.length;
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [["--vm", "wroker02"], /--vm: No VM is named "wroker02"\. Nothing was destroyed/],
      [["--vm", "worker01", "--vm", "wroker02"], /"wroker02"/],
      [["--vm", ""], /--vm needs a value, found an empty one/],
      [["--prefix", "wroker"], /--prefix: No VM matches "wroker" followed by digits/],
      [["--prefix", "worker", "--prefix", "controlplane"], /"controlplane" followed by digits/],
      [["--prefix", "worker", "--vm", "wroker02"], /"wroker02"/],
    ];
    for (const [args, message] of wrong) {
      const { code, err } = await run("destroy", ...args, "--yes");
      assert.equal(code, 2, args.join(" "));
      assert.match(err, message);
    }
    const sent = simulator.calls.slice(before).map(({ method }) => method);
    assert.deepEqual(sent.filter((method) => CHANGES.test(method)), []);
    assert.deepEqual(namesOf(simulator), ["worker01", "worker02", "worker03"]);
  }));

Deno.test("destroy without names selects the types of the configuration, even if they have no VMs (fault 1)", () =>
  withLab(async ({ simulator, run, folder }) => {
    const none = await run("destroy", "--yes");
    assert.equal(none.code, 0, none.err);
    await Deno.writeTextFile(`${folder}/config.yaml`, `${TEST_CONFIG}\nweb: ${WEB}\n`);
    assert.equal((await run("create", "web")).code, 0);
    const all = await run("destroy", "--yes");
    assert.equal(all.code, 0, all.err);
    assert.deepEqual(namesOf(simulator), ["homeassistant"]);
  }, { foreignVms: 1 }));

Deno.test("destroy lists the snapshots it removes and what other resources depend on, and exits with 1 (fault 40)", () =>
  withLab(async ({ simulator, run }) => {
    assert.equal((await run("create", "worker")).code, 0);
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
    addSnapshot(simulator.store, "tank/vms/worker02-disk0@web1");
    addClone(simulator.store, "tank/vms/worker02-disk0@web1", "tank/vms/web1-disk0");
    const { code, out } = await run("destroy", "--prefix", "worker", "--yes");
    assert.equal(code, 1, out);
    assert.match(out, /Destroys 1 snapshot of tank\/vms\/worker01-disk0 first: @daily/);
    assert.match(
      out,
      /worker02 stays: tank\/vms\/web1-disk0 is a clone that depends on tank\/vms\/worker02-disk0/,
    );
    assert.match(out, /2 VMs, 4 disks and 1 snapshot will be destroyed permanently/);
    assert.deepEqual(namesOf(simulator), ["worker02"]);
    assert.ok(simulator.store.datasets.has("tank/vms/web1-disk0"));
  }, { version: "27.0" }));

const WEB = "{ count: 1, memory: 512, cpu: 1, disk: { root: 1 }, network: { lan: br0 } }";

Deno.test("while another program holds the journal, writing commands are refused and reading ones work", () =>
  withLab(async ({ simulator, run, folder }) => {
    using _journal = Journal.open(`${folder}/state`);
    for (const args of [["create", "worker"], ["destroy", "--yes"]]) {
      const { code, err } = await run(...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(err, /The journal is in use by another dashboard \(process \d+/);
    }
    assert.deepEqual(simulator.calls, [], "nothing was sent");
    assert.equal((await run("plan")).code, 0);
    assert.equal((await run("list")).code, 0);
  }));

Deno.test("a partial failure exits with 1 and names what failed", () =>
  withLab(async ({ simulator, run }) => {
    simulator.addFault({
      method: "vm.start",
      action: "fail",
      error: { errno: 14, errname: "EFAULT", reason: "[EFAULT] no luck" },
    });
    const created = await run("create", "worker");
    assert.equal(created.code, 1);
    assert.match(created.out, /rolled-back.*no luck/);
    assert.equal(simulator.store.vms.size, 2);
    simulator.store.bridges.splice(0);
    const plan = await run("plan");
    assert.equal(plan.code, 1);
    assert.match(plan.out, /error: .*The NAS has no bridge or interface br0.*\(line 10\)/);
  }));

Deno.test("wrong usage, configuration and environment exit with 2, and nothing is sent", () =>
  withLab(async ({ simulator, run }) => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [["bogus"], /Unknown command "bogus"/],
      [["create", "gpu"], /There is no VM type "gpu"; there are controlplane, worker/],
      [["list", "x"], /takes no further arguments/],
      [["plan", "--config", "none.yaml"], /none\.yaml: No such file/],
      [["plan", "--templates-dir", "none"], /There is no such template file/],
      [["plan", "--env-file", "none"], /none: No such file/],
      [["plan", "--nonsense"], /nonsense/],
      [["plan", "--log-level", "LOUD"], /LOG_LEVEL must be/],
      [["simulate", "--version", "1.0"], /--release must be 24\.04, 24\.10, .*27\.0; found "1\.0"/],
      [["simulate", "--port", "99999"], /--port must be a whole number/],
      [["create", "--on-failure", "explode"], /--on-failure must be roll-back, keep, stop; found "explode"/],
      [["create", "--at-a-time", "0"], /--at-a-time must be a whole number from 1 to 99, found "0"/],
    ];
    for (const [args, message] of wrong) {
      const { code, err } = await run(...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(err, message);
    }
    assert.deepEqual(simulator.calls, []);
    assert.equal((await run("validate")).code, 0);
    assert.match((await run("help")).out, /Usage: truenas-vm-manager/);
    assert.match((await run("version")).out, /^\d+\.\d+\.\d+$/m);
  }));

Deno.test("simulate and demo print their address, and stop on request", async () => {
  for (
    const [args, ready] of [[["simulate"], /ws:\/\/127\.0\.0\.1:\d+/], [
      ["demo"],
      /http:\/\/127\.0\.0\.1:\d+\//,
    ]] as const
  ) {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", MAIN, ...args],
      env: { PORT: "0" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    });
    await using child = command.spawn();
    let said = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      said += decoder.decode(chunk, { stream: true });
      if (ready.test(said)) child.kill("SIGTERM");
    }
    assert.match(said, ready);
    assert.equal((await child.status).code, 0, args.join());
  }
});

Deno.test("wrong listening, password and certificate settings are reported at the start, with exit code 2", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    await Deno.writeTextFile(`${folder}/secret`, "from a file\n");
    await Deno.writeTextFile(`${folder}/not.pem`, "no certificate");
    const nas = { TRUENAS_HOST: "nas.invalid", API_USERNAME: "a", API_PASSWORD: "b", VNC_PASSWORD: "c" };
    const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
      [
        { HOST: "0.0.0.0" },
        /Listening on 0\.0\.0\.0 requires a password\. Set DASHBOARD_PASSWORD/,
      ],
      [
        { DASHBOARD_PASSWORD: "x", DASHBOARD_PASSWORD_FILE: `${folder}/secret` },
        /Both DASHBOARD_PASSWORD and/,
      ],
      [{ DASHBOARD_PASSWORD_FILE: `${folder}/none` }, /DASHBOARD_PASSWORD_FILE: Cannot read .*none/],
      [{ DASHBOARD_VIEWER_PASSWORD: "x" }, /Requires DASHBOARD_PASSWORD; set both/],
      [{ TLS_CERT_FILE: `${folder}/not.pem` }, /HTTPS requires both TLS_CERT_FILE and TLS_KEY_FILE/],
      [
        { TLS_CERT_FILE: `${folder}/not.pem`, TLS_KEY_FILE: `${folder}/not.pem`, PORT: "0" },
        /The TLS certificate and key cannot be used/,
      ],
      [{ TRUENAS_CERT_FINGERPRINT: "AA:BB" }, /a SHA-256 fingerprint has 64 hexadecimal digits/],
    ];
    for (const [env, message] of wrong) {
      const { code, err, out } = await runProgram(["serve"], folder, { ...nas, ...env });
      assert.equal(code, 2, out + err);
      assert.match(err, message);
      assert.ok(!err.includes("from a file"));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a host that cannot be listened on or allowed is reported at the start", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const nas = { TRUENAS_HOST: "nas.invalid", API_USERNAME: "a", API_PASSWORD: "b", VNC_PASSWORD: "c" };
    const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
      [
        { HOST: "nosuch.invalid", DASHBOARD_PASSWORD: "x", PORT: "0" },
        /HOST.*this host name has no address in DNS/,
      ],
      [{ ALLOWED_HOSTS: "vms.lan, *.lan" }, /ALLOWED_HOSTS must be comma-separated host names .*"\*\.lan"/],
      [
        { ALLOWED_HOSTS: "http://vms.lan" },
        /ALLOWED_HOSTS must be comma-separated host names .*"http:\/\/vms\.lan"/,
      ],
    ];
    for (const [env, message] of wrong) {
      const { code, err } = await runProgram(["serve"], folder, { ...nas, ...env });
      assert.equal(code, 2, err);
      assert.match(err, message);
      assert.doesNotMatch(err, /has a fault/);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("behind a proxy, the program starts only with a password and valid proxy addresses (fault 18)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const nas = { TRUENAS_HOST: "127.0.0.1:1", API_USERNAME: "u", API_PASSWORD: "p", VNC_PASSWORD: "v" };
    const open = await runProgram(["serve"], folder, { ...nas, TRUSTED_PROXIES: "127.0.0.1" });
    assert.equal(open.code, 2, open.out + open.err);
    assert.match(
      open.err,
      /reachable from other machines, which requires a password; set DASHBOARD_PASSWORD/,
    );
    const env = { ...nas, DASHBOARD_PASSWORD: "open sesame", TRUSTED_PROXIES: "192.0.2.1, nginx" };
    const named = await runProgram(["serve"], folder, env);
    assert.equal(named.code, 2, named.out + named.err);
    assert.match(named.err, /"nginx" is not an address; write one such as 192\.0\.2\.1, or a range/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("with a password, the program listens beyond this machine over TLS, and says so", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { good, ca } = await makeCertificates();
    await Deno.writeTextFile(`${folder}/cert.pem`, good.cert);
    await Deno.writeTextFile(`${folder}/key.pem`, good.key);
    await Deno.writeTextFile(`${folder}/secret`, "open sesame\n");
    const env = {
      HOST: "0.0.0.0",
      PORT: "0",
      DASHBOARD_PASSWORD_FILE: `${folder}/secret`,
      TLS_CERT_FILE: `${folder}/cert.pem`,
      TLS_KEY_FILE: `${folder}/key.pem`,
    };
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", MAIN, "demo"],
      cwd: folder,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!/https:\/\/0\.0\.0\.0:\d+\//.test(said)) said += (await reader.read()).value ?? assert.fail(said);
    const port = /:(\d+)\//.exec(said)?.[1];
    using client = Deno.createHttpClient({ caCerts: [ca] });
    const url = `https://127.0.0.1:${port}`;
    const closed = await fetch(url, { client, redirect: "manual" });
    await closed.body?.cancel();
    assert.equal(closed.headers.get("location"), "/login?to=%2F");
    const body = new URLSearchParams({ password: "open sesame", to: "/" });
    const open = await fetch(`${url}/login`, {
      client,
      method: "POST",
      body,
      headers: { origin: url },
      redirect: "manual",
    });
    await open.body?.cancel();
    assert.equal(open.status, 303);
    assert.match(
      open.headers.get("set-cookie") ?? "",
      /^__Host-vm-manager-session-\d+=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("serve with an invalid configuration names the place, exits with 2 and connects to nothing", () =>
  withLab(async ({ simulator, folder, run }) => {
    const mistakes = [
      ["count: 3", "count: [3", /config\.yaml:13:\d+: /],
      ["count: 3", "count: many", /config\.yaml:12:10: worker\.count: Count must be/],
      ["root: 20, data", "__proto__: 20, data", /config\.yaml:15:\d+: [^]*__proto__/],
    ] as const;
    for (const [good, bad, told] of mistakes) {
      await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG.replace(good, bad));
      const { code, out, err } = await run("serve");
      assert.deepEqual([code, out], [2, ""], err);
      assert.match(err, told);
    }
    assert.equal((await run("serve", "--config", "none.yaml")).code, 2);
    assert.deepEqual(simulator.calls, []);
  }));
