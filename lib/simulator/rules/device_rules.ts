/** TrueNAS's rules for devices, by dtype. */
import { type Candidate, checkTwice } from "./device_candidate.ts";
import { checkDisk } from "./disk_rules.ts";
import { checkDisplay } from "./display_rules.ts";
import type { Nas } from "../nas.ts";
import { devicesOf } from "../store.ts";
import { callError, plainException, Validation } from "../wire/wire_errors.ts";

/** Checks a device by the rules of its dtype. */
export function checkDevice(nas: Nas, candidate: Candidate): void {
  const errors = new Validation();
  const rule = RULES[candidate.attributes.dtype] ?? checkUnknown;
  rule(nas, candidate, errors);
  errors.check();
}

type Rule = (nas: Nas, candidate: Candidate, errors: Validation) => void;

const RULES: Readonly<Record<string, Rule>> = {
  DISPLAY: checkDisplay,
  CDROM: checkCdrom,
  NIC: checkNic,
  DISK: checkDisk,
  RAW: checkRaw,
  PCI: checkPassthrough("pptdev", "Not a valid choice. The PCI device is not available for passthru."),
  USB: checkPassthrough("device", "USB device is not available."),
};

/** The simulated NAS has no passthrough devices, so none can be chosen. */
function checkPassthrough(field: string, message: string): Rule {
  return (_nas, _candidate, errors) => errors.add(`attributes.${field}`, message);
}

/** Refuses a dtype without rules, so that the simulated NAS accepts nothing that a real one refuses. */
function checkUnknown(_nas: Nas, { attributes }: Candidate, errors: Validation): void {
  errors.add("attributes.dtype", `The simulated NAS has no rules for devices of type ${attributes.dtype}`);
}

/** A file as a disk: an existing one, or a new one with a size. */
function checkRaw(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { path, exists: isThere, size } = candidate.attributes;
  const file = String(path);
  const found = exists(nas, file);
  if (isThere === true && !found) errors.add("attributes.path", 'Path must exist when "exists" is set.');
  else if (isThere !== true && found && candidate.own === null) {
    errors.add("attributes.path", 'Path must not exist when "exists" is unset.');
  } else if (isThere !== true && typeof size !== "number") {
    errors.add("attributes.size", "Please provide a valid size for the raw file.");
  }
  if (!file.startsWith(`/mnt/${nas.store.pool}/`)) {
    errors.add("attributes.path", "The path must reside within a pool mount point");
  }
  checkTwice(nas, candidate, file, errors);
}

/** Files outside the pools are not simulated, so they all exist, and are refused for their location. */
function exists(nas: Nas, path: string): boolean {
  return nas.store.files.has(path) || (path.startsWith("/") && !path.startsWith("/mnt/"));
}

function checkCdrom(nas: Nas, candidate: Candidate, errors: Validation): void {
  const path = String(candidate.attributes.path);
  const { texts } = nas.profile;
  const [, mnt, pool, ...rest] = path.split("/");
  const isInPool = mnt === "mnt" && pool === nas.store.pool;
  if (!path.startsWith("/") && texts.isoRelative !== null) errors.add("attributes.path", texts.isoRelative);
  else if (!exists(nas, path) && (isInPool || texts.checksExistenceFirst)) {
    const missing = texts.isoMissing(path);
    if (missing.kind === "call") throw callError(missing.errno, missing.reason);
    if (missing.kind === "plain") throw plainException("FileNotFoundError", missing.reason);
    errors.add(...missing.invalid);
  } else if (isInPool && rest.length < 2 && texts.isoInPoolRoot !== null) {
    errors.add("attributes.path", texts.isoInPoolRoot(pool));
  }
  if (!isInPool) errors.add("attributes.path", "The path must reside within a pool mount point");
  checkTwice(nas, candidate, path, errors);
}

function checkNic(nas: Nas, candidate: Candidate, errors: Validation): void {
  const { attributes, vmId } = candidate;
  const { nic_attach: attach, mac } = attributes;
  const choices = [...nas.store.bridges, ...nas.store.interfaces];
  if (attach !== null && !choices.includes(String(attach))) {
    errors.add("attributes.nic_attach", "Not a valid choice.");
  }
  if (attributes.trust_guest_rx_filters === true) {
    const path = "attributes.trust_guest_rx_filters";
    if (nas.store.bridges.includes(String(attach))) {
      errors.add(path, 'This can only be set when "nic_attach" is not a bridge device');
    } else if (attributes.type === "E1000") {
      errors.add(path, 'This can only be set when "type" of NIC device is "VIRTIO"');
    }
  }
  if (typeof mac === "string" && mac.toLowerCase().startsWith("ff")) {
    errors.add("attributes.mac", "MAC address must not start with `ff`");
  }
  const nics = devicesOf(nas.store, vmId).filter((it) =>
    it !== candidate.own && it.attributes.dtype === "NIC"
  );
  if (typeof mac === "string" && nas.profile.strictMac && nics.some((it) => it.attributes.mac === mac)) {
    const text = `${candidate.vmName} already has a NIC with MAC address '${mac}' configured`;
    errors.add("attributes.mac", text);
  }
}
