/** Relays a WebSocket of the console page to a display's TCP port, until either side, the session or the program ends. */
import { type DisplaySocket, DisplayUnreachable } from "../../lib/consoles/display_socket.ts";
import { TrueNASError } from "../../lib/errors/errors.ts";
import { runDetached } from "../../lib/errors/unhandled_errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import type { Actor } from "../../lib/operations/types.ts";
import { type CloseReason, CLOSES } from "../../templates/parts/vm/console/display_closes.tsx";
import type { Session } from "../auth/sessions.ts";
import type { Dashboard } from "../server/dashboard.ts";

/** A SPICE console opens up to eight channels; each takes one of the files that main.ts reserves. */
const MAX_RELAYS = 64;

/** Pictures that wait for the browser: about one full screen. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;

/** How often a relay whose browser is behind looks again. */
const BEHIND_MS = 20;

/** Typing and pointing that wait for the display; more is no person's. */
const MAX_TYPED_BYTES = 1024 * 1024;

/** How long after its password was read a screen belongs to the same line of the audit log. */
const OPENING_MS = 30_000;

/** How often an open console counts as activity of its session. */
const USE_MS = 10_000;

/** Who opens a display, and which one. */
export interface Opener {
  readonly vmId: number;
  readonly deviceId: number;
  readonly by: Actor;
  readonly session: Session | null;
}

/** The open relays of one dashboard. */
export class DisplayRelays {
  readonly #dashboard: Dashboard;
  readonly #open = new Set<Opener>();
  /** Screens whose password was read and that have not connected yet. */
  readonly #opening: (Pick<Opener, "vmId" | "by" | "session"> & { readonly at: number })[] = [];

