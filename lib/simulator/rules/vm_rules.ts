/** TrueNAS's checks of vm.create and vm.update, with its own texts and paths. */
import type { Nas } from "../nas.ts";
import type { StoredVm } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { Validation } from "../wire/wire_errors.ts";

type Data = Readonly<Record<string, unknown>>;

export const MAXIMUM_VCPUS = 255;

export const OVMF_FILES =
  "OVMF_CODE_4M.snakeoil.fd OVMF_CODE_4M.secboot.fd OVMF_CODE_4M.fd OVMF_CODE.fd OVMF_CODE_4M.ms.fd".split(
    " ",
  );

export const CPU_MODELS = ["EPYC", "EPYC-Rome", "Haswell", "Skylake-Server", "qemu64"];

/** Machines by architecture. */
export const MACHINES: Readonly<Record<string, readonly string[]>> = {
  x86_64: ["pc-q35-6.2", "pc-i440fx-6.2", "q35"],
};

/** Checks a VM's configuration; `schema` is `vm_create` or `vm_update`, and `own` the VM to be changed, or null. */
export function validate(nas: Nas, config: Data, schema: string, own: StoredVm | null): void {
  const errors = new Validation();
  if (typeof config.min_memory === "number" && config.min_memory > Number(config.memory)) {
    errors.add(`${schema}.min_memory`, "Minimum memory should not be greater than defined/maximum memory");
  }
  const broken = shellProblem(String(config.command_line_args ?? ""));
  if (broken !== null) errors.add(`${schema}.command_line_args`, `Parse error: ${broken}`);
  validateCpus(config, schema, errors);
  validateMachine(config, schema, errors);
  validateName(nas, config.name, { schema, own, errors });
  if (typeof config.bootloader_ovmf === "string" && !OVMF_FILES.includes(config.bootloader_ovmf)) {
    errors.add(`${schema}.bootloader_ovmf`, "Invalid bootloader ovmf choice specified");
  } else if (
    nas.profile.checksFirmware && config.enable_secure_boot === true &&
    !/secboot/.test(String(config.bootloader_ovmf ?? "secboot"))
  ) {
    const wanted = "Select a bootloader_ovmf that supports secure boot i.e OVMF_CODE_4M.secboot.fd";
    errors.add(`${schema}.bootloader_ovmf`, wanted);
  }
  errors.check();
}

/** The message of Python's shlex about text that ends inside quotes or after a backslash. */
function shellProblem(text: string): string | null {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === "\\" && quote !== "'") {
      if (++at >= text.length) return "No escaped character";
    } else if (quote === "") quote = char === "'" || char === '"' ? char : "";
    else if (char === quote) quote = "";
  }
  return quote === "" ? null : "No closing quotation";
}

function validateCpus(config: Data, schema: string, errors: Validation): void {
  const total = Number(config.vcpus) * Number(config.cores) * Number(config.threads);
  if (total > MAXIMUM_VCPUS) {
    const product = `"${schema}.vcpus", "${schema}.cores" and "${schema}.threads"`;
    const wanted = `Please ensure the product of ${product} is less than ${MAXIMUM_VCPUS}.`;
    errors.add(`${schema}.vcpus`, `Maximum ${MAXIMUM_VCPUS} vcpus are supported.${wanted}`);
  }
  if (config.pin_vcpus === true && !config.cpuset) {
    errors.add(`${schema}.cpuset`, `Must be specified when "${schema}.pin_vcpus" is set.`);
  } else if (config.pin_vcpus === true && cpusIn(String(config.cpuset)) !== total) {
    const wanted =
      `Number of cpus in "${schema}.cpuset" must be equal to total number vcpus if pinning is enabled.`;
    errors.add(`${schema}.pin_vcpus`, wanted);
  }
  if (config.cpu_model !== null && config.cpu_mode !== "CUSTOM") {
    const text = 'This attribute should not be specified when "cpu_mode" is not "CUSTOM".';
    errors.add(`${schema}.cpu_model`, text);
  } else if (config.cpu_model !== null && !CPU_MODELS.includes(String(config.cpu_model))) {
    errors.add(`${schema}.cpu_model`, "Please select a valid CPU model.");
  }
}

/** The number of CPUs in a set like `0-3,8`. */
function cpusIn(set: string): number {
  return set.split(",").reduce((sum, part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

function validateMachine(
  { machine_type: machine, arch_type: arch }: Data,
  schema: string,
  errors: Validation,
): void {
  if (arch !== null && !(String(arch) in MACHINES)) {
    errors.add(`${schema}.arch_type`, "Specified architecture type is not supported on this system");
  }
  if (machine === null) return;
  if (arch === null) {
    errors.add(`${schema}.arch_type`, `Must be specified when "${schema}.machine_type" is set`);
  } else if (MACHINES[String(arch)]?.includes(String(machine)) === false) {
    const text = `Specified machine type is not supported for '${String(arch)}' architecture type`;
    errors.add(`${schema}.machine_type`, text);
  }
}

interface NameCheck {
  readonly schema: string;
  /** The VM to be changed, which does not conflict with itself. */
  readonly own: StoredVm | null;
  readonly errors: Validation;
}

function validateName(nas: Nas, name: unknown, { schema, own, errors }: NameCheck): void {
  const isUsed = [...nas.store.vms.values()].some((vm) => vm.config.name === name && vm !== own);
  if (isUsed) errors.add(`${schema}.name`, "This name already exists.", ERRNO.EEXIST);
  else if (!/^[A-Za-z0-9_]+$/.test(String(name))) {
    errors.add(`${schema}.name`, "Only alphanumeric characters are allowed.");
  }
}
