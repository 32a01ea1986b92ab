/** A second machine, as browsers and proxies see it: a network namespace with a cable to this one. */
import assert from "node:assert/strict";
import { chromiumPath } from "../browser/browser.ts";

/** The cable with its two ends. */
export interface SecondMachine extends AsyncDisposable {
  /** This machine's address on the cable: no loopback. */
  readonly here: string;
  /** The other machine's. */
  readonly there: string;
  /** A command's arguments as they run it on the other machine. */
  readonly on: (...command: readonly string[]) => string[];
  /** A program that starts Chromium there. */
  readonly chromium: () => Promise<string>;
}

async function ip(...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args: [...args], stderr: "piped" }).output()
    .catch((cause: unknown) => {
      throw new Error("This test needs the command ip; install it: apt-get install iproute2", { cause });
    });
  const why = "This test needs root, to make a network namespace (ip netns add)";
  assert.ok(success, `${why}; ip ${args.join(" ")} said: ${new TextDecoder().decode(stderr)}`);
}

/** A subnet of the range for benchmarks and tests (RFC 2544), so that no real network is hidden. */
let subnets = Deno.pid % 200;

/** Makes one; it is gone when it is disposed of, with all that runs there. */
export async function addSecondMachine(): Promise<SecondMachine> {
  const subnet = `198.18.${subnets++}`;
  const [here, there] = [`${subnet}.1`, `${subnet}.2`];
  const name = `vmm-${Deno.pid}-${subnets}`;
  const [end, otherEnd] = [`vmm${subnets}a`, `vmm${subnets}b`];
  const folder = await Deno.makeTempDir();
  await ip("netns", "add", name);
  await ip("link", "add", end, "type", "veth", "peer", "name", otherEnd, "netns", name);
  await ip("address", "add", `${here}/24`, "dev", end);
  await ip("link", "set", end, "up");
  await ip("-n", name, "address", "add", `${there}/24`, "dev", otherEnd);
  await ip("-n", name, "link", "set", otherEnd, "up");
  await ip("-n", name, "link", "set", "lo", "up");
  const on = (...command: readonly string[]) => ["ip", "netns", "exec", name, ...command];
  return {
    here,
    there,
    on,
    chromium: async () => {
      const path = `${folder}/chromium`;
      await Deno.writeTextFile(path, `#!/bin/sh\nexec ${on(chromiumPath()).join(" ")} "$@"\n`);
      await Deno.chmod(path, 0o755);
      return path;
    },
    [Symbol.asyncDispose]: async () => {
      await ip("link", "delete", end);
      await ip("netns", "delete", name);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** nginx on the second machine with what `docs/install.md` shows, before a dashboard at this address; listens on these ports. */
export async function startNginx(
  machine: SecondMachine,
  { upstream, ports }: { readonly upstream: string; readonly ports: readonly number[] },
): Promise<AsyncDisposable> {
  const docs = await Deno.readTextFile(new URL("../../../docs/install.md", import.meta.url));
  const location = /```nginx\n([^]*?)```/.exec(docs)?.[1] ?? assert.fail("the docs show nginx");
  const shown = "http://127.0.0.1:8080";
  assert.ok(location.includes(shown), "the premise: the docs' own address is there to be replaced");
  const folder = await Deno.makeTempDir();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${folder}/${name};`
  );
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
    events {}
    http {
      access_log off; ${temporary.join(" ")}
      server { ${ports.map((port) => `listen ${port};`).join(" ")} ${location.replace(shown, upstream)} }
    }`,
  );
  const [command = "", ...args] = machine.on("nginx", "-p", folder, "-c", `${folder}/nginx.conf`);
  const child = new Deno.Command(command, { args, stdout: "null", stderr: "piped" }).spawn();
  const said = new Response(child.stderr).text();
  const ended = child.status.then(async () => assert.fail(`nginx ended, or is not there: ${await said}`));
  const listens = Promise.all(ports.map((port) => untilItListens(machine.there, port)));
  await Promise.race([listens, ended]);
  ended.catch(() => {});
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.status;
      await said;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Caddy on this machine with what `docs/install.md` shows, before a dashboard at this address. */
export async function startCaddy(
  { upstream, more = "" }: { readonly upstream: string; readonly more?: string },
): Promise<AsyncDisposable & { readonly url: string }> {
  const docs = await Deno.readTextFile(new URL("../../../docs/install.md", import.meta.url));
  const site = /```caddyfile\n([^]*?)```/.exec(docs)?.[1] ?? assert.fail("the docs show Caddy");
  assert.ok(site.includes("127.0.0.1:8080") && site.startsWith("lab.example {"), "the premise");
  const { port } = freePort();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/Caddyfile`,
    `{\n  admin off\n  auto_https off\n}\n${
      site.replace("127.0.0.1:8080", upstream).replace("lab.example {", `http://127.0.0.1:${port} {\n${more}`)
    }`,
  );
  const child = new Deno.Command("caddy", {
    args: ["run", "--config", `${folder}/Caddyfile`, "--adapter", "caddyfile"],
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  const ended = child.status.then(async () => assert.fail(`Caddy ended, or is not there: ${await said}`));
  await Promise.race([untilItListens("127.0.0.1", port), ended]);
  ended.catch(() => {});
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.status;
      await said;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function freePort(): Deno.NetAddr {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr;
}

async function untilItListens(hostname: string, port: number): Promise<void> {
  for (;;) {
    try {
      return (await Deno.connect({ hostname, port })).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
  }
}
