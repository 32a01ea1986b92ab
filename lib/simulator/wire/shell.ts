/**
 * The simulated NAS's shell WebSocket: a serial console that greets, echoes what is typed in binary frames, and ends
 * with its VM, or with a text frame (as on 25.04 to 27.0).
 */
import { type Account, hasRole } from "../accounts.ts";
import type { Nas } from "../nas.ts";

/** What a shell's socket can do. */
export interface ShellWire {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** Consoles that are open: one at a time for each VM, as virsh console allows. */
const open = new WeakMap<Nas, Map<number, string>>();

/** A shell of one socket. */
export class SimulatedShell {
  readonly #nas: Nas;
  readonly #wire: ShellWire;
  readonly #tokens: ReadonlyMap<string, Account>;
  readonly #forget: () => void;
  #vmId: number | null = null;

  /** Waits for the first message. */
  constructor(nas: Nas, wire: ShellWire, tokens: ReadonlyMap<string, Account>) {
    this.#nas = nas;
    this.#wire = wire;
    this.#tokens = tokens;
    this.#forget = nas.onEvent(({ collection, id }) => {
      if (collection === "vm.query" && id === this.#vmId) this.#endWithVm();
    });
  }

  /** Takes a message: the token first, then whatever is typed. */
  receive(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#vmId === null) {
      return this.#connect(typeof data === "string" ? data : new TextDecoder().decode(data));
    }
    if (typeof data === "string") return this.#wire.close();
    this.#say(new TextDecoder().decode(data).replaceAll("\r", "\r\nlogin: "));
  }

  /** The socket is gone. */
  ended(): void {
    this.#forget();
    if (this.#vmId !== null) consoles(this.#nas).delete(this.#vmId);
  }

  #connect(text: string): void {
    const fail = (error: number, reason: string) =>
      this.#wire.send(JSON.stringify({ msg: "failed", error: { error, reason } }));
    let request: { token?: string; options?: { vm_id?: number } };
    try {
      request = JSON.parse(text);
    } catch {
      return fail(22, "Invalid message");
    }
    const account = this.#tokens.get(request.token ?? "");
    if (account === undefined) return fail(207, "Invalid token");
    if (!hasRole(account, "VM_WRITE")) return fail(13, "Not authorized");
    const vm = this.#nas.store.vms.get(request.options?.vm_id ?? -1);
    const session = crypto.randomUUID();
    this.#wire.send(JSON.stringify({ msg: "connected", id: session }));
    if (vm === undefined || vm.state !== "RUNNING") {
      this.#say("error: Domain is not running\r\n");
      return this.#wire.close();
    }
    if (consoles(this.#nas).has(vm.id)) {
      this.#say("error: Active console session exists for this domain\r\n");
      return this.#wire.close();
    }
    consoles(this.#nas).set(vm.id, session);
    this.#vmId = vm.id;
    this.#say(`Connected to domain '${vm.id}_${vm.config.name}'\r\n\r\n${vm.config.name} login: `);
  }

  #say(text: string): void {
    this.#wire.send(new TextEncoder().encode(text));
  }

  #endWithVm(): void {
    if (this.#vmId === null || this.#nas.store.vms.get(this.#vmId)?.state === "RUNNING") return;
    this.#wire.close();
  }
}

function consoles(nas: Nas): Map<number, string> {
  const known = open.get(nas) ?? new Map<number, string>();
  open.set(nas, known);
  return known;
}
