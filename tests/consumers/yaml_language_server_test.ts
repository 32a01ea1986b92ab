/** Protects those who write config.yaml in an editor: the language server reads our schema, completes keys and underlines faults. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { configurationSchema } from "../../lib/configuration/editing/json_schema.ts";
import { withFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SERVER = `${ROOT}tests/support/packages/yaml_language_server.ts`;

Deno.test("the schema that is shipped is the program's own, and the example names it", async () => {
  const shipped = JSON.parse(await Deno.readTextFile(`${ROOT}docs/config.schema.json`));
  assert.deepEqual(shipped, configurationSchema(), "run `deno task schema`");
  const example = await Deno.readTextFile(`${ROOT}config.yaml`);
  assert.match(example, /^# yaml-language-server: \$schema=docs\/config\.schema\.json$/m);
});

Deno.test("yaml-language-server accepts the example, underlines what is wrong, and completes keys with their help", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/docs`);
    await Deno.copyFile(`${ROOT}docs/config.schema.json`, `${folder}/docs/config.schema.json`);
    const example = await Deno.readTextFile(`${ROOT}config.yaml`);
    await using editor = await openEditor(folder);
    assert.deepEqual(await editor.diagnose("config.yaml", example), []);
    const wrong = example.replace("memory: 4096 # MiB", "memory: 4").replace(
      "    lan: br0",
      "    lan: br0\n  disc: 3",
    );
    const said = await editor.diagnose("wrong.yaml", wrong);
    assert.equal(said.length, 2, JSON.stringify(said));
    assert.match(said.join("\n"), /minimum of 20/);
    assert.match(said.join("\n"), /Property disc is not allowed/);
    const lines = example.replace("  count: 1 #", "  t\n  count: 1 #").split("\n");
    const place = { line: lines.indexOf("  t"), character: 3 };
    const offered = await editor.complete("more.yaml", lines.join("\n"), place);
    assert.ok(
      offered.some(({ label }) => label === "autostart"),
      offered.map(({ label }) => label).join(" "),
    );
    const { documentation } = offered.find(({ label }) => label === "threads") ?? {};
    assert.match(JSON.stringify(documentation), /Threads per core; must divide cpu/);
  }));

interface Offer {
  readonly label: string;
  readonly documentation?: unknown;
}

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly uri?: string; readonly diagnostics?: readonly { readonly message: string }[] };
  readonly result?: unknown;
}

/** An editor's side of the language server's protocol. */
async function openEditor(folder: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", `--lock=${ROOT}tests/deno.lock`, SERVER, "--stdio"],
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const send = (message: object) => {
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message }));
    const head = new TextEncoder().encode(`Content-Length: ${body.length}\r\n\r\n`);
    return writer.write(Uint8Array.from([...head, ...body]));
  };
  const messages = read(child.stdout);
  let id = 0;
  const next = async (isIt: (message: Message) => boolean): Promise<Message> => {
    for (;;) {
      const { value, done } = await messages.next();
      if (done === true) return assert.fail("the language server has ended");
      if (isIt(value)) return value;
      // It asks for settings of the editor.
      if (value.id !== undefined && value.method !== undefined) await send({ id: value.id, result: [] });
    }
  };
  const ask = async (method: string, params: object) => {
    const own = ++id;
    await send({ id: own, method, params });
    return (await next((message) => message.id === own && message.method === undefined)).result;
  };
  const uriOf = (name: string) => `file://${folder}/${name}`;
  const open = (name: string, text: string) =>
    send({
      method: "textDocument/didOpen",
      params: { textDocument: { uri: uriOf(name), languageId: "yaml", version: 1, text } },
    });
  const rootUri = `file://${folder}`;
  await ask("initialize", { processId: null, rootUri, capabilities: {}, workspaceFolders: null });
  await send({ method: "initialized", params: {} });
  return {
    diagnose: async (name: string, text: string): Promise<readonly string[]> => {
      await open(name, text);
      const { params } = await next(({ method, params }) =>
        method === "textDocument/publishDiagnostics" && params?.uri === uriOf(name)
      );
      return params?.diagnostics?.map(({ message }) => message) ?? [];
    },
    complete: async (name: string, text: string, position: object): Promise<readonly Offer[]> => {
      await open(name, text);
      const answer = await ask("textDocument/completion", { textDocument: { uri: uriOf(name) }, position });
      return (answer as { readonly items: readonly Offer[] }).items;
    },
    [Symbol.asyncDispose]: async () => {
      await writer.close();
      child.kill();
      await child.status;
      await messages.return(undefined);
    },
  };
}

/** The messages of a stream, each behind a header with its length. */
async function* read(stream: ReadableStream<Uint8Array>): AsyncGenerator<Message, void> {
  let bytes = new Uint8Array();
  for await (const piece of stream) {
    bytes = Uint8Array.from([...bytes, ...piece]);
    for (;;) {
      const text = new TextDecoder("latin1").decode(bytes);
      const [head = "", length] = /^Content-Length: (\d+)\r\n(?:.+\r\n)*\r\n/.exec(text) ?? [];
      const end = head.length + Number(length ?? Infinity);
      if (bytes.length < end) break;
      yield JSON.parse(new TextDecoder().decode(bytes.subarray(head.length, end)));
      bytes = bytes.slice(end);
    }
  }
}
