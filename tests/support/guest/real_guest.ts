/** A real guest under QEMU, started as a NAS starts it, and seen through its serial ports. */
import assert from "node:assert/strict";
import type { GuestImage } from "./image.ts";
import { run } from "./commands.ts";

/** What the NAS knows of the VM. */
export interface GuestVm {
  readonly uuid: string;
  /** The VM's command_line_args. */
  readonly commandLineArgs: string;
  readonly mac: string;
  /** The file in its CD-ROM drive; null without one. */
  readonly cdrom: string | null;
}

/** A booted guest. */
export interface RealGuest extends AsyncDisposable {
  /** What its serial console has shown so far. */
  readonly console: () => string;
  /** Rejects with QEMU's complaint and the end of the console when it ends by itself. */
  readonly runs: Promise<never>;
  /** Waits until the console shows it, beyond what it showed before `from`. */
  readonly shows: (pattern: RegExp, from?: number) => Promise<string>;
  /** Runs a command in it as root, and returns what it says. */
  readonly ask: (command: string) => Promise<string>;
  /** Restarts it from inside, and waits until it is up again. */
  readonly reboot: () => Promise<void>;
  /** Takes the CD out of its drive. */
  readonly eject: () => Promise<void>;
}

/** An emulated processor boots in two to ten minutes, by how busy the machine is. */
const PATIENCE_MS = 1_500_000;

/** Boots a VM. */
export async function bootGuest(image: GuestImage, vm: GuestVm, useKvm: boolean): Promise<RealGuest> {
  const folder = await Deno.makeTempDir();
  const disk = `${folder}/disk.qcow2`;
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image.disk, "-F", "qcow2", disk]);
  const child = new Deno.Command("qemu-system-x86_64", {
    args: [...machineOf(image, { ...vm, disk, folder, useKvm }), ...await split(vm.commandLineArgs)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const screen = new Screen();
  const complaints = new Response(child.stderr).text();
  const reading = screen.read(child.stdout);
  const runs = Promise.withResolvers<never>();
  runs.promise.catch(() => {});
  const ended = child.status.then(async () => {
    const reason = `QEMU has ended: ${await complaints}`;
    screen.end(reason);
    runs.reject(
      new assert.AssertionError({ message: `${reason}; last shown: ${screen.text.slice(-2_000)}` }),
    );
    return null;
  });
  const stop = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await Promise.allSettled([reading, ended]);
    await Deno.remove(folder, { recursive: true });
  };
  const shell = new Screen();
  const connection = await connected(`${folder}/shell`, ended);
  const talking = shell.read(connection.readable).catch(() => {});
  let asked = 0;
  const ask = async (command: string) => {
    await shell.shows(/SHELL\n/);
    const from = shell.text.length;
    asked += 1;
    const text = `{ ${command}; } 2>&1; echo "<$?:${asked}>"\n`;
    const writer = connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(text));
    writer.releaseLock();
    const answer = await shell.shows(new RegExp(`<(\\d+):${asked}>\n`), from);
    const [end = ""] = /<\d+:\d+>\n$/.exec(answer) ?? [];
    assert.match(end, /^<0:/, `${command}: ${answer}`);
    return answer.slice(0, -end.length).trim();
  };
  return {
    console: () => screen.text,
    runs: runs.promise,
    shows: (pattern, from) => screen.shows(pattern, from),
    ask,
    reboot: async () => {
      const from = shell.text.length;
      await ask("systemctl --no-block reboot");
      await shell.shows(/SHELL\n/, from);
    },
    eject: async () => {
      using monitor = await Deno.connect({ transport: "unix", path: `${folder}/monitor` });
      await monitor.write(new TextEncoder().encode("eject -f cd\n"));
      // The monitor takes a further command when the last one is done.
      const answer = new Screen();
      const answering = answer.read(monitor.readable).catch(() => {});
      await answer.shows(/eject -f cd[\s\S]*\(qemu\) /);
      monitor.close();
      await answering;
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await talking;
    },
  };
}

function machineOf(
  image: GuestImage,
  vm: GuestVm & { readonly disk: string; readonly folder: string; readonly useKvm: boolean },
): string[] {
  const cpu = vm.useKvm
    ? ["-accel", "kvm", "-cpu", "host"]
    : ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"];
  const cdrom = vm.cdrom === null ? [] : [
    ...["-drive", `file=${vm.cdrom},if=none,id=cd,format=raw,media=cdrom,readonly=on`],
    ...["-device", "ide-cd,drive=cd,bus=ide.1"],
  ];
  return [
    ...["-machine", "q35", ...cpu, "-smp", "2", "-m", "768", "-uuid", vm.uuid],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    ...["-serial", `unix:${vm.folder}/shell,server=on,wait=off`],
    ...["-monitor", `unix:${vm.folder}/monitor,server=on,wait=off`],
    ...["-kernel", image.kernel, "-initrd", image.initrd],
    ...["-append", "root=LABEL=root ro console=ttyS0 quiet mitigations=off systemd.show_status=0"],
    ...["-drive", `file=${vm.disk},if=none,id=disk`, "-device", "virtio-blk-pci,drive=disk"],
    ...["-netdev", "user,id=net", "-device", `virtio-net-pci,netdev=net,mac=${vm.mac}`],
    ...["-device", "virtio-rng-pci"],
    ...cdrom,
  ];
}

/** As TrueNAS splits them, with the same library. */
async function split(commandLineArgs: string): Promise<string[]> {
  const program = "import json, shlex, sys; print(json.dumps(shlex.split(sys.argv[1])))";
  return JSON.parse(await run("python3", ["-c", program, commandLineArgs]));
}

/** Connects as soon as QEMU has made its socket. */
async function connected(path: string, ended: Promise<null>): Promise<Deno.UnixConn> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused)) {
        throw error;
      }
    }
    const pause = new Promise<true>((resolve) => setTimeout(resolve, 50, true));
    assert.ok(await Promise.race([ended, pause]), "QEMU has ended");
  }
}

/** Text that comes bit by bit. */
class Screen {
  text = "";
  #ended: string | null = null;
  #changed = Promise.withResolvers<void>();

  async read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      this.text += part;
      this.#wake();
    }
  }

  end(reason: string): void {
    this.#ended = reason;
    this.#wake();
  }

  /** Waits until the text from a place on has it; returns that text up to its end. */
  async shows(pattern: RegExp, from = 0): Promise<string> {
    const late = Promise.withResolvers<true>();
    const timer = setTimeout(late.resolve, PATIENCE_MS, true);
    try {
      for (;;) {
        const text = this.text.slice(from);
        const found = pattern.exec(text);
        if (found !== null) return text.slice(0, found.index + found[0].length);
        const why = this.#ended ?? await Promise.race([this.#changed.promise, late.promise]);
        assert.ok(why === undefined, `${why === true ? "Too late" : why}; last shown: ${text.slice(-2_000)}`);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
