/** The section `addresses` of a VM type, and the checks of its values. Pure. */
import { normalAddress } from "../../configuration/environment/ip_addresses.ts";
import { show } from "../../inputs.ts";
import { z } from "../../zod.ts";
import type { AddressSection, PlannedAddress } from "../types.ts";
import { type AddressList, hostProblem, parseAddress, parseRange } from "./address_list.ts";
import { addressText, hasAddress, hostValue, type NetworkAddress, networkText } from "./ipv4_network.ts";

/** A problem at a place below `addresses`. */
export interface AddressProblem {
  /** `["lan", "range"]` */
  readonly path: readonly string[];
  /** What is wrong and what to do. */
  readonly message: string;
}

const KEYS: readonly string[] = ["range", "list", "gateway", "dns"];
const EXAMPLE = "{ range: 10.0.0.21-29/24, gateway: 10.0.0.1 }";

/** Checks the values of `addresses`, by network. */
export const addressesSection: z.ZodType<Readonly<Record<string, AddressSection>>> = z.unknown()
  .superRefine((value, context) => {
    for (const { path, message } of sectionProblems(value)) {
      // Fatal: the checks of the whole type read only sound addresses.
      context.addIssue({ code: "custom", path: [...path], message, fatal: true });
    }
  })
  .transform((value) => value as Readonly<Record<string, AddressSection>>)
  .meta({
    type: "object",
    additionalProperties: {
      anyOf: [{ const: "dhcp" }, {
        type: "object",
        additionalProperties: false,
        properties: {
          range: { type: "string" },
          list: { type: "array", items: { type: "string" } },
          gateway: { type: "string" },
          dns: { type: "array", items: { type: "string" } },
        },
      }],
    },
  });

function sectionProblems(value: unknown): AddressProblem[] {
  if (!isRecord(value)) {
    return [{ path: [], message: `addresses must be network: value lines, such as lan: ${EXAMPLE}` }];
  }
  return Object.entries(value).flatMap(([network, section]) =>
    networkProblems(section).map(({ path, message }) => ({ path: [network, ...path], message }))
  );
}

function networkProblems(section: unknown): AddressProblem[] {
  if (section === "dhcp") return [];
  if (!isRecord(section)) return [{ path: [], message: `Write dhcp, or a range such as ${EXAMPLE}` }];
  const unknown = Object.keys(section).filter((key) => !KEYS.includes(key));
  const problems = [
    ...unknown.map((key) => ({
      path: [key],
      message: `${show(key)} is not known here; there are ${KEYS.join(", ")}`,
    })),
    ...shapeProblems(section),
  ];
  return problems.length > 0 ? problems : valueProblems(section as Exclude<AddressSection, "dhcp">);
}

function shapeProblems({ range, list, gateway, dns }: Record<string, unknown>): AddressProblem[] {
  return [
    ...(isAbsent(range) || typeof range === "string" ? [] : [textExpected("range", "The range", range)]),
    ...(isAbsent(gateway) || typeof gateway === "string"
      ? []
      : [textExpected("gateway", "The gateway", gateway)]),
    ...(isAbsent(list) || isTexts(list) ? [] : [{
      path: ["list"],
      message: "The addresses must be a list: [10.0.0.21/24, 10.0.0.25/24]",
    }]),
    ...(isAbsent(dns) || isTexts(dns)
      ? []
      : [{ path: ["dns"], message: "The DNS servers must be a list: [10.0.0.1]" }]),
    ...(isAbsent(range) && isAbsent(list)
      ? [{ path: [], message: `There are no addresses; add a range or a list, such as ${EXAMPLE}` }]
      : []),
    ...(isAbsent(range) || isAbsent(list)
      ? []
      : [{ path: ["list"], message: "A network has a range or a list, not both; remove one" }]),
  ];
}

function valueProblems(section: Exclude<AddressSection, "dhcp">): AddressProblem[] {
  const { gateway, dns = [] } = section;
  const key = keyOf(section);
  const odd = dns.flatMap((server) =>
    normalAddress(server) === null
      ? [{ path: ["dns"], message: `${show(server)} is not an IP address; write it like 10.0.0.1` }]
      : []
  );
  const { addresses, problems } = readAddresses(section);
  const first = addresses?.at(0) ?? null;
  if (addresses === null || first === null) {
    const noAddress = gateway === undefined || hostValue(gateway) !== null ? [] : [notAnAddress(gateway)];
    return [
      ...problems.map((message) => ({ path: [key], message })),
      ...noAddress.map((message) => ({ path: ["gateway"], message })),
      ...odd,
    ];
  }
  const wrong = gateway === undefined ? null : gatewayProblem(gateway, first);
  if (wrong !== null) return [{ path: ["gateway"], message: wrong }, ...odd];
  const taken = gateway === undefined ? null : clashWithGateway(addresses, gateway);
  return [...(taken === null ? [] : [{ path: [key], message: taken }]), ...odd];
}

