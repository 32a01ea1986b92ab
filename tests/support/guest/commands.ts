/** Programs that a real guest needs. */
import assert from "node:assert/strict";

/** Each program with Debian's package of it. */
const PROGRAMS = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  "mmdebstrap": "mmdebstrap",
  "mkfs.ext4": "e2fsprogs",
  "python3": "python3",
} as const;

/** Fails with the packages to install, when programs are missing. */
export async function expectPrograms(): Promise<void> {
  const missing: string[] = [];
  for (const [program, debian] of Object.entries(PROGRAMS)) {
    const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).output();
    if (!success) missing.push(debian);
  }
  assert.deepEqual(missing, [], `A real guest needs programs; run: apt-get install ${missing.join(" ")}`);
}

/** Runs a program to its end, and returns what it said. */
export async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], stdin: "null" })
    .output();
  assert.ok(success, `${command}: ${new TextDecoder().decode(stderr).slice(-2_000)}`);
  return new TextDecoder().decode(stdout);
}
