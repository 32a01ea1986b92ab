/**
 * Protects the strictness of the simulated NAS where there are no recorded conversations: limits, sign-in, roles,
 * arguments, the rules for names, ports, memory and space, and faults. Real sockets; two releases.
 */
import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import { TEST_TIMES } from "../../support/dashboard.ts";
import { Peer } from "../../support/peer.ts";

interface Lab {
  readonly simulator: Simulator;
  readonly peer: Peer;
  readonly version: SimulatedVersion;
}

function onEach(name: string, test: (lab: Lab) => Promise<void>, options: SimulatorOptions = {}): void {
  for (const version of ["25.10", "27.0"] as const) {
    Deno.test(`${name} (${version})`, async () => {
      await using simulator = await startSimulator({ version, times: TEST_TIMES, ...options });
      const peer = new Peer(simulator.url);
      await peer.open();
      await test({ simulator, peer, version });
      await peer.close();
    });
  }
}

async function newVm(
  peer: Peer,
  name: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const row = await peer.result("vm.create", { name, memory: 256, ...fields }) as { id: number };
  return row.id;
}

function device(vm: number, attributes: Readonly<Record<string, unknown>>, order?: number): unknown {
  return { vm, attributes, ...(order === undefined ? {} : { order }) };
}

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

onEach(
  "names, totals and firmware are checked, and names before they are inserted",
  async ({ simulator, peer }) => {
    await peer.login();
    await newVm(peer, "a");
    simulator.setTimes({ callMs: 100 });
    const refusalOf = (fields: Readonly<Record<string, unknown>>) =>
      peer.refusal("vm.create", { name: "b", memory: 256, ...fields });
    assert.deepEqual(await refusalOf({ name: "a" }), ["vm_create.name: This name already exists."]);
    assert.deepEqual(await refusalOf({ name: "a-b" }), [
      "vm_create.name: Only alphanumeric characters are allowed.",
    ]);
    assert.match((await refusalOf({ min_memory: 512 }))[0] ?? "", /vm_create\.min_memory/);
    assert.match(
      (await refusalOf({ cpu_mode: "HOST-MODEL", cpu_model: "EPYC" }))[0] ?? "",
      /vm_create\.cpu_model/,
    );
    assert.match((await refusalOf({ pin_vcpus: true }))[0] ?? "", /vm_create\.cpuset/);
    assert.match((await refusalOf({ machine_type: "q35" }))[0] ?? "", /vm_create\.arch_type/);
    assert.deepEqual(await refusalOf({ bootloader_ovmf: "none.fd" }), [
      "vm_create.bootloader_ovmf: Invalid bootloader ovmf choice specified",
    ]);
    const secure = await peer.result("vm.create", {
      name: "s",
      memory: 256,
      enable_secure_boot: true,
    }) as Record<string, unknown>;
    assert.deepEqual([secure.bootloader_ovmf, secure.machine_type, secure.arch_type], [
      "OVMF_CODE_4M.secboot.fd",
      "pc-q35-6.2",
      "x86_64",
    ]);
    const racing = await Promise.all([newVm(peer, "race"), newVm(peer, "race")]);
    assert.equal(new Set(racing).size, 2, "two at once both pass, as on a real NAS");
  },
);

onEach("displays are checked", async ({ peer, version }) => {
  await peer.login();
  const [a, b] = [await newVm(peer, "a"), await newVm(peer, "b")];
  const display = (vm: number, fields: Readonly<Record<string, unknown>>) =>
    device(vm, { dtype: "DISPLAY", bind: "0.0.0.0", password: "pw", ...fields });
  await peer.result("vm.device.create", display(a, { port: 5910, web_port: 5911 }));
  const refused = (fields: Readonly<Record<string, unknown>>) =>
    peer.refusal("vm.device.create", display(b, fields));
  assert.deepEqual(await refused({ port: 5910 }), [
    "attributes.port: Specified display port(5910) is already in use by another Display device",
  ]);
  assert.deepEqual(await refused({ port: 5911 }), [
    "attributes.port: Specified display port(5911) is already in use by another Display device",
  ]);
  assert.deepEqual(await refused({ port: 6000 }), [
    "attributes.port: Specified display port(6000) is already in use by another Display device",
  ]);
  assert.deepEqual(await refused({ port: 5920, web_port: 80 }), [
    "attributes.web_port: Specified port must be between 5900 and 65535, inclusive",
  ]);
  assert.deepEqual(await refused({ port: 5920, password: " " }), [
    "attributes.password: Password is required for display devices",
  ]);
  assert.match(
    (await refused({ port: 5920, type: "VNC", web: true, password: "123456789" })).join(),
    /8 characters or less.*attributes\.web/,
  );
  const portless = await peer.call("vm.device.create", display(b, {}));
  if (version === "27.0") {
    assert.match(portless.error?.data?.reason ?? "", /Spice server port must not be same as web port/);
  } else assert.deepEqual((portless.result as { attributes: { port: number } }).attributes.port, 5900);
});

