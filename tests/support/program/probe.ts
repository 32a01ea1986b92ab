/** What code inside the running program attempts, and how each attempt ends. */

/** An attempt by its kind and what it is aimed at. */
export type Attempt = readonly [
  kind: "read" | "write" | "connect" | "listen" | "env" | "run" | "sys" | "ffi" | "import" | "worker",
  target: string,
];

const TRY: Readonly<Record<Attempt[0], (target: string) => unknown>> = {
  read: (target) =>
    Deno.lstatSync(target).isDirectory ? [...Deno.readDirSync(target)] : Deno.readFileSync(target),
  write: (target) => Deno.writeTextFileSync(target, "x"),
  connect: async (target) => {
    const { hostname, port } = new URL(`tcp://${target}`);
    (await Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) })).close();
  },
  listen: (target) => {
    const { hostname, port } = new URL(`tcp://${target}`);
    Deno.listen({ hostname, port: Number(port) }).close();
  },
  env: (target) => {
    // With --ignore-env what may not be read is as if it were not set.
    if (Deno.env.get(target) === undefined) throw new Deno.errors.NotCapable(target);
  },
  run: (target) => new Deno.Command(target).outputSync(),
  sys: () => Deno.hostname(),
  ffi: (target) => Deno.dlopen(target, {}),
  import: (target) => import(target),
  // A worker of its own may not have more than its maker.
  worker: (target) =>
    new Worker(target, { type: "module", deno: { permissions: { run: true, read: true } } }).terminate(),
};

/** Tries one after another; each ends as `done` or with the name of its error. */
export async function tryAll(attempts: readonly Attempt[]): Promise<string[]> {
  const ended: string[] = [];
  for (const [kind, target] of attempts) {
    try {
      await TRY[kind](target);
      ended.push("done");
    } catch (error) {
      ended.push(error instanceof Error ? error.name : String(error));
    }
  }
  return ended;
}
