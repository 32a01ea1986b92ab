/**
 * Protects people from a broken or malicious NAS: names and descriptions that are code, markup, terminal commands or
 * protocol lines; answers of the wrong kind, of enormous size, or none. No code runs, no page or stream breaks, the
 * program continues, and the error is reported.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { until } from "../../support/deadline.ts";
import {
  ACCOUNT_PASSWORD,
  DISPLAY_PASSWORD,
  startDashboard,
  TEST_CONFIG,
  type TestDashboard,
} from "../../support/pages/dashboard.ts";
import { EXPORT_NAMES } from "../../../lib/exports/names.ts";
import { finishedOperation, follow, post, text } from "../../support/pages/http.ts";

/** What a person could only put there by an API of their own. */
const HOSTILE = [
  "<script>alert(1)</script>",
  `"><img src=x onerror=alert(2)>`,
  "'-alert(3)-'",
  "javascript:alert(4)",
  "</title><svg onload=alert(5)>",
  "data: x\n\nevent: end\ndata: forged",
  "x\r\revent: end\rdata: forged",
  "a\r\nset-cookie: session=forged",
  "\u001b[2J\u001b]0;owned\u0007",
  "\u202Egnp.exe",
  "{{7*7}}${7*7}<%= 7 %>",
  '=HYPERLINK("http://evil.test")',
  "🧊".repeat(300),
  "x".repeat(10_000),
  "",
] as const;

function poison({ simulator, manager }: TestDashboard): void {
  const [vm] = simulator.store.vms.values();
  assert.ok(vm);
  const devices = [...simulator.store.devices.values()].filter((device) => device.vm === vm.id);
  for (const [index, evil] of HOSTILE.entries()) {
    const id = 1_000 + index;
    simulator.store.vms.set(id, { ...vm, id, config: { ...vm.config, name: evil, description: evil } });
    for (const [n, device] of devices.entries()) {
      const attributes = {
        ...device.attributes,
        nic_attach: evil,
        bind: evil,
        path: `/dev/zvol/tank/${evil}`,
      };
      const deviceId = 10_000 + 10 * index + n;
      simulator.store.devices.set(deviceId, { ...device, id: deviceId, vm: id, attributes });
    }
    manager.inventory.live.refresh(id);
  }
}

/** Markup that the program itself never writes. */
const CODE = /<script>alert|<img src=x|<svg onload|href="javascript:|onerror=alert\(2\)>/i;

/** A line that only a name could have brought. */
const FOREIGN_LINE = /^(?:event:|set-cookie:|=HYPERLINK)/im;

/** Formats whose every value is parsed to a type; CSV and JSON also carry names as they are, in their quotes. */
const PARSED = EXPORT_NAMES.filter((name) => name !== "csv" && name !== "json");

Deno.test("hostile names and descriptions stay text on every page, in every export and in every header", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  poison(dashboard);
  const { live } = dashboard.manager.inventory;
  await until(
    "all VMs are known",
    () => live.snapshot.vms?.length === HOSTILE.length + 1,
    (look) => live.onChange(look),
  );
  const vms = HOSTILE.map((_, index) => 1_000 + index);
  const exports = EXPORT_NAMES.map((format) => `/export?format=${format}`);
  const paths = [
    "/",
    "/?sort=-networks",
    "/export",
    ...vms.flatMap((id) => [`/vms/${id}`, `/vms/act?action=stop&id=${id}`, `/vms/${id}/serial`]),
  ];
  for (const path of paths) {
    const response = await fetch(dashboard.url + path);
    const html = await response.text();
    assert.equal(response.status, 200, path);
    assert.doesNotMatch(html, CODE, path);
    assert.equal(response.headers.get("set-cookie"), null, path);
  }
  for (const path of [...exports, ...vms.map((id) => `/vms/${id}/console.vv`)]) {
    const response = await fetch(dashboard.url + path);
    const body = await response.text();
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get("set-cookie"), null, path);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
    assert.doesNotMatch(response.headers.get("content-type") ?? "", /html/, path);
    assert.doesNotMatch(body, FOREIGN_LINE, `${path} has no line that a name wrote`);
    if (PARSED.some((format) => path.endsWith(`=${format}`))) {
      assert.doesNotMatch(body, /\{\{|\$\{|<script|[\p{Cf}\p{Zl}]/u, `${path} has no part of a hostile name`);
    }
    if (path.endsWith(".vv")) assert.equal(body.split("\n").length, 6, `${path} has no lines of its own`);
  }
});

Deno.test("a VM's name cannot inject messages into a stream", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  const gone = new AbortController();
  const response = await fetch(`${dashboard.url}/events`, { signal: gone.signal });
  assert.ok(response.body);
  poison(dashboard);
  let read = "";
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      read += chunk;
      if (HOSTILE.every((_, index) => read.includes(`"vm-${1_000 + index}"`))) break;
    }
  } finally {
    gone.abort();
  }
  // A client ends a line at a CR as well.
  const fields = new Set(read.split(/\r\n|\r|\n/).map((line) => /^[^:]*/.exec(line)?.[0]));
  assert.match(read, /data: forged/, "the premise: it was sent");
  assert.deepEqual([...fields].filter((field) => field !== "" && field !== "data"), []);
  assert.doesNotMatch(read, CODE);
});

