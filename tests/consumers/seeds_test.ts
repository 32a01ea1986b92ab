/**
 * Protects guests: what seeds contain is valid for the programs that read them. cloud-init itself checks what it is given and
 * turns it into network configurations; the published schemas of cloud-init, Talos and Ignition check the rest, where they are
 * next to the project. Otherwise the test names say so. The examples of docs/first-boot.md are among what is checked.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "../support/packages/ajv.ts";
import { Ajv2020 } from "../support/packages/ajv.ts";
import { parse, parseAllDocuments } from "../../lib/configuration/yaml.ts";
import { TALOS_VERSIONS, type TalosVersion } from "../../lib/exports/names.ts";
import { renderSeed, seedHostname } from "../../lib/first_boot/rendering/render_seed.ts";
import type { SeedFacts, SeedFiles } from "../../lib/first_boot/rendering/seed.ts";
import { readSeedTexts } from "../../lib/first_boot/rendering/seed_texts.ts";
import type { SeedSection } from "../../lib/first_boot/types.ts";
import { expectAccepted } from "../support/consumers.ts";
import { documentedSeeds } from "../support/vms/documented_seeds.ts";
import { withFolder } from "../support/folder.ts";
import { generatedTalos, generatedTalosInDocuments } from "../support/vms/talos_samples.ts";
import { FACTS, KEY } from "../unit/first_boot/seed_samples.ts";

const SCHEMAS = new URL("../../../shared/facts/guests/", import.meta.url);
const HOW = existsSync(SCHEMAS)
  ? "by the published schemas"
  : "whose schemas are not there, so by its programs alone";

/** null without the schemas. */
function schema(
  name: string,
  compiler: { compile(schema: object): ValidateFunction },
): ValidateFunction | null {
  const file = new URL(`${name}.schema.json`, SCHEMAS);
  if (!existsSync(file)) return null;
  // Older drafts have nothing that the validator does not know.
  const { $schema: _, ...rest } = JSON.parse(readFileSync(file, "utf8"));
  return compiler.compile(rest);
}

const lenient = () => new Ajv({ strict: false, validateFormats: false });

function expectValid(validate: ValidateFunction | null, value: unknown, text: string): void {
  if (validate === null) return;
  assert.ok(validate(value), `${JSON.stringify(validate.errors, null, 1)}\n${text}`);
}

async function rendered(section: SeedSection, facts: SeedFacts, files: Readonly<Record<string, string>>) {
  const reading: SeedFiles = {
    read: (path) => Promise.resolve(files[path] ?? assert.fail(`${path} is not there`)),
    keysOf: () => Promise.resolve(`${KEY}\n`),
  };
  const hostname = seedHostname(section, facts);
  return renderSeed(section, { ...facts, hostname }, await readSeedTexts(section, reading)).files;
}

function part(files: ReadonlyMap<string, string>, name: string): string {
  return files.get(name) ?? assert.fail(`there is no ${name}`);
}

const DHCP: SeedFacts = { ...FACTS, ip: null, addresses: {}, macs: { lan: "02:00:5e:10:00:01" } };

