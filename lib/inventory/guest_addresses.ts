/** The addresses of running guests, as their agents report them (TrueNAS 27.0 and later). */
import type { Caller } from "../truenas/client.ts";
import { readGuestIps } from "../truenas/read_inventory.ts";
import type { GuestAddress, Nic, Vm } from "./inventory.ts";

/** An unchanged address is announced this often, in milliseconds, which keeps its displayed age right with little traffic. */
const ADDRESS_AGE_MS = 300_000;

/** The known addresses, by NIC id. */
export class GuestAddresses {
  #byNic: ReadonlyMap<number, GuestAddress> = new Map();

  /**
   * Asks the guests of these running VMs.
   *
   * @param now Milliseconds since 1970 (UTC).
   * @throws {TrueNASError} when the connection is lost; the known addresses are kept.
   */
  async read(caller: Caller, running: readonly Vm[], now: () => number): Promise<void> {
    const found = await readGuestIps(caller, running);
    const readAt = now();
    this.#byNic = new Map([...found].map(([nic, address]) => {
      const known = this.#byNic.get(nic);
      const isFresh = known?.address === address && readAt - known.readAt < ADDRESS_AGE_MS;
      return [nic, isFresh ? known : { address, readAt }];
    }));
  }

  /** Whether a VM has other addresses than those known. */
  hasChanged(vm: Vm): boolean {
    return vm.nics.some((nic) => nic.ip !== this.#of(vm, nic));
  }

  /** A VM with the known addresses; one that is not running has none. */
  addTo(vm: Vm): Vm {
    return { ...vm, nics: vm.nics.map((nic) => ({ ...nic, ip: this.#of(vm, nic) })) };
  }

  #of({ state }: Vm, { deviceId }: Nic): GuestAddress | null {
    return state === "RUNNING" ? this.#byNic.get(deviceId) ?? null : null;
  }
}
