/** TrueNAS's rules for displays, and the ports that displays use. */
import type { Candidate } from "./device_candidate.ts";
import type { Nas } from "../nas.ts";
import type { StoredDevice } from "../store.ts";
import type { Validation } from "../wire/wire_errors.ts";

const LOWEST_PORT = 5900;
const HIGHEST_PORT = 65_535;
/** Used by the NAS itself. */
const RESERVED_PORTS: readonly number[] = [6000];

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

/** The next two free ports, like vm.port_wizard, which reserves nothing. */
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

/** The rules of a display. */
export function checkDisplay(nas: Nas, candidate: Candidate, errors: Validation): void {
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
  if (typeof port === "number" && used.has(port)) errors.add("attributes.port", portInUse(port));
  if (typeof webPort === "number") checkWebPort(webPort, used, errors);
  checkServices(nas, attributes, errors);
  if (!nas.store.bindAddresses.includes(String(bind))) {
    errors.add("attributes.bind", "Requested bind address is not valid");
  }
  if (typeof password !== "string" || password.trim() === "") {
    errors.add("attributes.password", "Password is required for display devices");
  }
  if (type === "VNC" && typeof password === "string" && password.length > 8) {
    errors.add("attributes.password", "Password for VNC display device must be 8 characters or less");
  }
  if (type === "VNC" && attributes.web === true) {
    const text = "Web access is not supported for VNC display devices, please use SPICE instead";
    errors.add("attributes.web", text);
  }
}

function portInUse(port: number): string {
  return `Specified display port(${port}) is already in use by another Display device`;
}

function checkServices(nas: Nas, attributes: Candidate["attributes"], errors: Validation): void {
  for (const key of ["port", "web_port"] as const) {
    const value = attributes[key];
    const service = typeof value === "number" ? nas.store.servicePorts.get(value) : undefined;
    if (service === undefined) continue;
    const text = `The port is being used by following services:\n1) "0.0.0.0:${
      String(value)
    }" used by ${service}`;
    errors.add(`attributes.${key}`, text);
  }
}

function checkWebPort(webPort: number, used: ReadonlySet<unknown>, errors: Validation): void {
  if (webPort < LOWEST_PORT || webPort > HIGHEST_PORT) {
    errors.add("attributes.web_port", "Specified port must be between 5900 and 65535, inclusive");
  } else if (used.has(webPort)) errors.add("attributes.web_port", portInUse(webPort));
}
