/** Serial consoles and displays of VMs, and the addresses at which they are reached. */
import { isLoopback } from "../configuration/environment/ip_addresses.ts";
import { type NasAddress, pageOnNas } from "../configuration/environment/nas_address.ts";
import {
  hostOfAddress,
  hostOfNas,
  parsePublicHost,
  type PublicHost,
} from "../configuration/environment/public_host.ts";
import { TrueNASError } from "../errors/errors.ts";
import type { Logger } from "../observability/logging.ts";
import type { Session } from "../truenas/connection/session.ts";
import type { SerialConsole } from "../truenas/connection/shell.ts";
import type { Patience } from "../truenas/read_inventory.ts";
import type { Display } from "../inventory/inventory.ts";
import { SharedSerials } from "./shared_serials.ts";
import { connectDisplay, type DisplaySocket } from "./display_socket.ts";
import { type DisplayTarget, displayTarget, type FoundTarget } from "./display_target.ts";

/** What opening consoles needs. */
export interface ConsolesOptions {
  readonly session: Session;
  readonly address: NasAddress;
  /** How browsers and viewers reach the NAS; null when not configured. */
  readonly publicHost: string | null;
  /** Refuses the serial console. */
  readonly readOnly: boolean;
  readonly simulated: boolean;
  readonly patience: Patience;
  readonly logger: Logger;
}

/** The password of one display. */
export interface DisplayPassword {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** null where the NAS does not tell it to this account. */
  readonly password: string | null;
}

/** Opens consoles; see the file's comment. */
export class Consoles {
  readonly #options: ConsolesOptions;
  readonly #session: Session;
  readonly #serials: SharedSerials;

  /** Opens nothing yet. */
  constructor(options: ConsolesOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#serials = new SharedSerials((vmId) => options.session.openSerial(vmId));
  }

  /**
   * Opens a VM's serial console, or joins one that is open here; the caller closes it.
   *
   * @throws {TrueNASError} when it cannot be opened, or when READ_ONLY is set, because typing can change the guest.
   */
  async openSerial(id: number): Promise<SerialConsole> {
    if (this.#options.readOnly) {
      throw new TrueNASError("The serial console was not opened, because READ_ONLY is set");
    }
    return await this.#serials.open(id);
  }

  /** Sets the size of a serial console's terminal, in characters; has no effect when the console has ended. */
  async resizeSerial(session: string, cols: number, rows: number): Promise<void> {
    try {
      await this.#session.call("core.resize_shell", [session, cols, rows]);
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      this.#options.logger.debug("The size of a serial console could not be set", { error: error.message });
    }
  }

  /** Where the dashboard reaches a display, or why it cannot. */
  displayTarget(display: Display): FoundTarget {
    return displayTarget(display, this.#options);
  }

  /**
   * Connects to a display; whoever connects closes it. READ_ONLY refuses it, for typing changes the guest.
   *
   * @throws {DisplayUnreachable} when the display does not accept.
   */
  async openDisplay(target: DisplayTarget): Promise<DisplaySocket> {
    if (this.#options.readOnly) throw new TrueNASError("The screen was refused here: READ_ONLY is set");
    return await connectDisplay(target);
  }

  /** Whether READ_ONLY refuses consoles. */
  get readOnly(): boolean {
    return this.#options.readOnly;
  }

  /** Reads the passwords of a VM's displays, in order. They are not stored. */
  async displayPasswords(id: number): Promise<readonly DisplayPassword[]> {
    const { patience } = this.#options;
    const devices = await this.#session.call("vm.device.query", [[["vm", "=", id]]], patience);
    const displays = devices.filter(({ attributes }) => attributes.dtype === "DISPLAY");
    return displays.map(({ id, attributes: { password } }) => ({
      deviceId: id,
      password: typeof password === "string" && password !== "" && !/^\*+$/.test(password) ? password : null,
    }));
  }

  /**
   * The http or https URL of TrueNAS's page for a VM's display.
   *
   * @throws {TrueNASError} when there is none, or when it leads to another host.
   */
  async displayUri(id: number): Promise<string> {
    const { host, scheme } = await this.#knownHost();
    const isSecure = scheme === null ? this.#session.address.startsWith("wss:") : scheme === "https";
    const options = { protocol: isSecure ? "HTTPS" : "HTTP" } as const;
    const { patience } = this.#options;
    const { uri, error } = await this.#session.call("vm.get_display_web_uri", [id, host, options], patience);
    if (uri === null) {
      throw new TrueNASError(`TrueNAS offers no web console for this VM: ${error ?? "it gave no reason"}`);
    }
    const page = pageOnNas(uri, host);
    if (page !== null) return page;
    throw new TrueNASError(
      "The address that TrueNAS gave for this VM's web console leads to another host, so it was not opened",
    );
  }

  /**
   * The host at which viewers reach a display.
   *
   * @param bind The address on which the display listens.
   * @throws {TrueNASError} when only the NAS itself can reach it, or when the NAS's address is unknown.
   */
  async viewerHost(bind: string): Promise<string> {
    if (isLoopback(bind)) {
      throw new TrueNASError(
        `The display listens only on ${bind} of the NAS, which viewers on other machines cannot reach. Use the web ` +
          "console, or change the display's bind address in TrueNAS",
      );
    }
    if (!["0.0.0.0", "::", ""].includes(bind)) return bind;
    return (await this.#knownHost()).hostname;
  }

  /** How browsers and viewers reach the NAS; null when it is neither configured nor reported by TrueNAS. */
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

  /**
   * TrueNAS's own page of VMs, as far as its address is known without asking the NAS; null for a simulated one, which has
   * no pages.
   */
  nasPage(): string | null {
    const { publicHost, simulated, address } = this.#options;
    if (simulated) return null;
    const known = publicHost === null ? hostOfAddress(address) : parsePublicHost(publicHost);
    if (known === null) return null;
    const isSecure = known.scheme === null ? address.kind === "wss" : known.scheme === "https";
    return `${isSecure ? "https" : "http"}://${known.host}/ui/vm`;
  }

  async #addressOfNas(): Promise<PublicHost | null> {
    try {
      const addresses = await this.#session.call("interface.ip_in_use", [], this.#options.patience);
      return hostOfNas(addresses.map(({ address }) => address));
    } catch (error) {
      // The account needs the role NETWORK_INTERFACE_READ; without it the caller's message says what to configure.
      if (!(error instanceof TrueNASError)) throw error;
      this.#options.logger.debug("The NAS's addresses could not be read", { error: error.message });
      return null;
    }
  }

  async #knownHost(): Promise<PublicHost> {
    const host = await this.publicHost();
    if (host !== null) return host;
    throw new TrueNASError(
      `The console cannot be opened, because only the dashboard's own machine can reach the NAS at ${this.#session.address}, ` +
        "and TrueNAS does not report another address. Set NAS_PUBLIC_HOST to the name or address at which browsers " +
        "reach the NAS",
    );
  }
}
