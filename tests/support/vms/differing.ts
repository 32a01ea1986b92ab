/** A dashboard with VMs of a type that differ from it: stopped, running, and such that only replacing settles it. */
import assert from "node:assert/strict";
import { FORM } from "../pages/http.ts";
import type { TestDashboard } from "../pages/dashboard.ts";
import type { StoredVm } from "../../../lib/simulator/store.ts";

/** Four workers, each with a small second disk. */
export const WORKERS: Readonly<Record<string, string>> = {
  ...FORM,
  "worker.count": "4",
  "worker.disk.1.name": "data",
  "worker.disk.1.size": "5",
};

/** Twice the memory. */
export const MORE_MEMORY: Readonly<Record<string, string>> = { ...WORKERS, "worker.memory": "4096" };

/** The VM on the simulated NAS. */
export function simulated({ simulator }: Pick<TestDashboard, "simulator">, name: string): StoredVm {
  const found = [...simulator.store.vms.values()].find(({ config }) => config.name === name);
  return found ?? assert.fail(`there is no VM ${name}`);
}

/** Turns VMs off, as somebody would in TrueNAS. */
export function turnOff(dashboard: Pick<TestDashboard, "simulator">, ...names: readonly string[]): void {
  for (const name of names) simulated(dashboard, name).state = "STOPPED";
}

/** A VM's row of a plan, and the row below it that says what differs. */
export function rowOf(html: string, name: string): { readonly row: string; readonly detail: string } {
  const row = new RegExp(`<tr[^>]*data-plan-vm="${name}".*?</tr>`, "s").exec(html)?.[0] ?? "";
  const detail = new RegExp(`<tr[^>]*data-detail="${name}".*?</tr>`, "s").exec(html)?.[0] ?? "";
  return { row, detail };
}

/** What a part of a page says. */
export function wordsOf(html: string): string {
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ").replaceAll("&quot;", '"').trim();
}

/** The names that are ticked, by the name of the field. */
export function tickedIn(html: string, field: string): string[] {
  return [...html.matchAll(/<input type="checkbox"[^>]*>/g)].map(([box]) => box)
    .filter((box) => box.includes(`name="${field}"`) && box.includes(" checked"))
    .map((box) => /value="([^"]*)"/.exec(box)?.[1] ?? "");
}
