/** Listens for the displays of running VMs, as QEMU does on a real NAS. */
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
      const screen = Screen.listen({ hostname: this.#hostname, port }, display, this.#key);
      if (screen !== null) this.#open.set(id, screen);
    }
  }

  #close(id: number): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }
}

/** One display's port. */
class Screen {
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();

  private constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
  }

  static listen(
    at: { readonly hostname: string; readonly port: number },
    display: SimulatedDisplay,
    key: Promise<CryptoKeyPair>,
  ): Screen | null {
    try {
      const screen = new Screen(Deno.listen(at));
      void screen.#accept(display, key);
      return screen;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      return null;
    }
  }

  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) this.#end(connection);
  }

  async #accept(display: SimulatedDisplay, key: Promise<CryptoKeyPair>): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      void this.#serve(connection, display, key);
    }
  }

  async #serve(
    connection: Deno.TcpConn,
    display: SimulatedDisplay,
    key: Promise<CryptoKeyPair>,
  ): Promise<void> {
    try {
      await serveChannel(wireOf(connection), display, await key);
    } catch {
      // The client is gone.
    }
    this.#end(connection);
  }

  #end(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }
}

function wireOf(connection: Deno.TcpConn): Wire {
  return {
    read: async (bytes) => {
      const all = new Uint8Array(bytes);
      for (let filled = 0; filled < bytes;) {
        const read = await connection.read(all.subarray(filled));
        if (read === null) throw new Error("The client closed the connection");
        filled += read;
      }
      return all;
    },
    write: async (bytes) => {
      for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    },
  };
}
