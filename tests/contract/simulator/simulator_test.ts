/**
 * Protects the strictness of the simulated NAS where there are no recorded conversations: limits, sign-in, roles,
 * arguments, queries, events and faults. Real sockets; two releases.
 */
import assert from "node:assert/strict";
import { device, newVm, onEach, Peer } from "../../support/peer.ts";

onEach("HTTP lists the supported API versions only", async ({ simulator, version }) => {
  const base = simulator.url.replace("ws:", "http:");
  const versions = await (await fetch(`${base}/api/versions`)).json();
  assert.equal(versions.at(-1), version === "27.0" ? "v27.0.0" : "v25.10.5");
  for (const path of ["/api/v25.10", "/api/v99.0.0", "/"]) {
    const response = await fetch(base + path);
    await response.body?.cancel();
    assert.equal(response.status, 404, path);
  }
});

onEach("messages have limits before and after login", async ({ simulator, peer }) => {
  const anonymous = new Peer(simulator.url);
  await anonymous.open();
  anonymous.send("x".repeat(8_193));
  const early = await anonymous.closed;
  assert.deepEqual([early.code, early.reason], [1007, "Anonymous connection max message length is 8 kB"]);
  await peer.login();
  peer.send("x".repeat(65_537));
  const late = await peer.closed;
  assert.deepEqual([late.code, late.reason], [1009, "Max message length is 64 kB"]);
});

onEach("a binary message ends the connection", async ({ peer }) => {
  peer.send(new ArrayBuffer(4));
  assert.equal((await peer.closed).code, 1003);
});

onEach("malformed requests are refused, and notifications are never answered", async ({ peer }) => {
  const refusals: readonly (readonly [string, number | null, number])[] = [
    ["{nonsense", null, -32700],
    ['[{"jsonrpc":"2.0","id":1,"method":"core.ping","params":[]}]', null, -32700],
    ['{"jsonrpc":"2.0","id":2,"method":"core.ping","params":{}}', 2, -32600],
    ['{"jsonrpc":"1.0","id":3,"method":"core.ping","params":[]}', 3, -32600],
    ['{"jsonrpc":"2.0","id":4,"params":[]}', 4, -32600],
    ['{"jsonrpc":"2.0","id":5,"method":"no.such","params":[]}', 5, -32601],
  ];
  for (const [text, id, code] of refusals) {
    peer.send(text);
    assert.equal((await peer.answer(id)).error?.code, code, text);
  }
  peer.send('{"jsonrpc":"2.0","method":"core.ping","params":[]}');
  assert.equal(await peer.result("core.ping"), "pong");
});

onEach("ten calls run, ten wait, and the twenty-first is refused", async ({ simulator, peer }) => {
  await peer.login();
  simulator.setTimes({ callMs: 300 });
  const answers = await Promise.all(Array.from({ length: 21 }, () => peer.call("vm.query")));
  const refused = answers.filter(({ error }) => error !== undefined);
  assert.equal(refused.length, 1);
  assert.deepEqual([refused[0]?.error?.code, refused[0]?.error?.message], [
    -32000,
    "Maximum number of concurrent calls (20) has exceeded",
  ]);
});

onEach("more than 20 attempts a minute without login are refused", async ({ peer }) => {
  const attempt = () =>
    peer.call("auth.login_ex", { mechanism: "PASSWORD_PLAIN", username: "admin", password: "no" });
  for (let n = 0; n < 20; n++) assert.deepEqual((await attempt()).result, { response_type: "AUTH_ERR" });
  assert.match((await attempt()).error?.data?.reason ?? "", /\[EBUSY\] Rate Limit Exceeded/);
});

onEach("every way to sign in works", async ({ simulator, peer }) => {
  assert.deepEqual(await peer.refusal("vm.query"), ["-32001 [ENOTAUTHENTICATED] Not authenticated"]);
  assert.equal(await peer.result("auth.login", "admin", "wrong"), false);
  assert.equal(await peer.result("auth.login", "admin", "truenas"), true);
  const token = await peer.result("auth.generate_token");
  assert.equal(await peer.result("auth.logout"), true);
  assert.deepEqual(await peer.refusal("vm.query"), ["-32001 [ENOTAUTHENTICATED] Not authenticated"]);
  const key = simulator.store.accounts[0]?.apiKey;
  const byKey = await peer.result("auth.login_ex", {
    mechanism: "API_KEY_PLAIN",
    username: "admin",
    api_key: key,
  });
  assert.equal((byKey as { response_type: string }).response_type, "SUCCESS", "over loopback a key is safe");
  assert.equal(await peer.result("auth.login_with_api_key", "1-wrong"), false);
  assert.equal(await peer.result("auth.login_with_token", token), true);
  assert.deepEqual(await peer.refusal("auth.login_ex", { mechanism: "OTP_TOKEN", otp_token: "1" }), [
    "-32001 [EINVAL] OTP_TOKEN: no authentication in progress",
  ]);
});

