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
  /** The final row of the job that it started. */
  readonly job?: JobRow;
}

/** What a job's row is compared by. */
export interface JobRow {
  readonly id: number;
  readonly state: string;
  readonly abortable: boolean;
  readonly logs_path: string | null;
  readonly progress: { readonly percent: number; readonly description: string };
  readonly result: unknown;
  readonly error: string | null;
  readonly exc_info: { readonly type: string; readonly errno: number | null; readonly extra: unknown } | null;
  readonly credentials: { readonly type: string } | null;
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
  /** Sends what is no call over the socket. */
  readonly send?: (call: RecordedCall) => Promise<Answer> | null;
}

/** Sends every call to a NAS, one after another, and reports where its answers differ. */
export async function differences(
  peer: Peer,
  calls: readonly RecordedCall[],
  { plays = () => true, before = () => {}, send = () => null }: Playing = {},
): Promise<{ readonly played: number; readonly differing: readonly Difference[] }> {
  const ids = new Map<string, unknown>();
  const differing: Difference[] = [];
  let played = 0;
  for (const [index, call] of calls.entries()) {
    if (!plays(call)) continue;
    played++;
    before(call);
    const answer = await (send(call) ?? peer.call(call.method, ...withIds(call.params, ids) as unknown[]));
    remember(call, answer, ids);
    const job = await jobProblem(peer, call, answer);
    if (job !== "") differing.push({ line: index + 1, text: `${call.method} ${job}` });
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

const FINAL = ["SUCCESS", "FAILED", "ABORTED"];

/** The row of a job when it has ended. */
export async function endedJob(peer: Peer, id: number): Promise<JobRow> {
  for (;;) {
    const [row] = await peer.result("core.get_jobs", [["id", "=", id]]) as JobRow[];
    if (row === undefined) throw new Error(`there is no job ${id}`);
    if (FINAL.includes(row.state)) return row;
  }
}

/** How the row of the job of a call differs; empty for a call without one. */
async function jobProblem(peer: Peer, { job: real }: RecordedCall, { result }: Answer): Promise<string> {
  if (real === undefined) return "";
  const body = (result as { body?: string } | undefined)?.body;
  const id = body === undefined ? result : JSON.parse(body).job_id;
  if (typeof id !== "number") return `answers ${JSON.stringify(result)}, not a job`;
  const [wanted, found] = [real, await endedJob(peer, id)].map(comparedJob);
  return wanted === found ? "" : `job ${found}, not ${wanted}`;
}

/** Sizes, rates and times are those of another network. */
function comparedJob(row: JobRow): string {
  const { state, abortable, progress, result, error, exc_info: info, credentials } = row;
  const words = progress.description.replace(/[\d.]+ ([KMG]i)?B/g, "N B");
  const failed = info === null ? null : [info.type, info.errno, info.extra];
  const logs = row.logs_path !== null;
  const told = [state, abortable, logs, progress.percent, words, result, error, failed, credentials?.type];
  return JSON.stringify(told);
}

/** `$id` and `$disk` stand for the first VM and the first disk that a file makes. */
function remember({ method, params }: RecordedCall, { result }: Answer, ids: Map<string, unknown>): void {
  const id = (result as { id?: unknown } | undefined)?.id;
  if (id === undefined) return;
  if (method === "vm.create" && !ids.has("$id")) ids.set("$id", id);
  if (method === "cloudsync.credentials.create" && !ids.has("$cred")) ids.set("$cred", id);
  const isDisk = JSON.stringify(params).includes('"dtype":"DISK"');
  if (method === "vm.device.create" && isDisk && !ids.has("$disk")) ids.set("$disk", id);
}
