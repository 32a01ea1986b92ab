/**
 * The simulated NAS's shell WebSocket: a serial console that greets, echoes the input of binary frames, and ends with its
 * VM or with a text frame (as TrueNAS 25.04 to 27.0 does).
 */
import { hasRole } from "../accounts.ts";
import type { Nas } from "../nas.ts";
import type { Tokens } from "./tokens.ts";
import { ERRNO } from "../../errors/errno.ts";

/** The socket of a shell. */
export interface ShellWire {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** Open consoles by VM: one at a time, as virsh console allows. */
const open = new WeakMap<Nas, Map<number, string>>();

/** A shell of one socket. */
export class SimulatedShell {
  readonly #nas: Nas;
  readonly #wire: ShellWire;
  readonly #tokens: Tokens;
  readonly #forget: () => void;
  #vmId: number | null = null;
  #unlisten: () => void = () => {};

  /** Waits for the first message. */
  constructor(nas: Nas, wire: ShellWire, tokens: Tokens) {
    this.#nas = nas;
    this.#wire = wire;
    this.#tokens = tokens;
    this.#forget = nas.onEvent(({ collection, id }) => {
      if (collection === "vm.query" && id === this.#vmId) this.#endWithVm();
    });
  }

  /** Handles a message: first the token, then input. */
  receive(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#vmId === null) {
      return this.#connect(typeof data === "string" ? data : new TextDecoder().decode(data));
    }
    if (typeof data === "string") return this.#wire.close();
    this.#print(new TextDecoder().decode(data).replaceAll("\r", "\r\nlogin: "));
  }

  /** Called when the socket has closed. */
  ended(): void {
    this.#forget();
    this.#unlisten();
    if (this.#vmId !== null) openConsoles(this.#nas).delete(this.#vmId);
  }

  #connect(text: string): void {
    const fail = (error: number, reason: string) =>
      this.#wire.send(JSON.stringify({ msg: "failed", error: { error, reason } }));
    let request: { token?: string; options?: { vm_id?: number } };
    try {
      request = JSON.parse(text);
    } catch {
      return fail(ERRNO.EINVAL, "Invalid message");
    }
    const account = this.#tokens.use(request.token ?? "")?.account;
    if (account === undefined) return fail(ERRNO.ENOTAUTHENTICATED, "Invalid token");
    if (!hasRole(account, "VM_WRITE")) return fail(ERRNO.EACCES, "Not authorized");
    const vm = this.#nas.store.vms.get(request.options?.vm_id ?? -1);
    const session = crypto.randomUUID();
    this.#wire.send(JSON.stringify({ msg: "connected", id: session }));
    const refuse = (reason: string) => {
      this.#print(`error: ${reason}\r\n`);
      this.#wire.close();
    };
    if (vm === undefined || vm.state !== "RUNNING") return refuse("Domain is not running");
    const { consoles } = this.#nas;
    if (openConsoles(this.#nas).has(vm.id)) return refuse("Active console session exists for this domain");
    openConsoles(this.#nas).set(vm.id, session);
    this.#vmId = vm.id;
    const prompt = consoles.promptOf(vm.id) ?? `${vm.config.name} login: `;
    this.#print(`Connected to domain '${vm.id}_${vm.config.name}'\r\n\r\n${prompt}`);
    this.#unlisten = consoles.onText(vm.id, (text) => this.#print(text));
  }

  #print(text: string): void {
    this.#wire.send(new TextEncoder().encode(text));
  }

  #endWithVm(): void {
    if (this.#vmId === null || this.#nas.store.vms.get(this.#vmId)?.state === "RUNNING") return;
    this.#wire.close();
  }
}

function openConsoles(nas: Nas): Map<number, string> {
  const known = open.get(nas) ?? new Map<number, string>();
  open.set(nas, known);
  return known;
}
