/**
 * Protects programs on Node and Deno that install the library as an npm package: the package is built, installed into an
 * empty folder, checked by TypeScript and run.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { pack } from "../../packaging/npm/pack.ts";
import { TSC } from "../../packaging/npm/typescript.ts";
import { makeCertificates } from "../support/network/certificates.ts";
import { NODE, NODE_TYPES } from "../support/packages/node.ts";

const CONSUMER = new URL("library/consumer.ts", import.meta.url);

/** What TypeScript has to be told at least. */
const TSCONFIG = {
  compilerOptions: {
    target: "es2022",
    module: "nodenext",
    lib: ["esnext", "dom"],
    types: ["node"],
    strict: true,
    noEmit: true,
  },
  files: ["consumer.ts"],
};

const EXPECTED = `ws
planned 2 2048 MiB
created done node01=created node02=created 2
uploaded done 3145728
journal 2 finished
destroyed done node01=destroyed node02=destroyed 0
refused: refused, nothing is listening there
wss
planned 2 2048 MiB
created done node01=created node02=created 2
uploaded done 3145728
journal 2 finished
destroyed done node01=destroyed node02=destroyed 0
without the CA: tls-unknown-issuer, the NAS's certificate is not signed by a trusted CA
without TLS: not-truenas, the server is not TrueNAS
unix
planned 2 2048 MiB
created done node01=created node02=created 2
journal 1 finished
destroyed done node01=destroyed node02=destroyed 0
done
`;

const NPM_OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund"];

Deno.test("the npm package works in Node 22 and in Deno, with its types", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true, "type": "module" }');
    await Deno.writeTextFile(`${folder}/tsconfig.json`, JSON.stringify(TSCONFIG));
    const source = (await Deno.readTextFile(CONSUMER))
      .replace("../../../lib/mod.ts", "truenas-vm-manager")
      .replace("../../../lib/simulator/simulator.ts", "truenas-vm-manager/simulator");
    await Deno.writeTextFile(`${folder}/consumer.ts`, source);
    await writeCertificates(folder);
    const tools = run(folder, "npm", "install", ...NPM_OPTIONS, NODE, NODE_TYPES);
    let packed = "";
    await t.step("it is built", async () => {
      packed = await pack(folder);
    });
    await t.step("npm installs it", async () => {
      await tools;
      await run(folder, "npm", "install", ...NPM_OPTIONS, packed);
    });
    await t.step("its types are complete", async () => {
      await run(folder, process.execPath, "run", "-A", TSC, "-p", ".");
    });
    await t.step("it works in Node", async () => {
      const node = `${folder}/node_modules/${NODE.replace(/@[^@]*$/, "")}/bin/node`;
      assert.equal(await run(folder, node, "consumer.ts", await made(`${folder}/node`)), EXPECTED);
    });
    await t.step("it works in Deno", async () => {
      const args = ["run", "-A", "--no-prompt", "--node-modules-dir=manual", "consumer.ts"];
      assert.equal(await run(folder, process.execPath, ...args, await made(`${folder}/deno`)), EXPECTED);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function writeCertificates(folder: string): Promise<void> {
  const { good, ca } = await makeCertificates();
  for (const [name, text] of Object.entries({ ...good, ca })) {
    await Deno.writeTextFile(`${folder}/${name}.pem`, text);
  }
}

async function made(folder: string): Promise<string> {
  await Deno.mkdir(folder);
  return folder;
}

async function run(cwd: string, program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args], cwd }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${decode(stdout)}${decode(stderr)}`);
  return decode(stdout);
}