  /** Opens nothing yet. */
  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
  }

  /**
   * Records that a page reads a display's password in order to open the screen, which then needs no line of its own.
   *
   * @throws when it cannot be recorded; the password must then not be sent.
   */
  recordOpening(vm: Vm, { by, session }: Pick<Opener, "by" | "session">): void {
    this.#record({ by }, vm, "begun, display password read");
    const at = this.#dashboard.now();
    this.#opening.splice(0, this.#opening.findLastIndex((it) => at - it.at > OPENING_MS) + 1);
    this.#opening.push({ vmId: vm.id, by, session, at });
  }

  /** Whether the line of the audit log was written when the password was read. */
  #isRecorded({ vmId, by, session }: Opener): boolean {
    const since = this.#dashboard.now() - OPENING_MS;
    const index = this.#opening.findIndex((it) =>
      it.vmId === vmId && it.session === session && it.by.from === by.from && it.at >= since
    );
    if (index >= 0) this.#opening.splice(index, 1);
    return index >= 0;
  }

  /** Relays a socket that is about to open. */
  relay(socket: WebSocket, opener: Opener): void {
    const { logger, stopping } = this.#dashboard;
    const { session } = opener;
    let display: DisplaySocket | null = null;
    let closed = false;
    const cut = () => {
      closed = true;
      clearInterval(using);
      stopping.removeEventListener("abort", onStop);
      session?.ended.removeEventListener("abort", onSignedOut);
      this.#open.delete(opener);
      display?.close();
    };
    const end = (code: number, reason: string) => {
      if (closed) return;
      // The display's side is closed first, because the browser may take its time or never close.
      cut();
      socket.close(code, reason);
    };
    const endFor = (why: CloseReason) => end(CLOSES[why], why);
    const onStop = () => end(1001, "The dashboard is stopping");
    const onSignedOut = () => end(1008, "The session has ended");
    const using = setInterval(() => session?.use(), USE_MS);
    stopping.addEventListener("abort", onStop, { once: true });
    session?.ended.addEventListener("abort", onSignedOut, { once: true });
    socket.binaryType = "arraybuffer";
    socket.onclose = cut;
    const run = async () => {
      const opened = await this.#connect(opener);
      if (typeof opened === "string") return endFor(opened);
      if (closed) return opened.close();
      display = opened;
      typing.to(opened);
      await this.#show(opened, socket, () => closed);
      endFor("ended");
    };
    const failed = (error: unknown) => {
      if (closed) return;
      logger.warning("A display's connection failed", { vm: opener.vmId, error: String(error) });
      endFor("ended");
    };
    const typing = new Typing(failed);
    socket.onmessage = ({ data }: MessageEvent) => {
      if (data instanceof ArrayBuffer) typing.send(new Uint8Array(data));
    };
    socket.onopen = () => runDetached(run().catch(failed), "relaying a display", logger);
  }

  /** Connects, or says why not. A display that cannot be recorded in the audit log is not opened. */
  async #connect(opener: Opener): Promise<DisplaySocket | CloseReason> {
    const { manager, logger } = this.#dashboard;
    if (manager.consoles.readOnly) return "read-only";
    if (this.#open.size >= MAX_RELAYS) return "too-many";
    const vm = this.#find(opener.vmId);
    const display = vm?.displays.find(({ deviceId }) => deviceId === opener.deviceId);
    if (vm === undefined || display === undefined) return "gone";
    if (vm.state !== "RUNNING") return "stopped";
    const found = manager.consoles.displayTarget(display);
    if (!found.ok) return "unreachable";
    const isFirst = this.#isFirst(opener);
    this.#open.add(opener);
    try {
      if (!this.#isRecorded(opener) && isFirst) this.#record(opener, vm, "begun");
    } catch (error) {
      logger.warning("A display was not opened", { vm: vm.name, error: String(error) });
      return "not-recorded";
    }
    try {
      return await manager.consoles.openDisplay(found.target);
    } catch (error) {
      if (!(error instanceof DisplayUnreachable) && !(error instanceof TrueNASError)) throw error;
      logger.warning("Cannot open a display", { vm: vm.name, error: error.message });
      if (isFirst) this.#record(opener, vm, `failed: ${error.message}`);
      return error instanceof DisplayUnreachable && error.isRefused ? "refused" : "unreachable";
    }
  }

  /** SPICE opens a socket for each channel; together they are one console in the audit log. */
  #isFirst({ vmId, deviceId, session, by }: Opener): boolean {
    return !this.#open.values().some((it) =>
      it.vmId === vmId && it.deviceId === deviceId && it.session === session && it.by.from === by.from
    );
  }

  #record({ by }: Pick<Opener, "by">, { name }: Vm, outcome: string): void {
    this.#dashboard.manager.audit.record({ by, what: "Open the screen", vms: [name], outcome });
  }

  #find(id: number): Vm | undefined {
    return this.#dashboard.manager.inventory.live.snapshot.vms?.find((vm) => vm.id === id);
  }

  /** Sends what the display sends, at the browser's pace. */
  async #show(display: DisplaySocket, socket: WebSocket, isClosed: () => boolean): Promise<void> {
    for await (const bytes of display.incoming) {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
      while (!isClosed() && socket.bufferedAmount > MAX_BUFFERED_BYTES) {
        await new Promise((resolve) => setTimeout(resolve, BEHIND_MS));
      }
      if (isClosed()) return;
    }
  }
}

/** Writes what the browser sends in its order, and keeps it until the display is connected. */
class Typing {
  readonly #failed: (error: unknown) => void;
  readonly #connected = Promise.withResolvers<DisplaySocket>();
  #written: Promise<void> = Promise.resolve();
  #waitingBytes = 0;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  to(display: DisplaySocket): void {
    this.#connected.resolve(display);
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_TYPED_BYTES) return this.#failed(new Error("too much input waits"));
    this.#written = this.#written.then(async () => {
      await (await this.#connected.promise).send(bytes);
      this.#waitingBytes -= bytes.length;
    });
    this.#written.catch(this.#failed);
  }
}
