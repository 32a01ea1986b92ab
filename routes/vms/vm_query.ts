/** Filters and sorts the list of VMs by the URL's query. Pure. */
import type { Context } from "hono";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { compareNames, macOf, typeOf } from "../../lib/inventory/names.ts";
import { ALL_ROWS, NEEDS_LOOK, type SortKey, type VmQuery } from "../../templates/paths.ts";

/** VMs that an operation left unfinished: its id by the VM's uuid. */
export type Unfinished = ReadonlyMap<string, string>;

/** Whether somebody should look at a VM. */
export type NeedsLook = (vm: Vm) => boolean;

/** Whether a VM matches the filter. */
export function matches(vm: Vm, query: VmQuery, needsLook: NeedsLook): boolean {
  const { q, state, type, ours } = query;
  if (ours !== "" && isMarked(vm.description) !== (ours === "yes")) return false;
  if (state !== "" && !hasState(vm, state, needsLook)) return false;
  if (type !== "" && typeOf(vm.name) !== type) return false;
  if (q === "") return true;
  const wanted = q.toLowerCase();
  const macPart = macOf(q);
  const texts = [
    vm.name,
    ...vm.nics.flatMap(({ mac, ip }) => [mac ?? "", ip?.address ?? ""]),
    ...vm.disks.map(({ path }) => path),
  ];
  return texts.some((text) => text.toLowerCase().includes(wanted)) ||
    vm.nics.some(({ mac }) => mac?.toLowerCase().includes(macPart));
}

/** States that are as they should be: every other, known or not, needs a look. */
const CALM: readonly string[] = ["RUNNING", "STOPPED"];

/** Whether a VM is suspended or broken, or was left unfinished. */
export function isTroubled({ state, uuid }: Vm, unfinished: Unfinished): boolean {
  return !CALM.includes(state) || (uuid !== null && unfinished.has(uuid));
}

function hasState(vm: Vm, state: string, needsLook: NeedsLook): boolean {
  return state === NEEDS_LOOK ? needsLook(vm) : vm.state === state;
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

/** The filter, sort order, columns and rows from the URL. */
export function queryOf(c: Context): VmQuery {
  return readQuery(new URL(c.req.url).searchParams);
}

/** The same from the fields of a URL. */
export function readQuery(fields: URLSearchParams): VmQuery {
  const text = (name: string) => (fields.get(name) ?? "").trim().slice(0, MAX_QUERY_CHARS);
  return {
    q: text("q"),
    state: text("state"),
    type: text("type"),
    ours: text("ours"),
    sort: text("sort"),
    // A form of tick boxes sends each column by itself.
    cols: fields.getAll("cols").join(",").slice(0, MAX_QUERY_CHARS),
    rows: text("rows") === ALL_ROWS ? ALL_ROWS : "",
  };
}
