/** Protects the templates: their results, that each result is a copy, and that an invalid file is named. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "../support/packages/fast_check.ts";
import { ConfigurationError, TrueNASError } from "../../lib/errors/errors.ts";
import { TemplateManager } from "../../lib/template_manager.ts";

const DEFAULTS = new URL("../../templates", import.meta.url).pathname;

function withTemplates(change: (folder: string) => void, test: (folder: string) => void): void {
  const folder = mkdtempSync(`${tmpdir()}/templates-test-`);
  try {
    for (const kind of ["vms", "devices"]) {
      cpSync(`${DEFAULTS}/${kind}`, `${folder}/${kind}`, { recursive: true });
    }
    change(folder);
    test(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test("the embedded templates are accepted by every TrueNAS release", () => {
  const templates = new TemplateManager();
  assert.equal(templates.basePath, null);
  const spec = templates.createVmSpec("worker01", 4, 2, 8192);
  assert.deepEqual([spec.name, spec.vcpus, spec.cores, spec.threads, spec.memory], [
    "worker01",
    1,
    4,
    2,
    8192,
  ]);
  assert.ok(!("enable_secure_boot" in spec), "no secure boot unless asked for");
  assert.deepEqual(templates.createDisplayDevice(7, 5920, "pw").attributes, {
    dtype: "DISPLAY",
    type: "SPICE",
    resolution: "1024x768",
    bind: "0.0.0.0",
    web: true,
    wait: false,
    port: 5920,
    password: "pw",
  });
  assert.equal(templates.createDisplayDevice(7, 5920, "pw", 7920).attributes.web_port, 7920);
  assert.deepEqual(
    templates.createNicDevice(7, "br0", "02-00-00-AA-BB-01").attributes.mac,
    "02:00:00:aa:bb:01",
  );
  assert.ok(!("mac" in templates.createNicDevice(7, "br0").attributes));
  const disk = templates.createDiskDevice(7, "tank/vms/a", 1024);
  assert.deepEqual(disk.attributes, {
    dtype: "DISK",
    type: "VIRTIO",
    create_zvol: true,
    zvol_name: "tank/vms/a",
    zvol_volsize: 1024,
  });
  const cdrom = templates.createCdromDevice(7, "/mnt/tank/iso/a.iso");
  assert.ok((disk.order ?? 0) < (cdrom.order ?? 0), "the disk boots before the CD-ROM");
  for (const release of ["24.04.2", "24.10.1", "25.04.2", "25.10.7", "26.0", "27.0.0", "99.1"]) {
    templates.checkVersion(release);
  }
});

Deno.test("every result is a separate copy", () => {
  const templates = new TemplateManager();
  const first = templates.createDiskDevice(1, "a", 1);
  first.attributes.type = "AHCI";
  first.attributes.extra = true;
  const spec = templates.createVmSpec("a", 1, 1, 20);
  spec.bootloader = "UEFI_CSM";
  assert.equal(templates.createDiskDevice(1, "a", 1).attributes.type, "VIRTIO");
  assert.ok(!("extra" in templates.createDiskDevice(1, "a", 1).attributes));
  assert.equal(templates.createVmSpec("a", 1, 1, 20).bootloader, "UEFI");
});

Deno.test("a custom directory replaces the templates, and is read once", () =>
  withTemplates(
    (folder) => writeFileSync(`${folder}/vms/vm.json`, '{"vcpus": 2, "enable_secure_boot": true}'),
    (folder) => {
      const templates = new TemplateManager(`${folder}/`);
      rmSync(`${folder}/vms/vm.json`);
      const { vcpus, enable_secure_boot: secureBoot } = templates.createVmSpec("a", 1, 1, 20);
      assert.deepEqual([vcpus, secureBoot], [2, true]);
      templates.checkVersion("25.10.7");
      assert.throws(
        () => templates.checkVersion("24.10.2"),
        /vms\/vm\.json: enable_secure_boot: TrueNAS 24\.10 refuses/,
      );
    },
  ));

const BAD_FILES: readonly (readonly [file: string, text: string | null, message: RegExp])[] = [
  ["devices/nic.json", null, /devices\/nic\.json: There is no such template file/],
  ["devices/disk.json", '{\n  "attributes": {,}\n}', /devices\/disk\.json:2:\d+: Invalid JSON/],
  ["devices/disk.json", '{"attributes": ', /devices\/disk\.json:1:16: Invalid JSON/],
  ["devices/disk.json", "", /devices\/disk\.json:1:1: Invalid JSON/],
  [
    "devices/disk.json",
    '{\n  "order": nope,\n  "attributes": {}\n}',
    /disk\.json:2:13: Invalid JSON: .*'o'$/,
  ],
  ["devices/disk.json", "position 9 x\n\n", /devices\/disk\.json:1:1: Invalid JSON/],
  ["devices/disk.json", '{"attributes": {}}\n}', /devices\/disk\.json:2:1: Invalid JSON/],
  ["vms/vm.json", '{"memory": 19}', /vms\/vm\.json: memory: /],
  [
    "vms/vm.json",
    '{"name": "a", "enable_secureboot": true}',
    /refuses the key "enable_secureboot"; remove it/,
  ],
  ["devices/nic.json", '{"attributes": {"dtype": "NIC"}, "order": 1.5}', /devices\/nic\.json: order: /],
  ["devices/nic.json", '{"order": 1}', /devices\/nic\.json: attributes: /],
  [
    "vms/vm.json",
    '{"nonsense": 1}',
    /vms\/vm\.json: nonsense: Every TrueNAS release refuses the key "nonsense"/,
  ],
  ["vms/vm.json", '{"vcpus": "2"}', /vms\/vm\.json: vcpus: /],
  ["vms/vm.json", "[]", /vms\/vm\.json: /],
  ["devices/display.json", '{"attributes": {"dtype": "DISPLAY", "sound": true}}', /display\.json: sound: /],
  ["devices/cdrom.json", '{"attributes": {"dtype": "DISK"}}', /cdrom\.json: attributes\.dtype: /],
  ["devices/cdrom.json", '{"dtype": "CDROM", "attributes": {"dtype": "CDROM"}}', /Unknown key "dtype"/],
];

Deno.test("an invalid template is named, with line and column for JSON errors", () => {
  for (const [file, text, message] of BAD_FILES) {
    withTemplates(
      (folder) => text === null ? rmSync(`${folder}/${file}`) : writeFileSync(`${folder}/${file}`, text),
      (folder) =>
        assert.throws(() => new TemplateManager(folder), (error) => {
          assert.ok(error instanceof ConfigurationError && error instanceof TrueNASError);
          assert.match(error.message, message);
          return true;
        }),
    );
  }
});

Deno.test("with a version, only its keys are allowed", () =>
  withTemplates(
    (folder) =>
      writeFileSync(
        `${folder}/devices/nic.json`,
        '{"attributes": {"dtype": "NIC", "pci_address": {"bus": 1, "slot": 2}}}',
      ),
    (folder) => {
      assert.ok(new TemplateManager(folder, { version: "27.0" }));
      assert.throws(
        () => new TemplateManager(folder, { version: "25.10" }),
        /TrueNAS 25\.10 refuses the key "pci_address"/,
      );
    },
  ));

Deno.test("the position of a JSON error is its first wrong character", () =>
  withTemplates(() => {}, (folder) => {
    const value = fc.jsonValue({ maxDepth: 3 }).map((it) => JSON.stringify([it, it], null, 2));
    fc.assert(
      fc.property(value, fc.nat(), (good, drawn) => {
        // No string is cut between lines, so the character is wrong anywhere there.
        const ends = [...good.matchAll(/\n/g)].map(({ index }) => index);
        const at = ends[drawn % ends.length] ?? 0;
        const bad = `${good.slice(0, at)}@${good.slice(at)}`;
        writeFileSync(`${folder}/devices/nic.json`, bad);
        const before = bad.slice(0, at).split("\n");
        const place = `nic.json:${before.length}:${(before.at(-1) ?? "").length + 1}: Invalid JSON`;
        assert.throws(() => new TemplateManager(folder), (error) => {
          assert.ok(error instanceof ConfigurationError);
          assert.ok(error.message.includes(place), `${error.message} has ${place}`);
          return true;
        });
      }),
      { numRuns: 50 },
    );
  }));

Deno.test("an unreadable or missing template is named with the reason", () => {
  withTemplates(
    (folder) => {
      rmSync(`${folder}/devices/nic.json`);
      mkdirSync(`${folder}/devices/nic.json`);
    },
    (folder) =>
      assert.throws(() => new TemplateManager(folder), /devices\/nic\.json: The file cannot be read: /),
  );
  assert.throws(() => new TemplateManager("no-such-folder"), /no-such-folder\/vms\/vm\.json: /);
});

Deno.test("nested objects of a template are copied each time", () =>
  withTemplates(
    (folder) => {
      const attributes = { dtype: "NIC", pci_address: { bus: 1, slot: 2 } };
      writeFileSync(`${folder}/devices/nic.json`, JSON.stringify({ attributes }));
    },
    (folder) => {
      const templates = new TemplateManager(folder);
      const first = templates.createNicDevice(1, "br0").attributes.pci_address;
      assert.deepEqual(first, { bus: 1, slot: 2 }, "the premise");
      Object.assign(first, { bus: 9 });
      const second = templates.createNicDevice(1, "br0");
      assert.deepEqual(second.attributes.pci_address, { bus: 1, slot: 2 });
      assert.ok(!("order" in second), "a template without an order leaves it to the NAS");
    },
  ));

Deno.test("requested values override the template", () =>
  withTemplates(
    (folder) => {
      writeFileSync(
        `${folder}/vms/vm.json`,
        '{"name": "old", "cores": 8, "memory": 512, "description": "kept"}',
      );
      const attributes = { dtype: "DISK", zvol_name: "tank/old", create_zvol: false };
      writeFileSync(`${folder}/devices/disk.json`, JSON.stringify({ attributes, order: 7 }));
    },
    (folder) => {
      const templates = new TemplateManager(folder);
      assert.deepEqual(templates.createVmSpec("new", 2, 1, 1024), {
        name: "new",
        cores: 2,
        threads: 1,
        memory: 1024,
        description: "kept",
      });
      assert.deepEqual(templates.createDiskDevice(3, "tank/new", 10), {
        vm: 3,
        attributes: { dtype: "DISK", zvol_name: "tank/new", create_zvol: true, zvol_volsize: 10 },
        order: 7,
      });
    },
  ));
