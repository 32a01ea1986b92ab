/** system.*, pool.* and interface.*: information about the NAS itself for plans and pages. */
import type { Method, Nas } from "../nas.ts";
import { choicesOf, instance, type Options, query, type Row } from "./query.ts";
import { CORES, poolFreeBytes, totalMemoryBytes } from "../store.ts";

function poolRow(nas: Nas): Row {
  const { pool, poolBytes } = nas.store;
  const free = poolFreeBytes(nas.store);
  return {
    id: 1,
    name: pool,
    guid: "1234567890123456789",
    path: `/mnt/${pool}`,
    status: "ONLINE",
    scan: null,
    topology: null,
    healthy: true,
    warning: false,
    status_code: "OK",
    status_detail: null,
    size: poolBytes,
    allocated: poolBytes - free,
    free,
    freeing: 0,
    fragmentation: "0",
    size_str: String(poolBytes),
    allocated_str: String(poolBytes - free),
    free_str: String(free),
    freeing_str: "0",
    dedup_table_quota: "auto",
    dedup_table_size: 0,
    expand: null,
    is_upgraded: true,
    ...nas.profile.poolFields,
    autotrim: { parsed: "off", rawvalue: "off", source: "DEFAULT", value: "off" },
  };
}

const info: Method = (nas) => ({
  version: nas.profile.release,
  buildtime: { $date: 1_790_000_000_000 },
  hostname: "truenas",
  physmem: totalMemoryBytes(nas.store),
  model: "Simulated",
  cores: CORES,
  physical_cores: 8,
  loadavg: [0.1, 0.2, 0.1],
  uptime: "1 day",
  uptime_seconds: 86_400,
  system_serial: null,
  system_product: null,
  system_product_version: null,
  license: null,
  boottime: { $date: 1_790_000_000_000 },
  datetime: { $date: Date.now() },
  timezone: "UTC",
  system_manufacturer: null,
  ecc_memory: true,
});

/** The fields of schemas; one is attached to each bridge. */
function interfaceRow({ store: { bridges, interfaces, aliases } }: Nas, name: string): Row {
  const isBridge = bridges.includes(name);
  const own = (aliases.get(name) ?? []).map((alias) => {
    const [address = "", netmask] = alias.split("/");
    return { type: "INET", address, netmask: Number(netmask) };
  });
  const members = isBridge ? interfaces.slice(bridges.indexOf(name)).slice(0, 1) : [];
  return {
    id: name,
    name,
    fake: false,
    type: isBridge ? "BRIDGE" : "PHYSICAL",
    aliases: own,
    ipv4_dhcp: false,
    ipv6_auto: false,
    description: "",
    mtu: null,
    ...(isBridge ? { bridge_members: members, stp: true, enable_learning: true } : {}),
    state: {
      name,
      orig_name: name,
      description: "",
      mtu: 1500,
      cloned: isBridge,
      flags: ["BROADCAST", "MULTICAST", "RUNNING", "UP"],
      nd6_flags: [],
      capabilities: [],
      link_state: "LINK_STATE_UP",
      media_type: "",
      media_subtype: "",
      active_media_type: "",
      active_media_subtype: "",
      supported_media: [],
      media_options: null,
      link_address: "00:15:5d:00:00:01",
      permanent_link_address: null,
      hardware_link_address: "00:15:5d:00:00:01",
      aliases: own,
    },
  };
}

/** system.*, pool.*, interface.* */
export const SYSTEM_METHODS: Readonly<Record<string, Method>> = {
  "system.version": (nas) => `TrueNAS-${nas.profile.answersPing ? "SCALE-" : ""}${nas.profile.release}`,
  "system.version_short": (nas) => nas.profile.release,
  "system.product_type": () => "COMMUNITY_EDITION",
  "system.host_id": (nas) => nas.store.hostId,
  "system.boot_id": (nas) => nas.store.bootId,
  "system.ready": () => true,
  "system.state": () => "READY",
  "system.info": info,
  "pool.query": (nas, [filters, options]) => query([poolRow(nas)], filters as unknown[], options as Options),
  "pool.get_instance": (nas, [id]) => instance([poolRow(nas)], id, "Pool"),
  "interface.query": (nas, [filters, options]) => {
    const { bridges, interfaces } = nas.store;
    const rows = [...bridges, ...interfaces].map((name) => interfaceRow(nas, name));
    return query(rows, filters as unknown[], options as Options);
  },
  "interface.choices": ({ store }) => choicesOf([...store.bridges, ...store.interfaces]),
  "interface.ip_in_use":
    () => [{ type: "INET", address: "192.168.1.10", netmask: 24, broadcast: "192.168.1.255" }],
};
