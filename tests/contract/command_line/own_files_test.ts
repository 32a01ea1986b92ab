/**
 * Protects people with existing files: files from Windows editors, other tools and the Python tool are read as
 * intended. The real program runs in its own process against a simulated NAS.
 */
import assert from "node:assert/strict";
import { type CommandLine, runProgram, withCommandLine } from "../../support/program/command_line.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { startProgram, withFolder } from "../../support/program/program.ts";

const BOM = "\ufeff";

/** An account whose password breaks most readers of NAME=value lines. */
const ODD = { username: "odd", password: `p#a"s\\s 'w'#`, roles: ["FULL_ADMIN"] } as const;

/** Without anything in the environment but the NAS's address. */
function runWithFile({ simulator, folder }: CommandLine, ...args: string[]) {
  return runProgram(args, folder, { TRUENAS_HOST: simulator.url, NO_COLOR: "1" });
}

Deno.test("a password with # is read completely from .env, quoted or not, even after a byte order mark (fault 27)", () =>
  withCommandLine(async (lab) => {
    const files: readonly (readonly [how: string, text: string | Uint8Array])[] = [
      ["unquoted", `API_USERNAME=odd\nAPI_PASSWORD=${ODD.password}\nVNC_PASSWORD=v\n`],
      [
        "a comment after it",
        `API_USERNAME=odd # me\nAPI_PASSWORD=${ODD.password}   # mine\nVNC_PASSWORD=v\n`,
      ],
      ["in double quotes", `API_USERNAME="odd"\nAPI_PASSWORD="p#a\\"s\\\\s 'w'#" # mine\nVNC_PASSWORD=v\n`],
      ["in single quotes", `API_USERNAME='odd'\nAPI_PASSWORD='p#a"s\\s \\'w\\'#'\nVNC_PASSWORD=v`],
      [
        "behind a mark",
        `${BOM}API_USERNAME=odd\r\nexport API_PASSWORD = ${ODD.password}\r\nVNC_PASSWORD=v\r\n`,
      ],
      ["as UTF-16", utf16(`API_USERNAME=odd\r\nAPI_PASSWORD=${ODD.password}\r\nVNC_PASSWORD=v\r\n`)],
    ];
    for (const [how, text] of files) {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      await Deno.writeFile(`${lab.folder}/.env`, bytes);
      const { code, err } = await runWithFile(lab, "list", "--log-level", "ERROR");
      assert.equal(code, 0, `${how}: ${err}`);
    }
  }, { accounts: [ODD] }));

function utf16(text: string): Uint8Array {
  const units = Uint16Array.from(BOM + text, (sign) => sign.charCodeAt(0));
  return new Uint8Array(units.buffer);
}

Deno.test("an unknown name in .env gets a suggestion, and an invalid line is an error (fault 27)", () =>
  withCommandLine(async (lab) => {
    const good = "API_USERNAME=admin\nAPI_PASSWORD=truenas\nVNC_PASSWORD=v\n";
    await Deno.writeTextFile(`${lab.folder}/.env`, `${good}DASHBORD_PASSWORD=x\nNONSENSE_XYZ=1\n`);
    const warned = await runWithFile(lab, "list");
    assert.equal(warned.code, 0, warned.err);
    assert.match(
      warned.err,
      /Warning: \.env:4: DASHBORD_PASSWORD is not a setting .*\. Did you mean DASHBOARD_PASSWORD\?/,
    );
    assert.match(warned.err, /\.env:5: NONSENSE_XYZ is not a setting of this program and has no effect$/m);
    await Deno.writeTextFile(`${lab.folder}/.env`, "API_PASSWORD=se cret # rest\nAPI_USERNAME=a\n");
    assert.match(
      (await runWithFile(lab, "list")).err,
      /\.env:1: The text after # in API_PASSWORD was treated as/,
    );
    await Deno.writeTextFile(`${lab.folder}/.env`, `${good}hunter2 and so on\nVNC_PASSWORD="a"b"\n`);
    const { code, err } = await runWithFile(lab, "list");
    assert.equal(code, 2);
    assert.match(
      err,
      /\.env:4:1: This is not a NAME=value line; .*\n\.env:5:1: VNC_PASSWORD: There is text after the closing quote/,
    );
    assert.doesNotMatch(err, /hunter2/, "it may be a secret");
  }));

Deno.test("a byte order mark is ignored in config.yaml, templates, secret files and certificates (fault 27)", () =>
  withCommandLine(async ({ folder, env, run }) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, BOM + TEST_CONFIG);
    await writeTemplates(`${folder}/own`, ({ name, text }) => [name, BOM + text]);
    await Deno.writeTextFile(`${folder}/secret`, `${BOM}truenas\r\n`);
    const { API_PASSWORD: _, ...others } = env;
    const args = ["plan", "--templates-dir", "own", "--json"];
    const planned = await runProgram(args, folder, { ...others, API_PASSWORD_FILE: "secret" });
    assert.equal(planned.code, 0, planned.err);
    assert.equal(JSON.parse(planned.out).totals.vms, 4);
    assert.equal((await run("validate", "--templates-dir", "own")).code, 0);
  }));