onEach("roles decide which methods and fields an account can use", async ({ peer }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  await peer.result(
    "vm.device.create",
    device(id, { dtype: "DISPLAY", bind: "0.0.0.0", port: 5910, password: "pw" }),
  );
  const passwordOf = async () => {
    const [row] = await peer.result("vm.device.query") as { attributes: { password: string } }[];
    return row?.attributes.password;
  };
  assert.equal(await passwordOf(), "pw");
  await peer.login("reader", "reader-pw");
  assert.equal(await passwordOf(), "********");
  assert.deepEqual(await peer.refusal("vm.create", { name: "b", memory: 256 }), [
    "-32001 [EACCES] Not authorized",
  ]);
  await peer.login("writer", "writer-pw");
  await newVm(peer, "b");
  assert.deepEqual(
    await peer.refusal("vm.device.create", device(id, { dtype: "CDROM", path: "/mnt/tank/iso/debian.iso" })),
    [
      "-32001 [EACCES] Not authorized",
    ],
  );
}, {
  accounts: [
    { username: "reader", password: "reader-pw", roles: ["READONLY_ADMIN"] },
    { username: "writer", password: "writer-pw", roles: ["VM_WRITE"] },
  ],
});

onEach("arguments are checked against the schema, with pydantic's messages", async ({ peer, version }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  const cases: readonly (readonly [string, readonly unknown[], readonly string[]])[] = [
    ["vm.create", [{ memory: 256 }], ["vm_create.name: Field required"]],
    ["vm.create", [{ name: "", memory: 256 }], ["vm_create.name: String should have at least 1 character"]],
    ["vm.create", [{ name: "b", memory: 256, bootloader: "BIOS" }], [
      "vm_create.bootloader: Input should be 'UEFI_CSM' or 'UEFI'",
    ]],
    ["vm.create", [{ name: "b", memory: 256, autostart: 1 }], [
      "vm_create.autostart: Input should be a valid boolean",
    ]],
    ["vm.create", [{ name: 5, memory: null }], [
      "vm_create.name: Input should be a valid string",
      "vm_create.memory: Input should be a valid integer",
    ]],
    ["vm.create", [{ name: "b", memory: 256, shutdown_timeout: 301 }], [
      "vm_create.shutdown_timeout: Input should be less than or equal to 300",
    ]],
    ["vm.create", [{ name: "b", memory: 256 }, {}], [
      "-32001 CRUDService.create() takes 5 positional arguments but 6 were given",
    ]],
    ["vm.create", [], [
      "-32001 CRUDService.create() missing 1 required positional argument: 'data'",
    ]],
    ["system.version", [1], [": Too many arguments (expected 0, found 1)"]],
    ["vm.get_instance", ["1"], ["id: Input should be a valid integer"]],
    ["vm.device.create", [device(id, { dtype: "DISPLAY", port: 70_000, password: "x" })], [
      "vm_device_create.attributes.DISPLAY.port: Input should be less than or equal to 65535",
    ]],
    ["vm.device.create", [device(id, { dtype: "DISK" })], [
      "vm_device_create.attributes.DISK: Value error, Path must be specified if create_zvol is not set",
    ]],
  ];
  for (const [method, params, wanted] of cases) {
    assert.deepEqual(await peer.refusal(method, ...params), wanted);
  }
  const [tag] = await peer.refusal("vm.device.create", device(id, { dtype: "SOUND" }));
  assert.match(tag ?? "", /Input tag 'SOUND' found using 'dtype' does not match any of the expected tags/);
  const dashed = await peer.call(
    "vm.device.create",
    device(id, { dtype: "NIC", nic_attach: "br0", mac: "02-00-00-AA-BB-01" }),
  );
  if (version === "25.10") assert.ok(dashed.result);
  else assert.match(JSON.stringify(dashed.error), /Assertion failed, MAC address must be a colon-separated/);
});

