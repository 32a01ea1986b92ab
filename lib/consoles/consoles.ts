/** The consoles of VMs: the serial one in the page, and the displays, with the address that reaches them. */
import { isLoopback } from "../configuration/ip_addresses.ts";
import { type NasAddress, pageOnNas } from "../configuration/nas_address.ts";
import { hostOfAddress, hostOfNas, parsePublicHost, type PublicHost } from "../configuration/public_host.ts";
import { TrueNASError } from "../errors/errors.ts";
import type { Logger } from "../observability/logging.ts";
import type { Session } from "../truenas/connection/session.ts";
import type { SerialConsole } from "../truenas/connection/shell.ts";
import type { Patience } from "../truenas/read_inventory.ts";

/** What consoles are opened with. */
export interface ConsolesOptions {
  readonly session: Session;
  readonly address: NasAddress;
  /** How browsers and viewers reach the NAS, when that is set. */
  readonly publicHost: string | null;
  /** Refuses the serial console. */
  readonly readOnly: boolean;
  /** The simulated NAS of the demo. */
  readonly simulated: boolean;
  readonly patience: Patience;
  readonly logger: Logger;
}

/** Opens consoles; see the file's comment. */
export class Consoles {
  readonly #options: ConsolesOptions;
  readonly #session: Session;
  readonly #patience: Patience;

  /** Opens nothing yet. */
  constructor(options: ConsolesOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#patience = options.patience;
  }

  /** Opens a VM's serial console; whoever opens it closes it. READ_ONLY refuses it, for typing changes the guest. */
  async openSerial(id: number): Promise<SerialConsole> {
    if (this.#options.readOnly) {
      throw new TrueNASError("The serial console was refused here: READ_ONLY is set");
    }
    return await this.#session.openSerial(id);
  }

  /** Tells a console the size of its terminal; a console that has ended is not told. */
  async resizeSerial(session: string, cols: number, rows: number): Promise<void> {
    try {
      await this.#session.call("core.resize_shell", [session, cols, rows]);
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      this.#options.logger.debug("A console's size could not be set", { error: error.message });
    }
  }

  /**
   * The passwords of a VM's displays, in order, read from the NAS now; null where it does not tell this account.
   * They are kept nowhere.
   */
  async displayPasswords(id: number): Promise<readonly (string | null)[]> {
    const devices = await this.#session.call(
      "vm.device.query",
      [[["vm", "=", id]]],
      this.#patience,
    );
    const displays = devices.filter(({ attributes }) => attributes.dtype === "DISPLAY");
    return displays.map(({ attributes: { password } }) =>
      typeof password === "string" && password !== "" && !/^\*+$/.test(password) ? password : null
    );
  }

  /**
   * Where the NAS's own page shows a VM's display: an http or https URL on the NAS.
   *
   * @throws {TrueNASError} when it has none, or gives one that leads elsewhere.
   */
  async displayUri(id: number): Promise<string> {
    const { host, scheme } = await this.publicHost() ?? this.#throwNoPublicHost();
    const isSecure = scheme === null ? this.#session.address.startsWith("wss:") : scheme === "https";
    const protocol = isSecure ? "HTTPS" : "HTTP";
    const { uri, error } = await this.#session.call("vm.get_display_web_uri", [id, host, {
      protocol,
    }], this.#patience);
    if (uri === null) {
      throw new TrueNASError(`The NAS has no web console for this VM: ${error ?? "it does not say why"}`);
    }
    const page = pageOnNas(uri, host);
    if (page !== null) return page;
    throw new TrueNASError("The NAS gave an address for this VM's web console that does not lead to the NAS");
  }

  /** Where a viewer finds a display of this address on the NAS. */
  async viewerHost(bind: string): Promise<string> {
    if (isLoopback(bind)) {
      throw new TrueNASError(
        `The display listens on ${bind} of the NAS alone, where no viewer on another machine reaches it. Use the ` +
          "web console, or give the display another address on the NAS",
      );
    }
    if (!["0.0.0.0", "::", ""].includes(bind)) return bind;
    return (await this.publicHost() ?? this.#throwNoPublicHost()).hostname;
  }

  /** How browsers and viewers reach the NAS; null when neither the settings nor the NAS say it. */
  async publicHost(): Promise<PublicHost | null> {
    const { publicHost, simulated, address } = this.#options;
    if (publicHost !== null) return parsePublicHost(publicHost);
    if (simulated && address.kind !== "unix") {
      const { host, hostname } = new URL(address.url);
      return { host, hostname, scheme: null, source: "TRUENAS_HOST" };
    }
    const own = hostOfAddress(address);
    return own ?? (this.#session.state.kind === "live" ? await this.#addressOfNas() : null);
  }

  async #addressOfNas(): Promise<PublicHost | null> {
    try {
      const addresses = await this.#session.call("interface.ip_in_use", [], this.#patience);
      return hostOfNas(addresses.map(({ address }) => address));
    } catch (error) {
      // Without NETWORK_INTERFACE_READ it is not known; whoever asks says what to set.
      if (!(error instanceof TrueNASError)) throw error;
      this.#options.logger.debug("The NAS does not tell its addresses", { error: error.message });
      return null;
    }
  }

  #throwNoPublicHost(): never {
    throw new TrueNASError(
      `The console cannot be opened: this dashboard reaches the NAS at ${this.#session.address}, which only its own ` +
        "machine can, and the NAS does not tell its address. Set NAS_PUBLIC_HOST to the name or address by " +
        "which browsers reach the NAS",
    );
  }
}
