/** Protects `export` as scripts use it: standard output contains only the file, and remarks are on standard error. */
import assert from "node:assert/strict";
import { parse } from "../../../lib/configuration/yaml.ts";
import { withCommandLine } from "../../support/program/command_line.ts";

Deno.test("export writes each format to standard output or a file, and lists omitted VMs on standard error (fault 22)", () =>
  withCommandLine(async ({ run, folder, simulator }) => {
    assert.equal((await run("create", "worker")).code, 0);
    const [foreign] = simulator.store.vms.values();
    assert.ok(foreign);
    foreign.config.name = "_odd";
    const dnsmasq = await run("export", "--format", "dnsmasq");
    assert.equal(dnsmasq.code, 0, dnsmasq.err);
    assert.match(dnsmasq.out, /^# "_odd" was left out: /);
    assert.match(dnsmasq.out, /^dhcp-host=02:[0-9a-f:]{14},worker03$/m);
    assert.match(dnsmasq.err, /"_odd" was left out: a host name has at most 63 letters/);
    const csv = await run("export", "worker", "--format", "csv");
    assert.match(csv.out, /^name,type,nic,network,mac,ip\r\nworker01,worker,0,br0,02:[0-9a-f:]{14},\r\n/);
    assert.equal(csv.out.split("\r\n").length, 2 + 3 * 2);
    const kea = await run("export", "worker", "--format", "kea", "--output", "kea.json");
    assert.equal(kea.code, 0, kea.err);
    assert.equal(kea.out, "");
    const { Dhcp4 } = JSON.parse(await Deno.readTextFile(`${folder}/kea.json`));
    assert.deepEqual(
      Dhcp4.reservations.map(({ hostname }: { hostname: string }) => hostname),
      ["worker01", "worker01-nic1", "worker02", "worker02-nic1", "worker03", "worker03-nic1"],
    );
    const ansible = await run("export", "--format", "ansible", "--output", folder);
    assert.equal(ansible.code, 0, ansible.err);
    const inventory = parse(await Deno.readTextFile(`${folder}/inventory.yaml`));
    assert.deepEqual(Object.keys(inventory.all.children.worker.hosts), ["worker01", "worker02", "worker03"]);
    const json = JSON.parse((await run("export", "worker", "--format", "json")).out);
    assert.equal(json.nodes.length, 3);
  }, { foreignVms: 1 }));

Deno.test("export --format talos writes one file per node into a folder, for the given version (fault 22)", () =>
  withCommandLine(async ({ run, folder }) => {
    const planned = ["export", "worker", "--planned", "--format", "talos", "--output", "patches/new"];
    const old = await run(...planned, "--talos-version", "1.11.3");
    assert.equal(old.code, 0, old.err);
    const files = await Array.fromAsync(Deno.readDir(`${folder}/patches/new`), ({ name }) => name);
    assert.deepEqual(files.sort(), ["worker01.yaml", "worker02.yaml", "worker03.yaml"]);
    const read = () => Deno.readTextFile(`${folder}/patches/new/worker02.yaml`);
    assert.equal(parse(await read()).machine.network.hostname, "worker02");
    const newest = await run(...planned);
    assert.equal(newest.code, 0, newest.err);
    assert.match(await read(), /^kind: "HostnameConfig"$/m);
    assert.match(newest.err, /talosctl gen config --install-disk \/dev\/vda/);
  }));

Deno.test("export with wrong arguments exits with 2 and writes nothing (fault 22)", () =>
  withCommandLine(async ({ run, folder }) => {
    for (
      const [args, said] of [
        [[], /--format must be csv, json, dnsmasq, isc, kea, ansible, talos/],
        [["--format", "xml"], /found "xml"/],
        [["--format", "talos"], /name their folder with --output/],
        [["--format", "talos", "--output", "x", "--talos-version", "1.9"], /--talos-version must be 1\.11,/],
        [["--format", "csv", "--talos-version", "1.13"], /--talos-version requires --format talos/],
        [["wroker", "--format", "csv", "--output", "x"], /No VM has the type "wroker"/],
      ] as const
    ) {
      const { code, out, err } = await run("export", ...args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(out, "");
      assert.match(err, said);
    }
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names, ["config.yaml"]);
    const lost = await run("export", "--format", "csv", "--output", "no/such/file.csv");
    assert.equal(lost.code, 1);
    assert.match(
      lost.err,
      /Cannot write the export to no\/such\/file\.csv: no such file or folder/,
    );
  }));