onEach("disks and zvols are checked", async ({ simulator, peer }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  const GIB = 1024 ** 3;
  const zvol = (name: string, size: number) =>
    device(id, { dtype: "DISK", create_zvol: true, zvol_name: name, zvol_volsize: size });
  assert.match(
    (await peer.refusal("vm.device.create", zvol("tank/vms/big", 4096 * GIB)))[0] ?? "",
    /^pool_dataset_create\.volsize: It is not recommended/,
  );
  assert.match(
    (await peer.refusal("vm.device.create", zvol("tank/vms/odd", 1000)))[0] ?? "",
    /multiple of volume block size/,
  );
  assert.match(
    (await peer.refusal("vm.device.create", device(id, { dtype: "DISK", path: "/mnt/x" })))[0] ?? "",
    /Disk path must start with/,
  );
  assert.match(
    (await peer.refusal("vm.device.create", device(id, { dtype: "DISK", path: "/dev/zvol/tank/none" })))[0] ??
      "",
    /does not exist/,
  );
  assert.deepEqual([...simulator.store.datasets.values()].filter(({ type }) => type === "VOLUME"), []);
  await peer.result("vm.device.create", zvol("tank/vms/with space", GIB));
  const [row] = await peer.result("vm.device.query") as { attributes: { path: string } }[];
  assert.equal(row?.attributes.path, "/dev/zvol/tank/vms/with+space");
  const thinSpec = { name: "tank/vms/thin", type: "VOLUME", volsize: 5000 * GIB, sparse: true };
  assert.match((await peer.refusal("pool.dataset.create", thinSpec))[0] ?? "", /more than 80%/);
  await peer.result("pool.dataset.create", {
    ...thinSpec,
    force_size: true,
    user_properties: [{ key: "a:b", value: "c" }],
  });
  const [thin] = await peer.result("pool.dataset.query", [["id", "=", "tank/vms/thin"]]) as {
    user_properties: Record<string, { value: string }>;
  }[];
  assert.equal(thin?.user_properties["a:b"]?.value, "c");
});

onEach("a used order is given to the new device, and the others move up", async ({ peer }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  for (const bridge of ["br0", "br1", "eno1"]) {
    await peer.result("vm.device.create", device(id, { dtype: "NIC", nic_attach: bridge }, 1000));
  }
  const rows = await peer.result("vm.device.query", [], { order_by: ["order"] }) as {
    order: number;
    attributes: { nic_attach: string };
  }[];
  assert.deepEqual(rows.map(({ order, attributes }) => [order, attributes.nic_attach]), [[1000, "eno1"], [
    1001,
    "br1",
  ], [1002, "br0"]]);
});

onEach("memory is reserved at start, unless overcommitted", async ({ peer }) => {
  await peer.login();
  const id = await newVm(peer, "big", { memory: 4096 });
  assert.deepEqual(await peer.refusal("vm.start", id), [
    "-32001 [ENOMEM] Cannot guarantee memory for guest big",
  ]);
  await peer.result("vm.start", id, { overcommit: true });
  assert.match((await peer.refusal("vm.start", id))[0] ?? "", /already running/);
}, { freeMemoryBytes: 2 * 1024 ** 3 });

onEach("deleting a running VM and a removed VM fails as on TrueNAS", async ({ simulator, peer, version }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  await peer.result("vm.start", id);
  const answer = await peer.call("vm.delete", id);
  if (version === "25.10") assert.equal(answer.result, true);
  else {
    assert.match(answer.error?.data?.reason ?? "", /\[EBUSY\] 'a' is running; stop the VM first/);
    assert.equal(await peer.result("vm.delete", id, { force: true }), null);
  }
  assert.equal(simulator.store.vms.size, 0);
  assert.deepEqual(await peer.refusal("vm.delete", id), [`null: VM ${id} does not exist`]);
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