Deno.test(`cloud-init accepts seeds, ${HOW}`, async () => {
  const cloudConfig = schema("cloud-init-cloud-config-v1", lenient());
  const network = schema("cloud-init-network-config-v2", lenient());
  const sections: readonly (readonly [SeedSection, Record<string, string>])[] = [
    [{ kind: "cloud-init" }, {}],
    [{
      kind: "cloud-init",
      user: "admin",
      ssh_keys: [KEY, "github:some-one"],
      timezone: "Europe/Berlin",
      packages: ["curl", "qemu-guest-agent"],
      run: ["echo '{{ vm.name }}: \"{{ vm.mac.lan }}\"' > /etc/motd", "true"],
    }, {}],
    [{ kind: "cloud-init", ssh_keys: [KEY], user_data: "own.yaml" }, {
      "own.yaml": "#cloud-config\npackages: [vim]\nhostname: {{ vm.hostname }}\n",
    }],
  ];
  const documented = documentedSeeds().flatMap(({ configuration, files }) =>
    Object.values(configuration.types).flatMap(({ seed }) =>
      seed?.kind === "cloud-init" ? [[seed, files] as const] : []
    )
  );
  assert.equal(documented.length, 2);
  await withFolder(async (folder) => {
    for (const [index, [section, files]] of [...sections, ...documented].entries()) {
      for (const facts of [FACTS, DHCP]) {
        // A variable for a static address is refused where there is none.
        if (facts === DHCP && JSON.stringify(files).includes("vm.ip")) continue;
        const seed = await rendered(section, facts, files);
        for (const name of ["user-data", "vendor-data"]) {
          const text = part(seed, name);
          assert.match(text, /^#cloud-config\n/);
          const path = `${folder}/${name}-${index}.yaml`;
          await Deno.writeTextFile(path, text);
          // A setting of cloud-init's own configuration, which its schema of user data does not have.
          const { manual_cache_clean: _, ...values } = parse(text, { version: "1.1" }) ?? {};
          expectValid(cloudConfig, values, text);
          const hasValues = name === "user-data" || section.user_data !== undefined;
          if (facts === FACTS && hasValues) await expectAccepted("cloud-init", ["schema", "-c", path], text);
        }
        assert.deepEqual(parse(part(seed, "meta-data")), {
          "instance-id": FACTS.instanceId,
          "local-hostname": "worker01",
        });
        assert.equal(parse(part(seed, "vendor-data")).manual_cache_clean, true);
        const text = seed.get("network-config");
        assert.equal(
          text === undefined,
          facts === DHCP,
          "one card with DHCP is what guests do by themselves",
        );
        if (text === undefined) continue;
        // The schema is of the mapping below network, which files of a seed leave out.
        expectValid(network, parse(text), text);
      }
    }
  });
});

Deno.test("cloud-init turns static addresses into what each kind of system reads", () =>
  withFolder(async (folder) => {
    const text = part(await rendered({ kind: "cloud-init" }, FACTS, {}), "network-config");
    await Deno.writeTextFile(`${folder}/network.yaml`, text);
    const kinds = [["netplan", "ubuntu"], ["eni", "debian"], ["sysconfig", "rocky"], [
      "networkd",
      "arch",
    ]] as const;
    for (const [kind, distro] of kinds) {
      const macs = Object.values(FACTS.macs).flatMap((mac, n) => ["-m", `eth${n},${mac}`]);
      const args = [
        "-p",
        `${folder}/network.yaml`,
        "-k",
        "yaml",
        "-d",
        `${folder}/${kind}`,
        "-D",
        distro,
        "-O",
        kind,
      ];
      await expectAccepted("cloud-init", ["devel", "net-convert", ...args, ...macs], text);
      const all = (await filesBelow(`${folder}/${kind}`)).join("\n");
      for (const wanted of ["10.0.0.21", "10.0.0.1", FACTS.macs.lan ?? "", "eth0"]) {
        assert.ok(all.includes(wanted), `${kind}: ${wanted}\n${all}`);
      }
    }
  }));

async function filesBelow(folder: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    texts.push(...isDirectory ? await filesBelow(path) : [await Deno.readTextFile(path)]);
  }
  return texts;
}

interface TalosDocument {
  readonly kind?: string;
  readonly name?: string;
  readonly machine?: {
    readonly install?: { readonly disk: string };
    readonly network?: { readonly hostname?: string; readonly interfaces?: readonly unknown[] };
    readonly files?: readonly { readonly content: string; readonly permissions: number }[];
  };
}

function talosDocuments(text: string): TalosDocument[] {
  return parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, [], text);
    return document.toJS() as TalosDocument;
  });
}

const PATCH = `machine:
  install:
    wipe: true
cluster:
  network:
    podSubnets: [10.200.0.0/16]
`;

