/** Rules about first configurations (seeds). */
import { vmTypeOf } from "../../configuration/configuration.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { seedArgumentProblem } from "../../first_boot/command_line_args.ts";
import { seedFacts } from "../../first_boot/planning/seed_facts.ts";
import { reachProblem } from "../../first_boot/planning/seed_reach.ts";
import { isUnreachable, seedUrlChars } from "../../first_boot/planning/seed_way.ts";
import { renderSeed } from "../../first_boot/rendering/render_seed.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { hasRole } from "../../truenas/roles.ts";
import { type Context, error, firstOfEachType, type Rule, warning } from "./rule.ts";

/** The rules about VMs that get a seed. */
export const SEED_RULES: readonly Rule[] = [
  checkContents,
  checkHostNames,
  checkDisks,
  checkArguments,
  checkHost,
  checkNetworks,
  checkReaders,
];

function seededOf({ active }: Context): readonly PlannedVm[] {
  return active.filter(({ seed, steps }) => seed !== undefined && steps.includes("seed"));
}

function fieldOf({ type }: PlannedVm): string {
  return `${type}.seed`;
}

/** Each seed is rendered as its guest would get it; what comes of it is kept nowhere. */
function checkContents(context: Context): Finding[] {
  const problems = seededOf(context).flatMap((vm) => {
    const message = contentsProblem(context, vm);
    return message === null ? [] : [{ vm, message }];
  });
  const same = Map.groupBy(problems, ({ vm, message }) => `${vm.type} ${message}`);
  return [...same.values()].flatMap((all) => {
    const [first] = all;
    return first === undefined ? [] : [error(all.map(({ vm }) => vm), fieldOf(first.vm), first.message)];
  });
}

function contentsProblem({ input: { configuration, seeds } }: Context, vm: PlannedVm): string | null {
  const { seed: section, count } = vmTypeOf(configuration, vm.type);
  const read = seeds?.types.get(vm.type);
  if (section === undefined || read === undefined) return null;
  if (!read.known) return read.because;
  try {
    const instance = { instanceId: PLANNED_INSTANCE, phoneHomeUrl: PLANNED_URL };
    renderSeed(section, seedFacts(vm, { section, count }, instance), read.texts);
    return null;
  } catch (problem) {
    if (problem instanceof ConfigurationError) return problem.message;
    throw problem;
  }
}

/** A NAS at a loopback address may be simulated, with guests on this machine; those of a real one would look at themselves. */
function checkHost(context: Context): Finding[] {
  const { input: { seeds }, inventory: { nas } } = context;
  const host = seeds?.host ?? null;
  // Talos and Ignition on a CD-ROM have nothing to ask here.
  const [first] = seededOf(context).filter(({ seed }) => seed?.way === "url" || seed?.kind === "cloud-init");
  if (host === null || first === undefined || nas.simulated || !isUnreachable(host)) return [];
  if (seeds?.simulated !== true) return [];
  const message =
    `SEED_HOST is ${host}, which only guests of a simulated NAS on this machine reach; for a real one, ` +
    "set it to an address of this machine in the guests' network";
  return [warning(fieldOf(first), message)];
}

/** Guests in another network may have a router that leads here, which is why this is no error. */
function checkNetworks({ active, input: { seeds, interfaces = new Map() } }: Context): Finding[] {
  const host = seeds?.host ?? null;
  if (host === null || isUnreachable(host)) return [];
  const calling = active.filter(({ seed, ready, steps }) =>
    (seed?.way === "url" && steps.includes("seed")) ||
    (ready?.when === "phone-home" && steps.includes("ready"))
  );
  return firstOfEachType(calling).flatMap((vm) => {
    const nics = vm.devices.flatMap((device) => device.dtype === "NIC" ? device : []);
    const why = reachProblem(host, nics, interfaces);
    if (why === null) return [];
    const message = `The guests of ${vm.type} may not reach this program at SEED_HOST (${host}): ${why}. ` +
      "If they do not, set it to an address of this machine in their network";
    return [warning(fieldOf(vm), message)];
  });
}

