/** Calls with the answers of TrueNAS's own code, and how closely a simulated NAS matches them. */
import { readFileSync } from "node:fs";
import type { Answer, Peer } from "./peer.ts";

/** One recorded call. */
export interface RecordedCall {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly result?: unknown;
  readonly error?: Answer["error"];
  readonly note?: string;
}

/** The calls of a file below tests/data/calls. */
export function recordedCalls(name: string): RecordedCall[] {
  const text = readFileSync(new URL(`../data/calls/${name}.jsonl`, import.meta.url), "utf8");
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

type Invalid = readonly [attribute: string | null, message: string, errno: number];

/** What two answers are compared by: `result`, or the code, the number and the attributes of an error. */
function verdict({ error }: Pick<Answer, "error">): string {
  if (error === undefined) return "result";
  const extra = error.data?.extra;
  const attributes = Array.isArray(extra)
    ? (extra as Invalid[]).map(([attribute, , errno]) => `${attribute}:${errno}`).toSorted()
    : [];
  return ["error", error.code, error.data?.error ?? "-", ...attributes].join(" ");
}

/** What an error says, its lines in any order. */
function wordsOf({ error }: Pick<Answer, "error">): string {
  return (error?.data?.reason ?? "").trim().split("\n").toSorted().join(" / ");
}

/** Objects whose keys are data, so only their values have a shape. */
function isMap(path: string): boolean {
  return /choices$|user_properties$|\$set$/.test(path);
}

/** Where two results differ in the names and the kinds of their values; null fits anything. */
export function shapeDifferences(real: unknown, simulated: unknown, path: string): string[] {
  if (real === null || simulated === null) return [];
  if (Array.isArray(real) && Array.isArray(simulated)) {
    const [first, other] = [real[0], simulated[0]];
    return first === undefined || other === undefined ? [] : shapeDifferences(first, other, `${path}[]`);
  }
  if (typeof real !== typeof simulated || Array.isArray(real) !== Array.isArray(simulated)) {
    return [`${path} is ${kindOf(simulated)}, not ${kindOf(real)}`];
  }
  if (typeof real !== "object" || typeof simulated !== "object") return [];
  if (isMap(path)) return shapeDifferences(Object.values(real), Object.values(simulated), `${path}.*`);
  const keys = new Set([...Object.keys(real), ...Object.keys(simulated)]);
  return [...keys].flatMap((key) => {
    if (!(key in simulated)) return [`${path}.${key} is missing`];
    if (!(key in real)) return [`${path}.${key} is too much`];
    return shapeDifferences(Reflect.get(real, key), Reflect.get(simulated, key), `${path}.${key}`);
  });
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

/** A call that a simulated NAS answered otherwise. */
export interface Difference {
  readonly line: number;
  readonly text: string;
}

/** What of a file is played, and what is done before each call. */
export interface Playing {
  readonly plays?: (call: RecordedCall) => boolean;
  readonly before?: (call: RecordedCall) => void;
}

/** Sends every call to a NAS, one after another, and reports where its answers differ. */
export async function differences(
  peer: Peer,
  calls: readonly RecordedCall[],
  { plays = () => true, before = () => {} }: Playing = {},
): Promise<{ readonly played: number; readonly differing: readonly Difference[] }> {
  const ids = new Map<string, unknown>();
  const differing: Difference[] = [];
  let played = 0;
  for (const [index, call] of calls.entries()) {
    if (!plays(call)) continue;
    played++;
    before(call);
    const answer = await peer.call(call.method, ...withIds(call.params, ids) as unknown[]);
    remember(call, answer, ids);
    const [real, simulated] = [verdict(call), verdict(answer)];
    const shapes = real === "result" && simulated === "result"
      ? shapeDifferences(call.result, answer.result, call.method)
      : [];
    const [words, own] = [wordsOf(call), wordsOf(answer)];
    const said = words === own ? [] : [`says ${own}, not ${words}`];
    const problem = real === simulated ? [...shapes, ...said].join("; ") : `${simulated}, not ${real}`;
    if (problem === "") continue;
    const text = `${call.method} ${JSON.stringify(call.params).slice(0, 160)}: ${problem}`;
    differing.push({ line: index + 1, text });
  }
  return { played, differing };
}

function withIds(value: unknown, ids: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === "string") return ids.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => withIds(item, ids));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, withIds(it, ids)]));
}

/** `$id` and `$disk` stand for the first VM and the first disk that a file makes. */
function remember({ method, params }: RecordedCall, { result }: Answer, ids: Map<string, unknown>): void {
  const id = (result as { id?: unknown } | undefined)?.id;
  if (id === undefined) return;
  if (method === "vm.create" && !ids.has("$id")) ids.set("$id", id);
  const isDisk = JSON.stringify(params).includes('"dtype":"DISK"');
  if (method === "vm.device.create" && isDisk && !ids.has("$disk")) ids.set("$disk", id);
}