Deno.test("answers of the wrong kind are reported, and the program continues", async () => {
  const ODD: readonly unknown[] = [null, 7, "vms", { vms: [] }, [null], [{ id: "1", name: 7 }], [[]], true];
  for (const result of ODD) {
    await using dashboard = await startDashboard({
      simulator: { foreignVms: 1 },
      // It is tried again below, and not often enough by itself to be held back by the limit of logins.
      manager: { backoffMs: [600_000] },
      untilConnected: false,
    });
    dashboard.simulator.addFault({ method: "vm.query", action: "answer", result, times: Infinity });
    const what = JSON.stringify(result);
    const { connection } = dashboard.manager;
    await until(
      `${what} ends the connection`,
      () => connection.state.kind === "reconnecting",
      (look) => connection.onState(look),
    );
    assert.match(await text(fetch(dashboard.url)), /answer to vm\.query is invalid/, what);
    dashboard.simulator.clearFaults();
    assert.equal((await fetch(`${dashboard.url}/healthz`).then(text)).trim(), "ok", what);
    await dashboard.manager.connection.keepConnected();
    const list = dashboard.manager.list();
    assert.equal((await list).length, 1, `${what}: afterwards it works`);
  }
});

Deno.test("a message of 50 MB ends the connection, and the next one works", async () => {
  const logged: string[] = [];
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    manager: { connectionWaitMs: 10_000 },
    onLog: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
  });
  await dashboard.manager.inventory.live.ready();
  const huge = [{ id: 1, name: "x".repeat(50_000_000) }];
  dashboard.simulator.addFault({ method: "vm.query", action: "answer", result: huge });
  // A reading that loses its connection is made again.
  assert.equal((await dashboard.manager.list()).length, 1);
  const logins = dashboard.simulator.calls.filter(({ method }) => method === "auth.login_ex");
  assert.equal(logins.length, 2);
  assert.ok(
    logged.some((line) => /a message of 50 MB, which exceeds the limit/.test(line)),
    logged.join("\n"),
  );
  assert.ok(logged.every((line) => line.length < 10_000), "the message itself is kept nowhere");
});

Deno.test("a late answer of the NAS appears in the list (fault 18)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 }, untilConnected: false });
  dashboard.simulator.addFault({ method: "pool.dataset.query", action: "stall" });
  await dashboard.manager.connection.keepConnected();
  assert.match(await text(fetch(dashboard.url)), /VMs appear here as soon as the NAS answers/);
  dashboard.simulator.cutConnections();
  const { live } = dashboard.manager.inventory;
  await until("the VMs are known", () => live.snapshot.vms !== null, (look) => live.onChange(look));
  assert.match(await text(fetch(dashboard.url)), /homeassistant/);
});

Deno.test("the command line does not print terminal control sequences from the NAS", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  poison(dashboard);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", new URL("../../../main.ts", import.meta.url).pathname, "list"],
      cwd: folder,
      clearEnv: true,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: process.env.HOME ?? "",
        ...(process.env.DENO_DIR === undefined ? {} : { DENO_DIR: process.env.DENO_DIR }),
        TRUENAS_HOST: dashboard.simulator.url,
        API_USERNAME: "admin",
        API_PASSWORD: "truenas",
        VNC_PASSWORD: "pw",
        STATE_DIR: folder,
      },
    }).output();
    const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, printed.slice(0, 500));
    assert.match(printed, /homeassistant/);
    assert.doesNotMatch(printed, /[\p{Cc}--\n]/v, "no control characters but line ends");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a secret repeated by a failed NAS job is hidden on pages and in the log (fault 18)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  const { manager, simulator, url } = dashboard;
  const [vm] = (await manager.inventory.live.ready()).vms ?? [];
  assert.ok(vm?.state === "RUNNING", "the premise: there is a VM that runs");
  const error = `[EFAULT] virsh --password ${DISPLAY_PASSWORD} --login ${ACCOUNT_PASSWORD}: no`;
  const result = [{ id: 1, state: "FAILED", error, progress: { percent: 0 } }];
  simulator.addFault({ method: "core.get_jobs", action: "answer", result, times: Infinity });
  const operation = await follow(post(dashboard, `/vms/${vm.id}/stop`, {}));
  await finishedOperation(dashboard, operation);
  // What a dashboard of the tests sends and logs is searched for both secrets at its end, too.
  assert.match(await text(fetch(url + operation)), /--password \[secret\] --login \[secret\]/);
});