function gatewayProblem(gateway: string, network: NetworkAddress): string | null {
  const value = hostValue(gateway);
  if (value === null) return notAnAddress(gateway);
  if (hasAddress(network, value)) return hostProblem({ value, prefix: network.prefix });
  return `The gateway ${gateway} is not in the network ${networkText(network)}; ` +
    "enter the router's address in that network";
}

function notAnAddress(gateway: string): string {
  return `${show(gateway)} is not an IPv4 address; write it like 10.0.0.1`;
}

function clashWithGateway({ length, at }: AddressList, gateway: string): string | null {
  const value = hostValue(gateway);
  const first = at(0)?.value ?? 0;
  const last = at(length - 1)?.value ?? 0;
  if (value === null) return null;
  // Only lists are unordered, and they are short.
  const has = last - first + 1 === length
    ? value >= first && value <= last
    : Array.from({ length }, (_, n) => at(n)?.value).includes(value);
  return has ? `${gateway} is the gateway's address; leave it out` : null;
}

/** Checks `addresses` together with the networks and the count of its type. */
export function addressesProblems(
  { addresses = {}, network, count }: {
    readonly addresses?: Readonly<Record<string, AddressSection>> | undefined;
    readonly network: Readonly<Record<string, string>>;
    readonly count: number;
  },
): AddressProblem[] {
  return Object.entries(addresses).flatMap(([name, section]): AddressProblem[] => {
    if (!Object.hasOwn(network, name)) {
      const others = Object.keys(network);
      const known = others.length === 0 ? "the type has none" : `the networks are ${others.join(", ")}`;
      return [{ path: [name], message: `There is no network ${show(name)}; ${known}` }];
    }
    if (section === "dhcp") return [];
    const found = readAddresses(section).addresses?.length ?? 0;
    const missing = count - found;
    if (missing <= 0) return [];
    const message = `${count} VMs need as many addresses, found ${found}; add ${missing}`;
    return [{ path: [name, keyOf(section)], message }];
  });
}

/** The key that has the addresses: `range` or `list`. */
export function keyOf({ range }: Exclude<AddressSection, "dhcp">): "range" | "list" {
  return range === undefined ? "list" : "range";
}

interface ReadAddresses {
  readonly addresses: AddressList | null;
  readonly problems: readonly string[];
}

function readAddresses({ range, list = [] }: Exclude<AddressSection, "dhcp">): ReadAddresses {
  if (range !== undefined) {
    const parsed = parseRange(range);
    return "problem" in parsed
      ? { addresses: null, problems: [parsed.problem] }
      : { addresses: parsed.addresses, problems: [] };
  }
  if (list.length === 0) return { addresses: null, problems: ["The list is empty; add addresses"] };
  const parsed = list.map(parseAddress);
  const problems = parsed.flatMap((it) => "problem" in it ? [it.problem] : []);
  const values = parsed.flatMap((it) => "problem" in it ? [] : [it]);
  const twice = values.find(({ value }, n) => values.findIndex((it) => it.value === value) < n);
  const [first] = values;
  const outside = first === undefined
    ? undefined
    : values.find(({ value, prefix }) => prefix !== first.prefix || !hasAddress(first, value));
  const whole = [
    ...problems,
    ...(twice === undefined ? [] : [`${addressText(twice.value)} is in the list twice; remove one`]),
    ...(first === undefined || outside === undefined ? [] : [
      `${addressText(outside.value)}/${outside.prefix} is not in the network ${networkText(first)} of ` +
      "the first address; all addresses of a network are in one",
    ]),
  ];
  const at = (index: number) => values[index] ?? null;
  return { addresses: whole.length > 0 ? null : { length: values.length, at }, problems: whole };
}

/**
 * The address of a VM by its index among those of its type, from 0, so that it stays when others come or go; null with
 * DHCP, and where there are fewer.
 */
export function plannedAddress(section: AddressSection | undefined, index: number): PlannedAddress | null {
  if (section === undefined || section === "dhcp") return null;
  const found = readAddresses(section).addresses?.at(index) ?? null;
  if (found === null) return null;
  const { gateway = null, dns = [] } = section;
  return { address: addressText(found.value), prefix: found.prefix, gateway, dns };
}

function isAbsent(value: unknown): boolean {
  return value === undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((it) => typeof it === "string");
}

function textExpected(key: string, what: string, found: unknown): AddressProblem {
  return { path: [key], message: `${what} must be text, found ${show(found)}` };
}
