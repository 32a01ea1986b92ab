/** A VM of a real QEMU with a display, as TrueNAS starts them, whose guest shows what is typed. It needs no KVM. */
import assert from "node:assert/strict";
import { freeDisplayPort } from "./display.ts";

/** A display's protocol. */
export type DisplayProtocol = "SPICE" | "VNC";

/** What a display asks for; VNC takes at most 8 characters. */
export const QEMU_PASSWORD = "scr33n!";

/**
 * A boot sector: sets the text mode, prints `>`, and then prints each key that is typed.
 *
 *     mov ax,3; int 10h; mov ah,0eh; mov al,'>'; mov bx,7; int 10h
 *     next: xor ah,ah; int 16h; mov ah,0eh; mov bx,7; int 10h; jmp next
 */
const GUEST = "b80300cd10b40eb03ebb0700cd1030e4cd16b40ebb0700cd10ebf3";
const SECTOR_BYTES = 512;

/** Where the VGA card keeps the characters, one in every second byte. */
const TEXT_MEMORY = 0xb8000;

/** A VM that runs. */
export interface Qemu extends AsyncDisposable {
  readonly port: number;
  /** The first line of the guest's screen. */
  readonly firstLine: () => Promise<string>;
  /** Resolves when the guest has been reset so many times, by itself or by Ctrl+Alt+Del. */
  readonly resets: (count: number) => Promise<void>;
  /** Ends it, as TrueNAS does when it powers a VM off. */
  readonly stop: () => Promise<void>;
}

/** Starts one, and waits until its display accepts connections. */
export async function startQemu(protocol: DisplayProtocol): Promise<Qemu> {
  const folder = await Deno.makeTempDir({ prefix: "qemu-" });
  const port = freeDisplayPort();
  const disk = new Uint8Array(SECTOR_BYTES);
  disk.set(Uint8Array.fromHex(GUEST));
  disk.set([0x55, 0xaa], SECTOR_BYTES - 2);
  await Deno.writeFile(`${folder}/disk`, disk);
  await Deno.writeTextFile(`${folder}/password`, QEMU_PASSWORD);
  const display = protocol === "SPICE"
    ? ["-spice", `port=${port},addr=127.0.0.1,password-secret=password`, "-vga", "qxl"]
    : ["-vnc", `127.0.0.1:${port - FIRST_VNC_PORT},password-secret=password`, "-vga", "std"];
  const child = spawn([
    ...["-machine", "pc,accel=tcg", "-m", "64", "-nodefaults"],
    ...["-object", `secret,id=password,file=${folder}/password`, ...display],
    ...["-drive", `file=${folder}/disk,format=raw,if=ide`, "-usb", "-device", "usb-tablet", "-qmp", "stdio"],
  ]);
  const monitor = new Monitor(child);
  await monitor.call("qmp_capabilities");
  const stop = async () => {
    if (!monitor.isOver) await monitor.call("quit").catch(() => {});
    await child.status;
    await monitor.over;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  const firstLine = async () => {
    const dump = await monitor.call("human-monitor-command", { "command-line": `xp /160xb ${TEXT_MEMORY}` });
    const bytes = String(dump).matchAll(/\b0x([0-9a-f]{2})\b/g).map(([, byte = ""]) => parseInt(byte, 16));
    return String.fromCharCode(...[...bytes].filter((_, index) => index % 2 === 0)).trimEnd();
  };
  return { port, firstLine, stop, resets: (count) => monitor.resets(count), [Symbol.asyncDispose]: stop };
}

const FIRST_VNC_PORT = 5_900;

function spawn(args: readonly string[]): Deno.ChildProcess {
  try {
    return new Deno.Command("qemu-system-x86_64", {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return assert.fail("qemu-system-x86_64 is not installed: apt-get install qemu-system-x86");
  }
}

/** Speaks QEMU's machine protocol: a JSON object on each line. */
class Monitor {
  /** Resolves when QEMU has ended. */
  readonly over: Promise<void>;
  isOver = false;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: PromiseWithResolvers<unknown>[] = [];
  #resets = 0;
  #changed = Promise.withResolvers<void>();

  constructor({ stdin, stdout }: Deno.ChildProcess) {
    this.#writer = stdin.getWriter();
    this.over = this.#read(stdout);
  }

  async call(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    this.#answers.push(answer);
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ execute, arguments: args })}\n`));
    return await answer.promise;
  }

  async resets(count: number): Promise<void> {
    while (this.#resets < count) {
      assert.ok(!this.isOver, "QEMU has ended");
      await this.#changed.promise;
    }
  }

  async #read(from: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of from.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#receive(JSON.parse(line));
    }
    this.isOver = true;
    for (const answer of this.#answers.splice(0)) answer.reject(new Error("QEMU has ended"));
    this.#note();
    await this.#writer.close().catch(() => {});
  }

  #receive(message: Readonly<Record<string, unknown>>): void {
    if ("return" in message) this.#answers.shift()?.resolve(message.return);
    if ("error" in message) this.#answers.shift()?.reject(new Error(JSON.stringify(message.error)));
    if (message.event !== "RESET") return;
    this.#resets++;
    this.#note();
  }

  #note(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
