/** What a device has to be like to be taken, by kind; and the ports and zvols that devices use. */
import type { Call, Nas } from "./nas.ts";
import {
  addDataset,
  devicesOf,
  poolFreeBytes,
  type StoredDevice,
  VOLBLOCKSIZE_BYTES,
  zvolAt,
} from "./store.ts";
import { ERRNO, plainException, Validation } from "./wire_errors.ts";

type Attributes = StoredDevice["attributes"];

/** The device that is checked. */
export interface Candidate {
  readonly vmId: number;
  readonly vmName: string;
  readonly attributes: Attributes;
  /** The row that is updated, which does not clash with itself. */
  readonly own: StoredDevice | null;
}

const LOWEST_PORT = 5900;
const HIGHEST_PORT = 65_535;
/** Taken by the NAS itself. */
const RESERVED_PORTS: readonly number[] = [6000];

/** Checks a device by the rules of its kind, and fills in what the NAS fills in. */
export function checkDevice(nas: Nas, candidate: Candidate): void {
  const errors = new Validation();
  const rule = RULES[candidate.attributes.dtype];
  rule?.(nas, candidate, errors);
  errors.check();
}

type Rule = (nas: Nas, candidate: Candidate, errors: Validation) => void;

const RULES: Readonly<Record<string, Rule>> = {
  DISPLAY: checkDisplay,
  CDROM: checkCdrom,
  NIC: checkNic,
  DISK: checkDisk,
};

function others(nas: Nas, { own }: Candidate): StoredDevice[] {
  return [...nas.store.devices.values()].filter((device) => device !== own);
}

function usedPorts(devices: readonly StoredDevice[]): Set<unknown> {
  const displays = devices.filter(({ attributes }) => attributes.dtype === "DISPLAY");
  return new Set<unknown>([
    ...RESERVED_PORTS,
    ...displays.flatMap(({ attributes }) => [attributes.port, attributes.web_port]),
  ]);
}

/** The next two free ports, as vm.port_wizard tells them; nothing is reserved. */
export function autoPorts(
  nas: Nas,
  keep: Readonly<Record<string, unknown>> = {},
): { port: number; web_port: number } {
  const used = usedPorts([...nas.store.devices.values()]);
  const next = () => {
    for (let port = LOWEST_PORT; port <= HIGHEST_PORT; port++) {
      if (used.has(port)) continue;
      used.add(port);
      return port;
    }
    return HIGHEST_PORT;
  };
  for (const port of [keep.port, keep.web_port]) if (typeof port === "number") used.add(port);
  const port = typeof keep.port === "number" ? keep.port : next();
  return { port, web_port: typeof keep.web_port === "number" ? keep.web_port : next() };
}

function checkDisplay(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes, vmId } = candidate;
  const { type, port, web_port: webPort, bind, password } = attributes;
  const displays = others(nas, candidate).filter(({ attributes }) => attributes.dtype === "DISPLAY");
  if (displays.some((it) => it.vm === vmId && it.attributes.type === type)) {
    errors.add("attributes.type", `Only one ${String(type)} Display device is supported`);
  }
  if (type === "SPICE" && nas.profile.refusesPortlessSpice && port === webPort) {
    errors.add("attributes.port", "Spice server port must not be same as web port");
  }
  const used = usedPorts(displays);
  if (typeof port === "number" && used.has(port)) {
    errors.add(
      "attributes.port",
      `Specified display port(${port}) is already in use by another Display device`,
    );
  }
  if (typeof webPort === "number") checkWebPort(webPort, used, errors);
  for (const [key, value] of [["port", port], ["web_port", webPort]] as const) {
    const service = typeof value === "number" ? nas.store.servicePorts.get(value) : undefined;
    if (service === undefined) continue;
    errors.add(
      `attributes.${key}`,
      `The port is being used by following services:\n1) "0.0.0.0:${String(value)}" used by ${service}`,
    );
  }
  if (!nas.store.bindAddresses.includes(String(bind))) {
    errors.add("attributes.bind", "Requested bind address is not valid");
  }
  if (typeof password !== "string" || password.trim() === "") {
    errors.add("attributes.password", "Password is required for display devices");
  }
  if (type === "VNC") {
    if (typeof password === "string" && password.length > 8) {
      errors.add("attributes.password", "Password for VNC display device must be 8 characters or less");
    }
    if (attributes.web === true) {
      errors.add("attributes.web", "Web access is not supported for VNC display devices");
    }
  }
}

function checkWebPort(webPort: number, used: ReadonlySet<unknown>, errors: Validation): void {
  if (webPort < LOWEST_PORT || webPort > HIGHEST_PORT) {
    errors.add("attributes.web_port", "Specified port must be between 5900 and 65535, inclusive");
  } else if (used.has(webPort)) {
    errors.add(
      "attributes.web_port",
      `Specified display port(${webPort}) is already in use by another Display device`,
    );
  }
}

