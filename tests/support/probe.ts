/** Runs in a worker with a dashboard's permissions, and tries what it is told; answers how each attempt ended. */

/** An attempt by its kind and what it is aimed at. */
export type Attempt = readonly [
  kind: "read" | "write" | "connect" | "listen" | "env" | "run" | "sys" | "ffi" | "import",
  target: string,
];

const TRY: Readonly<Record<Attempt[0], (target: string) => unknown>> = {
  read: (target) => [...Deno.readDirSync(target)],
  write: (target) => Deno.writeTextFileSync(target, "x"),
  connect: async (target) => {
    const { hostname, port } = new URL(`tcp://${target}`);
    (await Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) })).close();
  },
  listen: (target) => {
    const { hostname, port } = new URL(`tcp://${target}`);
    Deno.listen({ hostname, port: Number(port) }).close();
  },
  env: (target) => Deno.env.get(target),
  run: (target) => new Deno.Command(target).outputSync(),
  sys: () => Deno.hostname(),
  ffi: (target) => Deno.dlopen(target, {}),
  import: (target) => import(target),
};

addEventListener("message", async (event) => {
  const { attempts, port } =
    (event as MessageEvent<{ attempts: readonly Attempt[]; port: MessagePort }>).data;
  const ended: string[] = [];
  for (const [kind, target] of attempts) {
    try {
      await TRY[kind](target);
      ended.push("done");
    } catch (error) {
      ended.push(error instanceof Error ? error.name : String(error));
    }
  }
  port.postMessage(ended);
});
