/**
 * Protects the argument by which a guest finds its seed, with those who read it: Python's shlex, by which TrueNAS splits the
 * arguments of a VM, and QEMU, whose SMBIOS table the guest reads.
 */
import assert from "node:assert/strict";
import {
  MAX_ARGS_CHARS,
  seedArgumentOf,
  seedArgumentProblem,
  splitWords,
  withoutSeedArgument,
  withSeedArgument,
} from "../../lib/first_boot/command_line_args.ts";
import { consume } from "../support/consumers.ts";

const TOKEN = "0123456789abcdef".repeat(4);
const URL = `http://192.0.2.10:8110/${TOKEN}/`;

/** What templates have: nothing, plain words, quotations, JSON, spaces at the ends, an SMBIOS of another kind. */
const ARGS = [
  "",
  " ",
  "-cpu host,+x2apic",
  "-device 'virtio-rng-pci,id=a b'  -no-hpet ",
  `-object '{"qom-type":"rng-random","id":"r0"}' -name "quoted \\"name\\" \\\\ $HOME" a\\ b`,
  "-smbios type=1,manufacturer=Acme -smbios 'type=0,vendor=a,,b'",
  `-fw_cfg name=opt/x,string=-smbios#;`,
];

async function shlex(texts: readonly string[]): Promise<string[][]> {
  const script = "import json,shlex,sys; print(json.dumps([shlex.split(text) for text in sys.argv[1:]]))";
  const { code, stdout, stderr } = await consume("python3", ["-c", script, ...texts]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("the argument is added to those of a template, read back and taken away without a trace", async () => {
  const split = await shlex(ARGS.flatMap((args) => [args, withSeedArgument(args, URL)]));
  for (const [n, args] of ARGS.entries()) {
    const added = withSeedArgument(args, URL);
    assert.equal(seedArgumentProblem(args, URL.length), null, args);
    assert.deepEqual(seedArgumentOf(added), { url: URL, token: TOKEN }, args);
    assert.equal(withoutSeedArgument(added), args);
    assert.equal(withSeedArgument(added, URL), added, "once is enough");
    assert.equal(withoutSeedArgument(`${added} -later`), args === "" ? " -later" : `${args} -later`);
    const words = splitWords(added);
    assert.deepEqual(words, split[2 * n + 1]);
    assert.deepEqual(words, [...split[2 * n] ?? [], "-smbios", `type=1,serial=ds=nocloud-net;s=${URL}`]);
  }
  for (const foreign of ARGS) assert.equal(withoutSeedArgument(foreign), foreign);
  assert.equal(seedArgumentOf(`-smbios 'type=1,serial=ds=nocloud-net;s=http://other.lan/seed/'`), null);
});

Deno.test("a template whose arguments leave no place for it is refused with the reason", () => {
  const problem = (args: string) => seedArgumentProblem(args, URL.length) ?? "";
  assert.match(problem("-smbios type=1,serial=ds=nocloud"), /serial number already/);
  assert.match(problem("--smbios 'type=1,uuid=x,serial=a,,b'"), /serial number already/);
  assert.match(problem("-smbios file=/mnt/tank/table"), /SMBIOS file/);
  assert.match(problem("-name 'a"), /without its partner/);
  const room = MAX_ARGS_CHARS - withSeedArgument("x", URL).length + 1;
  assert.equal(problem("x".repeat(room)), "");
  assert.match(problem("x".repeat(room + 1)), /would have 1025 characters, and TrueNAS takes 1024/);
});

/** QEMU's own table, as /sys/firmware/dmi shows it to a guest. */
async function smbiosSerial(args: string): Promise<string> {
  const words = splitWords(args) ?? [];
  const path = await Deno.makeTempFile();
  // The BIOS has copied the tables to memory when it begins to boot; the monitor dumps the memory.
  const child = new Deno.Command("qemu-system-x86_64", {
    args: [
      ..."-M pc -accel tcg -m 16 -display none -nodefaults -serial none -monitor stdio".split(" "),
      ...words,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const say = (line: string) => writer.write(new TextEncoder().encode(`${line}\n`));
  try {
    for (let n = 0; n < 50; n++) {
      await say(`pmemsave 0 0x1000000 "${path}"`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const memory = new TextDecoder("latin1").decode(await Deno.readFile(path));
      const found = /ds=nocloud-net;s=[^\0]*/.exec(memory);
      if (found !== null) return found[0];
    }
    return "";
  } finally {
    await say("quit").catch(() => {});
    await writer.close().catch(() => {});
    await child.status;
    await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    await Deno.remove(path);
  }
}

Deno.test("QEMU's guest finds the address in its SMBIOS, beside what the template says", async () => {
  const others = "-smbios type=1,manufacturer=Acme -smbios 'type=0,vendor=a,,b'";
  const withComma = URL.replace("8110/", "8110/x,y/");
  assert.equal(await smbiosSerial(withSeedArgument(others, withComma)), `ds=nocloud-net;s=${withComma}`);
});
