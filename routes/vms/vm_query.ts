/** Filters and sorts the list of VMs by the URL's query. Pure. */
import type { Context } from "hono";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { compareNames, typeOf } from "../../lib/inventory/names.ts";
import type { SortKey, VmQuery } from "../../templates/paths.ts";

/** Whether a VM matches the filter. */
export function matches(vm: Vm, { q, state, type, ours }: VmQuery): boolean {
  if (ours !== "" && isMarked(vm.description) !== (ours === "yes")) return false;
  if (state !== "" && vm.state !== state) return false;
  if (type !== "" && typeOf(vm.name) !== type) return false;
  if (q === "") return true;
  const wanted = q.toLowerCase();
  const texts = [
    vm.name,
    ...vm.nics.flatMap(({ mac, ip }) => [mac ?? "", ip?.address ?? ""]),
    ...vm.disks.map(({ path }) => path),
  ];
  return texts.some((text) => text.toLowerCase().includes(wanted));
}

const KEYS = {
  name: () => 0,
  state: (vm) => vm.state,
  vcpus: (vm) => vm.vcpus,
  memory: (vm) => vm.memoryMib,
  disks: (vm) => vm.disks.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
  networks: (vm) => vm.nics[0]?.attach ?? "",
  display: (vm) => vm.displays[0]?.port ?? 0,
  autostart: (vm) => vm.autostart ? 0 : 1,
} as const satisfies Record<SortKey, (vm: Vm) => string | number>;

/** Sorts by a column (`memory`, `-memory`), then by name. An unknown column sorts by name. */
export function sorted(vms: readonly Vm[], sort: string): readonly Vm[] {
  const sign = sort.startsWith("-") ? -1 : 1;
  const key = KEYS[sort.replace(/^-/, "") as SortKey] ?? KEYS.name;
  const byName = (a: Vm, b: Vm) => compareNames(a.name, b.name);
  const compare = (a: Vm, b: Vm) => {
    const [left, right] = [key(a), key(b)];
    return left < right ? -1 : left > right ? 1 : byName(a, b);
  };
  return vms.toSorted((a, b) => sign * compare(a, b));
}

/** Longer than any name on a NAS. */
const MAX_QUERY_CHARS = 200;

/** The filter and sort order from the URL. */
export function queryOf(c: Context): VmQuery {
  const text = (name: string) => (c.req.query(name) ?? "").trim().slice(0, MAX_QUERY_CHARS);
  return { q: text("q"), state: text("state"), type: text("type"), ours: text("ours"), sort: text("sort") };
}