/** An installer can read a seed (Ubuntu's does), which is why this is no error. */
function checkReaders(context: Context): Finding[] {
  const empty = seededOf(context).filter((vm) => {
    const [first] = vm.devices.filter((device) => device.dtype === "DISK");
    const isCopy = first?.image !== undefined || first?.source !== undefined || first?.adopt === true;
    return vm.action === "create" && !isCopy;
  });
  return firstOfEachType(empty).map((vm) => {
    const cdrom = vm.devices.find(({ dtype }) => dtype === "CDROM");
    const reader = cdrom === undefined
      ? "and no install image, so nothing reads its first configuration (seed)"
      : "so only its install image could read the first configuration (seed), and few do";
    return warning(
      fieldOf(vm),
      `The first disk of ${vm.type} is empty, ${reader}. Choose an image, such as a cloud image`,
    );
  });
}

/** Clusters take two nodes of one name for the same node. */
function checkHostNames(context: Context): Finding[] {
  const named = Map.groupBy(seededOf(context), ({ seed }) => seed?.hostname ?? "");
  return [...named].flatMap(([hostname, vms]) => {
    const [first] = vms;
    if (first === undefined || vms.length < 2) return [];
    const message = `${
      vms.map(({ name }) => name).join(" and ")
    } would have the same host name ${hostname}; ` +
      "use {{ vm.name }} in seed.hostname";
    return [error(vms, `${first.type}.seed.hostname`, message)];
  });
}

/** The uuid and the address are chosen when a VM is created. */
const PLANNED_INSTANCE = "00000000-0000-4000-8000-000000000000";
const PLANNED_URL = "http://192.0.2.1/phone-home";

/** A seed on a CD-ROM is a file on the NAS. */
function checkDisks(context: Context): Finding[] {
  const { inventory: { nas: { roles } }, input: { seedDiskWays: ways = null } } = context;
  const onDisk = seededOf(context).filter(({ seed }) => seed?.way === "disk");
  return [...Map.groupBy(onDisk, ({ type }) => type)].flatMap(([type, vms]) => {
    const [first] = vms;
    const field = `${type}.seed`;
    const what =
      `The first configuration (seed) of ${type} comes on a CD-ROM, because ${first?.seed?.reason}`;
    if (hasRole(roles, "DATASET_WRITE") === false) {
      return [
        error(vms, field, `${what}. The account needs the role DATASET_WRITE for its dataset; grant it`),
      ];
    }
    if (ways !== null && ways.chosen === null) {
      const why = ways.choices.map(({ why }) => why).join("; ");
      return [error(vms, field, `${what}, and no such file can be brought to the NAS: ${why}. ${REMEDY}`)];
    }
    if (hasRole(roles, "DATASET_DELETE") !== false) return [];
    return [warning(
      field,
      `${what}. Its file cannot be removed after the first boot, because the account does not have the role ` +
        "DATASET_DELETE. Grant the role, because the file can contain secrets",
    )];
  });
}

const REMEDY =
  "Sign in with an account that is a full administrator, or set SEED_HOST and grant CLOUD_SYNC_WRITE";

/** TrueNAS takes a limited number of characters, and a guest finds only one address. */
function checkArguments(context: Context): Finding[] {
  const { seeds, templates } = context.input;
  const host = seeds?.host ?? null;
  return firstOfEachType(seededOf(context)).flatMap((vm) => {
    if (vm.seed?.way !== "url" || host === null) return [];
    const args = templates(vm.type).stated.columns?.command_line_args;
    const why = seedArgumentProblem(typeof args === "string" ? args : "", seedUrlChars(host));
    if (why === null) return [];
    const same = seededOf(context).filter(({ type }) => type === vm.type);
    return [error(
      same,
      fieldOf(vm),
      `The guests of ${vm.type} cannot be told where their seed is by command_line_args of its template: ${why}`,
    )];
  });
}
