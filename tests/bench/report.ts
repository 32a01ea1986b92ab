/** Prints the results of benchmarks, and keeps them for charts. */
import process from "node:process";

/** A table: its heads, and rows of numbers. */
export interface Table {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: (readonly number[])[];
}

/** Prints tables as they grow. */
export class Report {
  /** By name. */
  readonly tables: Record<string, Table> = {};

  #title = "";

  /** A line before tables. */
  title(text: string): void {
    this.#title = text;
    print(`\n${text}`);
  }

  /** Begins a table; times are in milliseconds. */
  head(name: string, heads: readonly string[]): void {
    this.tables[name] = { title: this.#title, heads, rows: [] };
    print(`${name.padEnd(10)}${heads.map((head) => head.padStart(12)).join("")}`);
  }

  /** Adds a row. */
  row(name: string, values: readonly number[]): void {
    this.tables[name]?.rows.push(values);
    print(`${"".padEnd(10)}${values.map((value) => show(value).padStart(12)).join("")}`);
  }
}

/** Three digits that say something. */
export function show(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
