/**
 * Shares the serial console of each VM: TrueNAS has one at a time, and a person may want to look while the program waits for what
 * it shows. Whoever comes later gets what is shown from then on, after the last of what was shown before.
 */
import type { SerialConsole } from "../truenas/connection/shell.ts";

type Data = string | Uint8Array<ArrayBuffer>;

/** Somebody who has a console open. */
interface Viewer {
  readonly onData: (data: Data) => void;
  readonly onEnd: () => void;
}

/** A console on the NAS. */
interface Shared {
  readonly serial: SerialConsole;
  readonly viewers: Set<Viewer>;
  /** The last pieces that were shown. */
  readonly recent: Data[];
  /** How many have it open, also those who do not listen yet. */
  users: number;
  isEnded: boolean;
  isClosed: boolean;
}

/** Enough for a screen. */
const MAX_RECENT = 64;

/** See the file's comment. */
export class SharedSerials {
  readonly #open: (vmId: number) => Promise<SerialConsole>;
  readonly #shared = new Map<number, Promise<Shared>>();

  constructor(open: (vmId: number) => Promise<SerialConsole>) {
    this.#open = open;
  }

  /**
   * Opens a VM's console, or joins the one that is open; the caller closes it.
   *
   * @throws {TrueNASError} when the NAS refuses it.
   */
  async open(vmId: number): Promise<SerialConsole> {
    let shared = await this.#join(vmId);
    // The last who had it open can have closed it meanwhile.
    while (shared.isClosed) shared = await this.#join(vmId);
    shared.users++;
    let viewer: Viewer | null = null;
    let isClosed = false;
    const { serial } = shared;
    return {
      session: serial.session,
      send: (data) => serial.send(data),
      close: () => {
        if (isClosed) return;
        isClosed = true;
        if (viewer !== null) shared.viewers.delete(viewer);
        if (--shared.users > 0) return;
        shared.isClosed = true;
        if (!shared.isEnded) this.#shared.delete(vmId);
        serial.close();
      },
      listen: (onData, onEnd) => {
        viewer = { onData, onEnd };
        for (const data of shared.recent) onData(data);
        shared.viewers.add(viewer);
        if (shared.isEnded) onEnd();
      },
    };
  }

  #join(vmId: number): Promise<Shared> {
    const known = this.#shared.get(vmId);
    if (known !== undefined) return known;
    const opening = this.#open(vmId).then((serial) => this.#share(vmId, serial));
    this.#shared.set(vmId, opening);
    opening.catch(() => this.#shared.delete(vmId));
    return opening;
  }

  #share(vmId: number, serial: SerialConsole): Shared {
    const shared: Shared = {
      serial,
      viewers: new Set(),
      recent: [],
      users: 0,
      isEnded: false,
      isClosed: false,
    };
    serial.listen((data) => {
      shared.recent.push(data);
      if (shared.recent.length > MAX_RECENT) shared.recent.shift();
      for (const { onData } of shared.viewers) onData(data);
    }, () => {
      shared.isEnded = true;
      this.#shared.delete(vmId);
      for (const { onEnd } of shared.viewers) onEnd();
    });
    return shared;
  }
}
