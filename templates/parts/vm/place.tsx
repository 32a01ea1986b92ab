/** Where a VM lives, drawn: its networks, itself, its disks and their pool. At most ten elements. */
import type { Capacity, Disk, Nic, Vm } from "../../../lib/inventory/inventory.ts";
import { formatBytes, formatCount, formatMib } from "../../../lib/units.ts";
import { IconAt } from "../icons.tsx";
import { diskUse } from "../list/vm_cells.tsx";
import { sizeNow } from "./size.ts";

/** What the picture shows. */
export interface PlaceProps {
  readonly vm: Vm;
  /** How many other VMs are attached to each bridge or interface. */
  readonly neighbours: ReadonlyMap<string, number>;
  /** How full the configured pool is; null while unknown. */
  readonly pool: Capacity["pool"];
}

const WIDTH = 368;
const EDGE = 8;
/** Columns for NICs and for disks; what is more is a number in the last one. */
const NIC_COLUMNS = 2;
const DISK_COLUMNS = 3;
const NET = { height: 38, toPill: 13, pill: 22, pillWidth: 140 } as const;
const SELF = { x: 24, width: 320, height: 62 } as const;
const CYLINDER = { wire: 30, half: 22, tilt: 7, height: 40 } as const;
const POOL = { wire: 24, height: 38, filledHeight: 58, bar: 8 } as const;
/** About the widest a letter of the pictures is, in pixels. */
const LETTER = 7.4;
/** About the width of what is mostly digits. */
const DIGIT = 6.6;

/** The card. */
export function Place({ vm, neighbours, pool }: PlaceProps) {
  return (
    <section class="card" id="vm-place" aria-labelledby="vm-place-head">
      <header>
        <h2 id="vm-place-head">Where it lives</h2>
      </header>
      <div class="body">
        <Picture vm={vm} neighbours={neighbours} pool={pool} />
      </div>
    </section>
  );
}

function Picture({ vm, neighbours, pool }: PlaceProps) {
  const nics = columns(vm.nics, NIC_COLUMNS);
  const disks = columns(vm.disks, DISK_COLUMNS);
  const pools = [...new Set(vm.disks.map(poolOf))];
  const selfTop = EDGE + (vm.nics.length === 0 ? 0 : NET.height + NET.toPill * 2 + NET.pill);
  const selfEnd = selfTop + SELF.height;
  const diskTop = selfEnd + CYLINDER.wire;
  const poolTop = diskTop + CYLINDER.height + 2 * CYLINDER.tilt + POOL.wire;
  const fill = pool !== null && pool.name === pools[0] ? pool : null;
  const poolHeight = fill === null ? POOL.height : POOL.filledHeight;
  const height = (vm.disks.length === 0 ? selfEnd : poolTop + poolHeight) + EDGE;
  return (
    <svg
      class="topo"
      viewBox={`0 0 ${WIDTH} ${height}`}
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      role="img"
      aria-label={describe(vm, pools)}
    >
      {nics.shown.map((nic, column) => (
        <NicColumn
          nic={nic}
          at={columnAt(column, nics.count, EDGE, WIDTH - EDGE)}
          selfTop={selfTop}
          neighbours={nics.count === 1 ? neighbours.get(nic.attach ?? "") ?? 0 : 0}
        />
      ))}
      {nics.more === 0
        ? null
        : <More count={nics.more} x={WIDTH * 0.75} y={EDGE + NET.height / 2} what="NIC" />}
      <Self vm={vm} top={selfTop} />
      {disks.shown.map((disk, column) => (
        <DiskColumn
          disk={disk}
          name={diskName(vm, disk)}
          at={columnAt(column, disks.count, SELF.x, SELF.width)}
          isNarrow={disks.count === DISK_COLUMNS}
          from={selfEnd}
          top={diskTop}
          to={poolTop}
        />
      ))}
      {disks.more === 0 ? null : (
        <More
          count={disks.more}
          x={SELF.x + SELF.width * 5 / 6}
          y={diskTop + CYLINDER.tilt + CYLINDER.height / 2}
          what="disk"
        />
      )}
      {vm.disks.length === 0 ? null : <Pool pools={pools} fill={fill} top={poolTop} height={poolHeight} />}
    </svg>
  );
}

