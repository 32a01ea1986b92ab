/** Whether this machine can run guests on its own processor, and not only emulate one. */

/** Writes `K` to the first serial port, and halts. */
const PROGRAM = [0xba, 0xf8, 0x03, 0xb0, 0x4b, 0xee, 0xfa, 0xf4];
const SECTOR_BYTES = 512;
const SIGNATURE = [0x55, 0xaa];
/** A processor that works needs a fraction of it. */
const PROBE_MS = 5_000;

/** Tries it: a machine can have /dev/kvm and yet not run anything with it. */
export async function hasKvm(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    const sector = new Uint8Array(SECTOR_BYTES);
    sector.set(PROGRAM);
    sector.set(SIGNATURE, SECTOR_BYTES - SIGNATURE.length);
    await Deno.writeFile(`${folder}/sector`, sector);
    return await starts(`${folder}/sector`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await hasKvm() ? 0 : 1);

async function starts(disk: string): Promise<boolean> {
  const machine = ["-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "64", "-nodefaults"];
  const child = new Deno.Command("qemu-system-x86_64", {
    args: [...machine, "-display", "none", "-serial", "stdio", "-drive", `file=${disk},format=raw`],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), PROBE_MS);
  let isThere = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!text.includes("K")) continue;
    isThere = true;
    child.kill("SIGKILL");
  }
  await child.status;
  clearTimeout(timer);
  return isThere;
}