/** The templates as the Python tool has them: null where it fills in, and a key of its own about zvols. */
const PYTHON_TEMPLATES: Readonly<Record<string, unknown>> = {
  "vms/vm.json": {
    name: null,
    vcpus: 1,
    cores: null,
    threads: null,
    memory: null,
    bootloader: "UEFI",
    autostart: true,
    ensure_display_device: true,
    shutdown_timeout: 90,
  },
  "devices/display.json": {
    vm: null,
    attributes: { dtype: "DISPLAY", type: "SPICE", bind: "192.168.1.10", port: null, password: null },
    order: 1002,
  },
  "devices/cdrom.json": {
    vm: null,
    attributes: { dtype: "CDROM", path: "/mnt/tank/other.iso" },
    order: 1003,
  },
  "devices/nic.json": { vm: null, attributes: { dtype: "NIC", type: "VIRTIO", nic_attach: null } },
  "devices/disk.json": {
    vm: null,
    attributes: { dtype: "DISK", type: "VIRTIO", create_zvol: true, zvol_name: null, zvol_volsize: null },
  },
};

async function writeTemplates(
  folder: string,
  change: (file: { name: string; text: string }) => [string, string] = ({ name, text }) => [name, text],
): Promise<void> {
  for (const [template, value] of Object.entries(PYTHON_TEMPLATES)) {
    const [name, text] = change({ name: template, text: JSON.stringify(value, null, 4) });
    await Deno.mkdir(`${folder}/${name.split("/")[0]}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
}

const PYTHON_CONFIG = `
x-node: &node
  memory: 2048
  cpu: 2
  network: { system: br0 }
x-notes: [ "ours", { deep: 1 } ]
storage:
  pool_path: "tank/VMs"
  cdrom_path: "/mnt/tank/iso/talos.iso"
controlplane:
  <<: *node
  count: 1
  disk: { system: 20 }
worker:
  <<: [*node, { cpu: 8 }]
  count: 1
  memory: 1024
  disk: { system: 20, storage: 30 }
`;

Deno.test("config.yaml, templates and --templates-dir of the Python tool work unchanged (fault 27)", () =>
  withCommandLine(async ({ simulator, folder, run }) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, PYTHON_CONFIG);
    // There --templates-dir names the directory in which `templates` lies.
    await writeTemplates(`${folder}/tool/templates`);
    const created = await run("create", "--templates-dir", "tool");
    assert.equal(created.code, 0, created.err + created.out);
    const vms = [...simulator.store.vms.values()].map(({ config }) => config);
    assert.deepEqual(vms.map(({ name, memory, cores }) => [name, memory, cores]), [
      ["controlplane01", 2048, 2],
      ["worker01", 1024, 2],
    ]);
    const devices = [...simulator.store.devices.values()].map(({ attributes }) => attributes);
    assert.equal(
      devices.filter(({ dtype, bind }) => dtype === "DISPLAY" && bind === "192.168.1.10").length,
      2,
    );
    assert.equal(
      devices.filter(({ dtype, path }) => dtype === "CDROM" && path === "/mnt/tank/iso/talos.iso").length,
      2,
    );
    assert.equal(devices.filter(({ dtype }) => dtype === "DISK").length, 3);
    assert.equal((await run("plan", "--templates-dir", "tool", "--detailed-exitcode")).code, 0);
  }));

const WEB = TEST_CONFIG.replace(/controlplane:[^]*worker:/, "web:");

Deno.test("a configuration with only web: works on the command line, and one without types says what is missing (fault 28)", () =>
  withCommandLine(async ({ simulator, folder, run }) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, WEB);
    assert.equal((await run("validate")).code, 0);
    assert.equal((await run("create")).code, 0);
    assert.deepEqual([...simulator.store.vms.values()].map(({ config }) => config.name), [
      "web01",
      "web02",
      "web03",
    ]);
    assert.equal((await run("destroy", "--yes")).code, 0);
    assert.equal(simulator.store.vms.size, 0);
    const mistakes = [
      [WEB.replace(/web:[^]*/, ""), /config\.yaml:1:1: There is no VM type; add a section such as worker/],
      [WEB.replace(/storage:[^]*web:/, "web:"), /storage: The storage section is missing/],
      [`${WEB}images:\n  count: 2\n  memory: 1024\n`, /images: images is reserved and cannot be a VM type/],
    ] as const;
    for (const [text, message] of mistakes) {
      await Deno.writeTextFile(`${folder}/config.yaml`, text);
      const { code, err } = await run("plan");
      assert.equal(code, 2);
      assert.match(err, message);
    }
  }));

Deno.test("the dashboard starts with only web: and offers it (fault 28)", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await withFolder(WEB, async (folder) => {
    const program = await startProgram(simulator, folder);
    const page = await fetch(`${program.url}/create`);
    const html = await page.text();
    await program.stop("SIGTERM");
    assert.equal(page.status, 200);
    assert.match(html, /name="web\.count"/);
    assert.doesNotMatch(html, /name="worker\.count"/);
  });
});