/** The first items, how many columns they take, and how many more there are. */
function columns<T>(items: readonly T[], most: number) {
  const shown = items.length <= most ? items : items.slice(0, most - 1);
  return { shown, count: Math.min(items.length, most), more: items.length - shown.length };
}

interface Column {
  readonly x: number;
  readonly width: number;
}

function columnAt(column: number, count: number, x: number, width: number): Column {
  return { x: x + column * width / count, width: width / count };
}

function NicColumn({ nic, at, selfTop, neighbours }: {
  readonly nic: Nic;
  readonly at: Column;
  readonly selfTop: number;
  readonly neighbours: number;
}) {
  // The last column ends at the picture's edge; between two there is a gap.
  const { x } = at;
  const width = at.width - EDGE;
  const name = nic.attach ?? "default";
  const middle = x + width / 2;
  const pillTop = EDGE + NET.height + NET.toPill;
  const others = neighbours === 0 ? "" : `and ${formatCount(neighbours, "other VM")}`;
  return (
    <g stroke="none">
      <path class="wire" d={`M${middle} ${EDGE + NET.height}V${selfTop}`} />
      <rect class="net" x={x} y={EDGE} width={width} height={NET.height} rx="8" />
      <IconAt name="network" x={x + 12} y={EDGE + 11} />
      <text class="n" x={x + 36} y={EDGE + NET.height / 2}>
        <title>{name}</title>
        {fitted(name, width - 48 - others.length * LETTER)}
      </text>
      <text class="s" x={x + width - 12} y={EDGE + NET.height / 2} text-anchor="end">{others}</text>
      <rect
        class="net"
        x={middle - NET.pillWidth / 2}
        y={pillTop}
        width={NET.pillWidth}
        height={NET.pill}
        rx="11"
      />
      <text class="m" x={middle} y={pillTop + NET.pill / 2} text-anchor="middle">
        {nic.mac ?? "new at each start"}
      </text>
    </g>
  );
}

function Self({ vm, top }: { readonly vm: Vm; readonly top: number }) {
  const address = vm.nics.find(({ ip }) => ip !== null)?.ip?.address;
  const { vcpus, memoryMib } = sizeNow(vm);
  const size = `${formatCount(vcpus, "vCPU")}, ${formatMib(memoryMib)}${vm.runsWith ? " now" : ""}`;
  return (
    <g stroke="none">
      <rect class="self" x={SELF.x} y={top} width={SELF.width} height={SELF.height} rx="10" />
      <IconAt name="vm" x={SELF.x + 16} y={top + 13} class="on" />
      <text class="n" x={SELF.x + 42} y={top + 21}>
        <title>{vm.name}</title>
        {fitted(vm.name, SELF.width - 90)}
      </text>
      <text x={SELF.x + 42} y={top + 43}>{address === undefined ? size : `${size} · ${address}`}</text>
      {vm.state === "RUNNING"
        ? <circle class="live" cx={SELF.x + SELF.width - 20} cy={top + 20} r="4.5" />
        : null}
    </g>
  );
}

