/** core.ping_remote and core.arp: the devices in the networks of the NAS. */
import type { Method, Nas } from "../nas.ts";

/** The device that answers at an address. One that is attached without a bridge (MACVLAN) cannot reach the NAS. */
function answering({ store }: Nas, address: string): string | undefined {
  const host = store.hosts.get(address);
  if (host !== undefined) return host;
  for (const { vm, attributes: { dtype, nic_attach: attach, mac } } of store.devices.values()) {
    if (dtype !== "NIC" || typeof mac !== "string" || !store.bridges.includes(String(attach))) continue;
    const { state, addresses } = store.vms.get(vm) ?? {};
    if (state === "RUNNING" && addresses?.[mac] === address) return mac;
  }
  return undefined;
}

const pingRemote: Method = async (nas, [options], { signal }) => {
  const { hostname, timeout } = options as { hostname: string; timeout: number };
  const mac = answering(nas, hostname);
  if (mac !== undefined) nas.store.arp.set(hostname, mac);
  else await nas.sleep(timeout * nas.times.pingSecondMs, signal);
  return mac !== undefined;
};

/** The table has only devices that packets were exchanged with. */
const arp: Method = ({ store }, [options]) => {
  const { ip } = options as { ip: string | null };
  return Object.fromEntries([...store.arp].filter(([address]) => ip === null || ip === address));
};

/** core.ping_remote, core.arp */
export const NEIGHBOUR_METHODS: Readonly<Record<string, Method>> = {
  "core.ping_remote": pingRemote,
  "core.arp": arp,
};