function checkCdrom(nas: Nas, candidate: Candidate, errors: Validation): void {
  const path = String(candidate.attributes.path);
  const { texts } = nas.profile;
  const exists = nas.store.files.has(path);
  if (!exists && texts.isoMissing === null) {
    throw plainException("FileNotFoundError", `[Errno 2] No such file or directory: '${path}'`);
  }
  if (!exists && texts.isoMissing !== null) {
    const { attribute, message } = texts.isoMissing(path);
    errors.add(attribute, message, attribute === "path" ? ERRNO.ENOENT : ERRNO.EINVAL);
  }
  const [, mnt, pool, ...rest] = path.split("/");
  if (mnt !== "mnt" || pool !== nas.store.pool) {
    if (exists) errors.add("attributes.path", "The path must reside within a pool mount point");
  } else if (exists && rest.length < 2 && texts.isoInPoolRoot !== null) {
    errors.add("attributes.path", texts.isoInPoolRoot(pool));
  }
  checkTwice(nas, candidate, path, errors);
}

function checkTwice(nas: Nas, candidate: Candidate, path: string, errors: Validation): void {
  const twin = devicesOf(nas.store, candidate.vmId).find((it) =>
    it !== candidate.own && it.attributes.path === path
  );
  if (twin !== undefined) {
    errors.add("attributes.path", `${candidate.vmName} has "${path}" already configured`);
  }
}

function checkNic(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes, vmId } = candidate;
  const { nic_attach: attach, mac } = attributes;
  const choices = [...nas.store.bridges, ...nas.store.interfaces];
  if (attach !== null && !choices.includes(String(attach))) {
    errors.add("attributes.nic_attach", "Not a valid choice.");
  }
  if (attributes.trust_guest_rx_filters === true) {
    if (nas.store.bridges.includes(String(attach))) {
      errors.add(
        "attributes.trust_guest_rx_filters",
        'This can only be set when "nic_attach" is not a bridge device',
      );
    } else if (attributes.type === "E1000") {
      errors.add(
        "attributes.trust_guest_rx_filters",
        'This can only be set when "type" of NIC device is "VIRTIO"',
      );
    }
  }
  if (typeof mac === "string" && mac.toLowerCase().startsWith("ff")) {
    errors.add("attributes.mac", "MAC address must not start with `ff`");
  }
  const clash = devicesOf(nas.store, vmId).some((it) =>
    it !== candidate.own && it.attributes.dtype === "NIC" && typeof mac === "string" &&
    it.attributes.mac === mac
  );
  if (clash && nas.profile.strictMac) {
    errors.add("attributes.mac", "MAC address is already in use by another NIC of this VM");
  }
}

function checkDisk(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes } = candidate;
  if (attributes.create_zvol === true) return checkNewZvol(nas, candidate, errors);
  const path = String(attributes.path);
  if (!path.startsWith("/dev/zvol/")) {
    errors.add("attributes.path", 'Disk path must start with "/dev/zvol/"');
  } else {
    const zvol = zvolAt(path) ?? "";
    if (nas.store.datasets.get(zvol)?.type !== "VOLUME") {
      errors.add("attributes.path", nas.profile.texts.zvolMissing(zvol, path), ERRNO.ENOENT);
    }
  }
  checkTwice(nas, candidate, path, errors);
}

function checkNewZvol(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { zvol_name: name, zvol_volsize: size } = candidate.attributes;
  if (typeof name !== "string" || name === "") {
    return errors.add("attributes.zvol_name", "This field is required.");
  }
  if (typeof size !== "number") return errors.add("attributes.zvol_volsize", "This field is required.");
  const parent = name.split("/").slice(0, -1).join("/");
  if (nas.store.datasets.has(name)) errors.add("attributes.zvol_name", `'${name}' already exists.`);
  else if (nas.store.datasets.get(parent)?.type !== "FILESYSTEM") {
    return errors.add("attributes.zvol_name", nas.profile.texts.parentMissing(parent), ERRNO.ENOENT);
  }
  checkTwice(nas, candidate, `/dev/zvol/${name.replaceAll(" ", "+")}`, errors);
}

/** TrueNAS advises against filling a pool further, and refuses without force_size. */
const ZVOL_SHARE = 0.8;

/** What pool.dataset.create asks of a zvol's size, for both ways of making one. */
export function checkVolsize(nas: Nas, sizeBytes: number, forced: boolean, errors: Validation): void {
  const path = "pool_dataset_create.volsize";
  if (sizeBytes % VOLBLOCKSIZE_BYTES !== 0) {
    errors.add(path, "Volume size should be a multiple of volume block size");
  }
  if (!forced && sizeBytes > poolFreeBytes(nas.store) * ZVOL_SHARE) {
    errors.add(path, "It is not recommended to use more than 80% of your available space for VOLUME");
  }
}

/** Makes the zvol that a disk asked for; the row comes after. */
export async function makeZvol(nas: Nas, attributes: Attributes, call: Call): Promise<void> {
  if (attributes.dtype !== "DISK" || attributes.create_zvol !== true) return;
  const { zvol_name: name, zvol_volsize: size } = attributes;
  const errors = new Validation();
  checkVolsize(nas, Number(size), false, errors);
  errors.check();
  await nas.sleep(nas.times.zvolMs, call.signal);
  addDataset(nas.store, { name: String(name), type: "VOLUME", volsizeBytes: Number(size) });
  Object.assign(attributes, {
    path: `/dev/zvol/${String(name).replaceAll(" ", "+")}`,
    create_zvol: false,
    zvol_name: null,
    zvol_volsize: null,
  });
}