function DiskColumn({ disk, name, at, isNarrow, from, top, to }: {
  readonly disk: Disk;
  readonly name: string;
  readonly at: Column;
  readonly isNarrow: boolean;
  readonly from: number;
  readonly top: number;
  readonly to: number;
}) {
  const { half, tilt, height } = CYLINDER;
  const x = at.x + half + 8;
  const [upper, lower] = [top + tilt, top + tilt + height];
  const label = x + half + (isNarrow ? 6 : 12);
  const room = at.x + at.width - label;
  const use = diskUse(disk);
  // Where there is no room for both, the size alone.
  const shown = use.length * DIGIT > room ? diskUse({ ...disk, usedBytes: null }) : use;
  const filled = height * share(disk.usedBytes ?? 0, disk.sizeBytes ?? 0);
  return (
    <g stroke="none">
      <path class="wire" d={`M${x} ${from}V${top}M${x} ${lower + tilt}V${to}`} />
      <path
        class="disk-side"
        d={`M${x - half} ${upper}V${lower}a${half} ${tilt} 0 0 0 ${2 * half} 0V${upper}`}
      />
      {filled === 0 ? null : (
        <path
          class="disk-fill"
          d={`M${x - half + 1} ${lower - filled}V${lower}a${half - 1} ${tilt - 0.6} 0 0 0 ${
            2 * half - 2
          } 0v-${filled}z`}
        />
      )}
      <ellipse class="disk-side" cx={x} cy={upper} rx={half} ry={tilt} />
      <text class="n" x={label} y={upper + 8}>
        <title>{disk.zvol ?? disk.path}</title>
        {fitted(name, room)}
      </text>
      <text x={label} y={upper + 26}>{fitted(shown, room)}</text>
    </g>
  );
}

function More({ count, x, y, what }: { count: number; x: number; y: number; what: string }) {
  return (
    <text x={x} y={y} text-anchor="middle" stroke="none">
      and {count} more {count === 1 ? what : `${what}s`}
    </text>
  );
}

function Pool({ pools, fill, top, height }: {
  readonly pools: readonly string[];
  readonly fill: PlaceProps["pool"];
  readonly top: number;
  readonly height: number;
}) {
  const [first = "", ...others] = pools;
  const more = others.length === 0 ? [] : [`and ${formatCount(others.length, "more pool", "more pools")}`];
  const free = fill === null ? [] : [`${formatBytes(fill.freeBytes)} free`];
  const middle = top + POOL.height / 2;
  const [x, width] = [EDGE + 12, WIDTH - 2 * EDGE - 24];
  const bar = { x, y: top + POOL.height, height: POOL.bar, rx: POOL.bar / 2 };
  return (
    <g stroke="none">
      <rect class="box" x={EDGE} y={top} width={WIDTH - 2 * EDGE} height={height} rx="8" />
      <IconAt name="nas" x={x} y={middle - 8} />
      <text class="n" x={EDGE + 36} y={middle}>{fitted(first, 170)}</text>
      <text class="s" x={WIDTH - EDGE - 12} y={middle} text-anchor="end">
        {[...free, ...more].join(", ")}
      </text>
      {fill === null ? null : (
        <>
          <rect class="trk" {...bar} width={width} />
          <rect
            class="used"
            {...bar}
            width={width * share(fill.takenBytes, fill.takenBytes + fill.freeBytes)}
          />
        </>
      )}
    </g>
  );
}

/** A part of a whole, from 0 to 1. */
function share(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.round(Math.min(1, Math.max(0, part / whole)) * 1000) / 1000;
}

/** The pool of a zvol, or of a file under /mnt. */
function poolOf({ zvol, path }: Disk): string {
  return (zvol ?? path.replace(/^\/mnt\//, "")).split("/")[0] ?? "";
}

/** A disk's name without that of its VM: `disk0`. */
export function diskName(vm: Vm, { zvol, path }: Disk): string {
  const last = (zvol ?? path).split("/").at(-1) ?? "";
  return last.startsWith(`${vm.name}-`) ? last.slice(vm.name.length + 1) : last;
}

/** As much of a text as fits. */
function fitted(text: string, pixels: number): string {
  const most = Math.max(3, Math.floor(pixels / LETTER));
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

function describe(vm: Vm, pools: readonly string[]): string {
  const networks = vm.nics.map(({ attach }) => attach ?? "the default network");
  const attached = networks.length === 0 ? "has no network card" : `is attached to ${networks.join(", ")}`;
  const disks = vm.disks.map((disk) => `${diskName(vm, disk)} (${diskUse(disk)})`);
  const where = disks.length === 0
    ? "has no disks"
    : `has ${formatCount(disks.length, "disk")}, ${disks.join(", ")}, in ${pools.join(", ")}`;
  return `${vm.name} ${attached} and ${where}`;
}
