/** Every URL of the site, from a function. */
import type { VmQuery } from "./props.ts";

/** The URLs. */
export const paths = {
  home: (query: Partial<VmQuery> = {}) => withQuery("/", query),
  vm: (id: number) => `/vms/${id}`,
  inventoryEvents: (query: Partial<VmQuery> = {}) => withQuery("/events", query),
  create: () => "/create",
  createPlan: () => "/create/plan",
  destroy: (prefixes?: string, vms: readonly string[] = []) =>
    prefixes === undefined
      ? "/destroy"
      : `/destroy?${new URLSearchParams([["prefixes", prefixes], ...vms.map((name) => ["vm", name])])}`,
  undo: (id: string) => `/operations/${encodeURIComponent(id)}/undo`,
  cancel: (id: string) => `/operations/${encodeURIComponent(id)}/cancel`,
  operations: () => "/operations",
  operation: (id: string) => `/operations/${encodeURIComponent(id)}`,
  operationEvents: (id: string, after: number) =>
    `/operations/${encodeURIComponent(id)}/events?after=${after}`,
} as const;

/** Adds what is not empty. */
function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const filled = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return filled.length === 0 ? path : `${path}?${new URLSearchParams(filled)}`;
}