onEach("jobs end with their reply if the connection requests it", async ({ peer }) => {
  await peer.login();
  await peer.result("core.subscribe", "core.get_jobs");
  const id = await newVm(peer, "a");
  await peer.result("vm.start", id);
  await peer.result("core.set_options", { legacy_jobs: false });
  assert.equal(await peer.result("vm.stop", id), null);
  assert.match((await peer.refusal("vm.stop", id))[0] ?? "", /not 'RUNNING'|is not active/);
  const jobs = await peer.result("core.get_jobs", [["method", "=", "vm.stop"]]) as { state: string }[];
  assert.deepEqual(jobs.map(({ state }) => state), ["SUCCESS", "FAILED"]);
});

onEach("queries filter, sort, count, page and select", async ({ peer }) => {
  await peer.login();
  const names = async (filters: unknown, options: unknown = {}) =>
    (await peer.result("vm.query", filters, options) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(await names([["status.state", "=", "RUNNING"]]), ["homeassistant", "pihole"]);
  assert.deepEqual(
    await names([["name", "^", "w"], ["memory", ">=", 4096]], { order_by: ["-memory", "name"] }),
    ["win11", "workerold"],
  );
  assert.deepEqual(await names([["OR", [["name", "=", "pihole"], [["name", "$", "old"], ["id", ">", 0]]]]]), [
    "workerold",
    "pihole",
  ]);
  assert.deepEqual(
    await names([["id", "nin", [1, 2]], ["name", "!=", "win11"], ["name", "!^", "u"], ["name", "!$", "zzz"]]),
    ["pihole"],
  );
  assert.deepEqual(
    await names([["name", "~", ".*o.*"], ["id", "<", 4], ["id", "<=", 2]], { limit: 1, offset: 1 }),
    ["workerold"],
  );
  assert.deepEqual(await names([["name", "rin", "hole"]]), ["pihole"]);
  assert.equal(await peer.result("vm.query", [], { count: true }), 5);
  assert.deepEqual(
    await peer.result("vm.query", [["id", "=", 1]], { get: true, select: ["name", ["status.state", "is"]] }),
    { name: "homeassistant", is: "RUNNING" },
  );
  assert.ok((await peer.call("vm.query", [["id", "=", 99]], { get: true })).error);
  assert.ok((await peer.call("vm.query", [["id", "??", 1]])).error);
}, { foreignVms: 5 });

onEach(
  "faults occur where they are ordered: a stalled call, a cut, a partial effect",
  async ({ simulator, peer }) => {
    await peer.login();
    const id = await newVm(peer, "a");
    const disk = (name: string) =>
      device(id, {
        dtype: "DISK",
        create_zvol: true,
        zvol_name: `tank/vms/${name}`,
        zvol_volsize: 1024 ** 3,
      });
    simulator.addFault({ method: "vm.device.create", moment: "middle", action: "fail" });
    assert.deepEqual(await peer.refusal("vm.device.create", disk("half")), [
      "-32001 [EFAULT] Simulated failure",
    ]);
    assert.ok(simulator.store.datasets.has("tank/vms/half"));
    assert.equal(simulator.store.devices.size, 0);
    simulator.addFault({ method: "core.ping", action: "stall" });
    let answered = false;
    void peer.call("core.ping").then(() => answered = true);
    assert.equal(await peer.result("core.ping"), "pong");
    assert.equal(answered, false);
    simulator.addFault({ method: "vm.device.create", moment: "after", action: "cut" });
    void peer.call("vm.device.create", disk("made"));
    await peer.closed;
    assert.equal(simulator.store.devices.size, 1);
  },
);

onEach("events are sent to subscribers with the necessary role", async ({ simulator, peer }) => {
  await peer.login();
  await peer.result("core.subscribe", "vm.query");
  const other = new Peer(simulator.url);
  await other.open();
  await other.login("nobody", "nobody-pw");
  assert.deepEqual(await other.refusal("core.subscribe", "vm.query"), ["-32001 [EACCES] Not authorized"]);
  const id = await newVm(peer, "a");
  await peer.event("vm.query", "added");
  await peer.result("vm.delete", id);
  await peer.event("vm.query", "removed");
  assert.deepEqual(other.events, []);
  await other.close();
}, { accounts: [{ username: "nobody", password: "nobody-pw", roles: [] }] });
