/** Rules about vCPUs and memory. */
import { formatBytes, formatMib, MIB } from "../../units.ts";
import { describeFit, describeNeed, fitByType, totalBytes } from "../capacity.ts";
import type { Finding } from "../types.ts";
import { type Context, error, notChecked, type Rule, warning } from "./rule.ts";

/** The rules. */
export const MEMORY_RULES: readonly Rule[] = [checkVcpus, checkMemory, checkMemoryAfterReboot];

/** TrueNAS's limit on the product of sockets, cores and threads, for when it cannot be read. */
const MAXIMUM_VCPUS = 255;

function checkVcpus({ active, inventory }: Context): Finding[] {
  const most = inventory.maximumVcpus.known ? inventory.maximumVcpus.value : MAXIMUM_VCPUS;
  return active.filter(({ vcpus }) => vcpus > most).map((vm) =>
    error([vm], `${vm.type}.cpu`, `${vm.vcpus} vCPUs exceed TrueNAS's limit of ${most} per VM; lower cpu`)
  );
}

function checkMemory({ active, inventory }: Context): readonly Finding[] {
  const { availableMemoryBytes: available } = inventory;
  if (!available.known) return [notChecked("memory", "Free memory", available.because)];
  const starting = active.filter(({ action, steps, start, overcommit }) =>
    start && !overcommit && (action !== "change" || steps.includes("start"))
  );
  const fits = fitByType(starting, available.value, {
    partsOf: (vm) => [memoryOf(vm)],
    fits: ({ sizeBytes }, freeBytes) => sizeBytes <= freeBytes,
  });
  return fits.flatMap((fit) => {
    const [first] = fit.tooLarge;
    if (first === undefined) return [];
    const need = describeNeed(fit, `${formatMib(first.vm.memoryMib)} of memory`);
    const message = `${need}, and ${formatBytes(fit.freeBytes)} are free on the NAS: ${describeFit(fit)}. ` +
      "Lower the count or the memory, or start them even if memory is short (overcommit)";
    return [error(fit.tooLarge.map(({ vm }) => vm), `${fit.type}.memory`, message)];
  });
}

function memoryOf({ memoryMib }: { readonly memoryMib: number }): { readonly sizeBytes: number } {
  return { sizeBytes: memoryMib * MIB };
}

/** The VMs that start with the NAS must fit together, or some stay off after a reboot. */
function checkMemoryAfterReboot(context: Context): readonly Finding[] {
  const { active, inventory, input } = context;
  const { availableMemoryBytes: available, vms } = inventory;
  // A lack of memory now has already been reported.
  if (!available.known || checkMemory(context).length > 0) return [];
  const running = vms.filter(({ state }) => state !== "STOPPED");
  const room = available.value + totalBytes(running.map(memoryOf));
  const starting = active.filter(({ autostart, type }) => autostart ?? input.templates(type).autostart);
  const already = vms.filter((vm) => vm.autostart && !starting.some(({ name }) => name === vm.name));
  const needed = totalBytes([...starting, ...already].map(memoryOf));
  if (starting.length === 0 || needed <= room) return [];
  const message =
    `After a reboot of the NAS, VMs with ${formatBytes(needed)} of memory would start but only ` +
    `${formatBytes(room)} would be free; some VMs would stay off. Turn autostart off for some`;
  return [warning("memory", message)];
}