for (const version of TALOS_VERSIONS) {
  Deno.test(`Talos ${version} accepts the machine configuration of a node, ${HOW}`, async () => {
    const validate = schema(`talos-${version}`, new Ajv2020({ strict: false, validateFormats: false }));
    const inDocuments = version === "1.15";
    const config = inDocuments ? generatedTalosInDocuments("worker") : generatedTalos(version, "worker");
    const section: SeedSection = {
      kind: "talos",
      config: "worker.yaml",
      ...(inDocuments ? { version } : { patches: ["patch.yaml"] }),
    };
    const files = await rendered(section, FACTS, { "worker.yaml": config, "patch.yaml": PATCH });
    const text = part(files, "user-data");
    const documents = talosDocuments(text);
    for (const document of documents) expectValid(validate, document, text);
    const identities = documents.map(({ kind = "v1alpha1", name = "" }) => `${kind} ${name}`);
    assert.equal(new Set(identities).size, identities.length, "Talos refuses a document that is there twice");
    expectTalosNode(version, documents, text);
    assert.deepEqual([...files.keys()].toSorted(), ["meta-data", "user-data"]);
  });
}

function expectTalosNode(version: TalosVersion, documents: readonly TalosDocument[], text: string): void {
  const main = documents.find(({ kind }) => kind === undefined)?.machine;
  if (version === "1.11") assert.equal(main?.network?.hostname, "worker01");
  else assert.match(text, /kind: "?HostnameConfig"?\nauto: "off".*\nhostname: "worker01"/);
  assert.match(text, /12:00:50:10:00:01/);
  assert.match(text, /"10\.0\.0\.21\/24"/);
  if (version === "1.15") return;
  assert.equal(main?.install?.disk, "/dev/vda");
  assert.equal(main?.files?.[0]?.content, "role = worker # {{ .Other }}\nnode = worker01\n");
  assert.match(text, /permissions: 0o644\n/, "numbers keep their text");
  assert.match(text, /wipe: true/);
  assert.match(text, /podSubnets:\s*\[ ?10\.200\.0\.0\/16 ?\]/, "a patch replaces the subnets");
}

Deno.test(`the documented Talos cluster and Flatcar nodes are accepted, ${HOW}`, async () => {
  const talos = schema("talos-1.13", new Ajv2020({ strict: false, validateFormats: false }));
  const ignition = schema("ignition-3.4", lenient());
  const generated = {
    "seeds/controlplane.yaml": generatedTalos("1.13", "controlplane"),
    "seeds/worker.yaml": generatedTalos("1.13", "worker"),
  };
  const kinds: string[] = [];
  for (const { configuration, files } of documentedSeeds()) {
    for (const { seed } of Object.values(configuration.types)) {
      if (seed === undefined || seed.kind === "cloud-init") continue;
      kinds.push(seed.kind);
      const text = part(await rendered(seed, FACTS, { ...generated, ...files }), "user-data");
      if (seed.kind === "talos") { for (const it of talosDocuments(text)) expectValid(talos, it, text); }
      else expectIgnition(ignition, text);
    }
  }
  assert.deepEqual(kinds, ["talos", "talos", "ignition"]);
});

function expectIgnition(validate: ValidateFunction | null, text: string): void {
  const config = JSON.parse(text);
  expectValid(validate, config, text);
  const source = (path: string) =>
    decodeURIComponent(
      config.storage.files.find((file: { path: string }) => file.path === path).contents.source.slice(
        "data:,".length,
      ),
    );
  assert.equal(source("/etc/hostname"), "worker01\n");
  assert.match(
    source("/etc/systemd/network/00-lan.network"),
    /Address=10.0.0.21\/24\nGateway=10.0.0.1\nDNS=10.0.0.1\n/,
  );
  assert.deepEqual(config.passwd.users, [{ name: "core", sshAuthorizedKeys: [KEY] }]);
  assert.match(config.systemd.units[0].contents, /Description=Web server of worker01\n/);
}
