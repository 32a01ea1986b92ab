/** Listens for the displays of running VMs, as QEMU does on a real NAS. */
import { createServer, type Server, type Socket } from "node:net";
import { systemErrorCode } from "../../errors/system_errors.ts";
import type { Nas } from "../nas.ts";
import { makeKey, serveChannel, type SimulatedDisplay, type Wire } from "./spice.ts";
import { Terminal } from "./terminal.ts";

/** The displays of one NAS that are open. */
export class Screens {
  readonly #nas: Nas;
  readonly #hostname: string;
  readonly #open = new Map<number, Screen>();
  readonly #forget: () => void;
  readonly #key = makeKey();

  /** Follows the VMs of a NAS; a port that is taken on this machine stays without a screen. */
  constructor(nas: Nas, hostname: string) {
    this.#nas = nas;
    this.#hostname = hostname;
    this.#forget = nas.onEvent(() => this.#follow());
    this.#follow();
  }

  /** Closes every display. */
  stop(): void {
    this.#forget();
    for (const id of [...this.#open.keys()]) this.#close(id);
  }

  #follow(): void {
    const { vms, devices } = this.#nas.store;
    const running = [...devices.values()].filter(({ vm, attributes }) =>
      attributes.dtype === "DISPLAY" && attributes.type === "SPICE" && vms.get(vm)?.state === "RUNNING"
    );
    for (const id of [...this.#open.keys()]) if (!running.some((device) => device.id === id)) this.#close(id);
    for (const { id, vm, attributes: { port, password } } of running) {
      const name = vms.get(vm)?.config.name;
      if (this.#open.has(id) || typeof port !== "number" || name === undefined) continue;
      const display = { terminal: new Terminal(name), password: String(password) };
      const at = { hostname: this.#hostname, port };
      const screen: Screen = new Screen(at, display, this.#key, () => {
        if (this.#open.get(id) === screen) this.#open.delete(id);
      });
      this.#open.set(id, screen);
    }
  }

  #close(id: number): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }
}

/** One display's port. */
class Screen {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Listens; `onTaken` is called when another program does. */
  constructor(
    { hostname, port }: { readonly hostname: string; readonly port: number },
    display: SimulatedDisplay,
    key: Promise<CryptoKeyPair>,
    onTaken: () => void,
  ) {
    this.#server = createServer((socket) => void this.#serve(socket, display, key));
    this.#server.on("error", (error) => {
      if (systemErrorCode(error) !== "EADDRINUSE") throw error;
      onTaken();
    });
    this.#server.listen(port, hostname);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(socket: Socket, display: SimulatedDisplay, key: Promise<CryptoKeyPair>): Promise<void> {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    try {
      await serveChannel(wireOf(socket), display, await key);
    } catch {
      // The client is gone.
    }
    this.#sockets.delete(socket);
    socket.destroy();
  }
}

function wireOf(socket: Socket): Wire {
  const incoming: AsyncIterator<Uint8Array> = socket[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  return {
    read: async (bytes) => {
      const all = new Uint8Array(bytes);
      for (let filled = 0; filled < bytes;) {
        if (rest.length === 0) {
          const { value, done } = await incoming.next();
          if (done) throw new Error("The client closed the connection");
          rest = value;
        }
        const taken = rest.subarray(0, bytes - filled);
        all.set(taken, filled);
        filled += taken.length;
        rest = rest.subarray(taken.length);
      }
      return all;
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => error ? reject(error) : resolve());
      }),
  };
}
