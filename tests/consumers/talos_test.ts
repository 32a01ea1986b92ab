/**
 * Protects machine configurations: each node's file is valid for talosctl of that Talos version, by Talos's own
 * published schemas, if these are next to the project. Otherwise the test names say so, and only the documents
 * themselves are checked.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { Ajv2020 } from "../support/packages/ajv.ts";
import { parseAllDocuments } from "../../lib/configuration/yaml.ts";
import { TALOS_VERSIONS, type TalosVersion } from "../../lib/exports/names.ts";
import { toTalos } from "../../lib/exports/talos.ts";
import { type GivenAddresses, nodeOfVm } from "../../lib/exports/nodes.ts";
import { tar } from "../../lib/exports/tar.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { unpacked } from "../support/consumers.ts";
import { FOREIGN } from "../unit/plan/plan_samples.ts";

const SCHEMAS = new URL("../../../shared/facts/guests/", import.meta.url);

function schemaOf(version: TalosVersion): URL | null {
  const file = new URL(`talos-${version}.schema.json`, SCHEMAS);
  return existsSync(file) ? file : null;
}

function vm(name: string, macs: readonly string[], bus: "VIRTIO" | "AHCI" = "VIRTIO"): Vm {
  return {
    ...FOREIGN,
    name,
    nics: macs.map((mac, n) => ({ deviceId: n, attach: "br0", mac, ip: null })),
    disks: [
      { deviceId: 9, path: "", zvol: null, sizeBytes: null, sparse: null, mark: null, bus, order: 1001 },
    ],
  };
}

/** One has a static address, the others get theirs by DHCP. */
const GIVEN: GivenAddresses = new Map([
  ["worker02", [{ address: "10.0.0.22", prefix: 24, gateway: "10.0.0.1", dns: ["10.0.0.53", "fd00::53"] }]],
]);

const NODES = [
  vm("worker01", ["52:54:00:12:34:56", "52:54:00:12:34:57"]),
  vm("worker02", ["52:54:00:12:34:58"], "AHCI"),
  vm("no", []),
  vm("_vm", ["52:54:00:12:34:59"]),
  vm("Worker01", ["52:54:00:12:34:60"]),
].map((it) => nodeOfVm(it, GIVEN));

interface Document {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly version?: string;
  readonly hostname?: string;
  readonly auto?: string;
  readonly machine?: {
    readonly install?: { readonly disk: string };
    readonly network?: { readonly hostname: string };
  };
}

function documentsOf(text: string): Document[] {
  return parseAllDocuments(text, { version: "1.1" }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Document;
  });
}

for (const version of TALOS_VERSIONS) {
  const schema = schemaOf(version);
  const how = schema === null ? "its schema is not there, so by shape alone" : "by its own schema";
  Deno.test(`Talos ${version} accepts one file per node, ${how} (fault 22)`, () => {
    const { files, leftOut, notices } = toTalos(NODES, { version });
    assert.deepEqual(files.map(({ name }) => name), [
      "worker01.yaml",
      "worker02.yaml",
      "no.yaml",
      "left-out.txt",
    ]);
    assert.deepEqual(leftOut.map(({ name }) => name), ["_vm", "Worker01"]);
    const isValid = schema === null ? null : new Ajv2020({ strict: false, formats: { uri: true } }).compile(
      JSON.parse(readFileSync(schema, "utf8")),
    );
    for (const [index, { name, text }] of files.slice(0, 3).entries()) {
      const documents = documentsOf(text);
      for (const document of documents) {
        assert.equal(document.apiVersion ?? document.version, "v1alpha1", name);
        if (isValid !== null) assert.ok(isValid(document), `${name}: ${JSON.stringify(isValid.errors)}`);
      }
      const names = documents.map(({ hostname, machine }) => hostname ?? machine?.network?.hostname);
      assert.deepEqual(names.filter((it) => it !== undefined), [["worker01", "worker02", "no"][index]]);
      const kinds = documents.map(({ kind }) => kind);
      const isStatic = index === 1;
      for (const part of ["10.0.0.22/24", "10.0.0.1", "10.0.0.53", "fd00::53"]) {
        assert.equal(text.includes(`"${part}"`), isStatic, `${name}: ${part}`);
      }
      const usesDhcp = kinds.includes("DHCPv4Config") || text.includes("dhcp: true");
      assert.equal(usesDhcp, index === 0, "a static address needs no DHCP");
      assert.equal(
        kinds.includes("HostnameConfig"),
        version !== "1.11",
        "from 1.12 on it has its own document",
      );
      const disks = documents.flatMap(({ machine }) => machine?.install?.disk ?? []);
      const disk = ["/dev/vda", "/dev/sda", "/dev/vda"][index] ?? "";
      if (version === "1.14" || version === "1.15") {
        assert.deepEqual(disks, [], "machine.install is refused beside UnattendedInstallConfig");
        assert.ok(text.includes(`talosctl gen config --install-disk ${disk}\n`));
        assert.ok(notices?.some((it) => it.endsWith(`--install-disk ${disk}`)));
      } else assert.deepEqual(disks, [disk]);
    }
  });
}

Deno.test("a host name given to Talos is quoted and replaces the automatic one (fault 22)", () => {
  const { files } = toTalos(NODES, { version: "1.12" });
  assert.match(files[0]?.text ?? "", /^kind: "HostnameConfig"\nauto: "off"\nhostname: "worker01"$/m);
});

Deno.test("tar unpacks the downloaded archive to the same files (fault 22)", async () => {
  const { files } = toTalos(NODES);
  assert.deepEqual(
    await unpacked(tar(files)),
    Object.fromEntries(files.map(({ name, text }) => [name, text])),
  );
});
