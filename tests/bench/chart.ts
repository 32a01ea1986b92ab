/**
 * `deno task bench:chart FILE` draws docs/benchmarks.svg and writes the tables of docs/benchmarks.md from the results
 * of `deno task bench --json FILE`.
 */
import { formatCount } from "../../lib/units.ts";
import { show, type Table } from "./report.ts";

interface Kept {
  readonly at: string;
  readonly machine: string;
  readonly tables: Readonly<Record<string, Table>>;
}

/** The lines of the chart: the column in each row of `create`, its label, and its colour in the light and dark themes. */
const BARS = [
  { column: "bound", label: "the NAS's own limit", colour: "#8a8f98" },
  { column: "program", label: "TrueNAS VM Manager", colour: "#2f7d4f" },
  { column: "one by one", label: "one call at a time", colour: "#b5652a" },
] as const;

const [LEFT, WIDTH, BAR, GAP] = [170, 560, 13, 14];

const [file] = Deno.args;
if (file === undefined) throw new Error("Name the file that deno task bench --json wrote");
const kept: Kept = JSON.parse(await Deno.readTextFile(file));
const docs = new URL("../../docs/", import.meta.url);
await Deno.writeTextFile(new URL("benchmarks.svg", docs), draw(kept));
const page = new URL("benchmarks.md", docs);
const written = await Deno.readTextFile(page);
const marks = /(<!-- tables -->\n)[^]*(<!-- \/tables -->)/;
await Deno.writeTextFile(
  page,
  written.replace(marks, (_all, begin, end) => `${begin}\n${write(kept)}\n${end}`),
);

/** The tables, each below its title; columns as wide as their longest cell, as the formatter has them. */
function write({ at, machine, tables }: Kept): string {
  const parts = Object.values(tables).map(({ title, heads, rows }) => {
    const cells = [heads, ...rows.map((row) => row.map(show))];
    const widths = heads.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
    const line = (row: readonly string[]) =>
      `| ${row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join(" | ")} |`;
    const rule = `| ${widths.map((width) => `${"-".repeat(width - 1)}:`).join(" | ")} |`;
    const [head = [], ...body] = cells;
    return [`**${title}**`, "", line(head), rule, ...body.map(line), ""].join("\n");
  });
  return [`Measured on ${at}: ${machine}. Times are in milliseconds.`, "", ...parts].join("\n");
}

function draw({ at, machine, tables }: Kept): string {
  const { heads, rows }: Table = tables.create ?? { title: "", heads: [], rows: [] };
  const value = (row: readonly number[], head: string) => row[heads.indexOf(head)] ?? 0;
  const longest = Math.max(...rows.flatMap((row) => BARS.map(({ column }) => value(row, column))));
  const height = BARS.length * BAR + GAP;
  const groups = rows.map((row, index) => {
    const top = 60 + index * height;
    const bars = BARS.map(({ column, colour }, bar) => {
      const y = top + bar * BAR;
      const width = Math.max(1, value(row, column) / longest * WIDTH);
      const seconds = (value(row, column) / 1000).toFixed(1);
      return `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${colour}"/>` +
        `<text x="${(LEFT + width + 5).toFixed(1)}" y="${y + 9}">${seconds} s</text>`;
    });
    const label = `${formatCount(value(row, "VMs"), "VM")}, ${value(row, "ms a call")} ms a call`;
    return `<text x="${LEFT - 10}" y="${top + 22}" text-anchor="end">${label}</text>${bars.join("")}`;
  });
  const legend = BARS.map(({ label, colour }, index) =>
    `<rect x="${LEFT + index * 190}" y="32" width="11" height="11" fill="${colour}"/>` +
    `<text x="${LEFT + 16 + index * 190}" y="42">${label}</text>`
  );
  const total = 70 + rows.length * height;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 ${total}" font-family="system-ui, sans-serif" font-size="11">
<title>Creating VMs with 2 disks and 2 NICs, 300 ms a zvol: the NAS's limit, this program, one call at a time</title>
<rect width="800" height="${total}" fill="#fff"/>
<g fill="#222"><text x="10" y="18" font-size="13">Creating VMs with 2 disks and 2 NICs, 300 ms a zvol (${at}, ${machine})</text>
${legend.join("\n")}
${groups.join("\n")}
</g></svg>
`;
}
