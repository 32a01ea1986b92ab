/**
 * The frames of TrueNAS's JSON-RPC 2.0 dialect, as plain data: no socket, no clock. Shapes, codes and limits are those of
 * TrueNAS 25.04 to 27.0.
 */
import { z } from "../../zod.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { CallRefusal, FieldRefusal } from "../../errors/nas_errors.ts";

/** Longest message TrueNAS accepts from an authenticated connection, in characters; a longer one closes the socket (1009). */
export const MAX_MESSAGE_CHARS = 65_536;

/** TrueNAS runs 10 calls per connection, queues 10 more, and refuses the 21st unfinished call. */
export const MAX_RUNNING_CALLS = 10;

/** A protocol of the NAS. */
export interface Protocol {
  /** Path for this protocol when no API version is named. */
  readonly path: string;
  /** Handshake message and its expected answer; null when none is needed. */
  readonly hello: { readonly send: string; readonly isAnswer: (text: string) => boolean } | null;
  /**
   * The text of a call.
   *
   * @throws {TrueNASError} when the message exceeds the NAS's limit; nothing was sent.
   */
  readonly encode: (id: number, method: string, params: readonly unknown[]) => string;
  /** Methods that the NAS does not answer. */
  readonly unanswered: readonly string[];
  /** Parses a message. Never throws; an unknown frame is returned as `other` with the reason. */
  readonly decode: (text: string) => IncomingFrame;
}

/** An answer or a notification, as one value. */
export type IncomingFrame =
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly refusal: CallRefusal }
  | { readonly kind: "event"; readonly event: CollectionEvent }
  | { readonly kind: "unsubscribed"; readonly collection: string }
  | { readonly kind: "other"; readonly why: string };

/**
 * A change event. `fields` can be absent (25.04 and earlier) or incomplete (no `devices` in lifecycle events up to
 * 25.10), and `added` is repeated: merge it into known data or read again.
 */
export interface CollectionEvent {
  readonly msg: "added" | "changed" | "removed";
  /** `vm.query`, `core.get_jobs`, … */
  readonly collection: string;
  readonly id: number | string | null;
  readonly fields: Readonly<Record<string, unknown>> | null;
}

/** The details of an error, the same in both protocols. */
export const errorData = z.object({
  error: z.number().nullish(),
  errname: z.string().nullish(),
  type: z.string().nullish(),
  reason: z.string().nullish(),
  extra: z.unknown().optional(),
}).passthrough();

const frame = z.object({
  id: z.number().nullish(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: errorData.nullish() }).passthrough()
    .nullish(),
}).passthrough();

const eventParams = z.object({
  msg: z.enum(["added", "changed", "removed"]),
  collection: z.string(),
  id: z.union([z.number(), z.string()]).nullish(),
  fields: z.record(z.string(), z.unknown()).nullish(),
}).passthrough();

const fieldRefusals = z.array(z.tuple([z.string().nullable(), z.string(), z.number()]));

/**
 * The text of a call.
 *
 * @throws {TrueNASError} when the message exceeds the NAS's limit; nothing was sent.
 */
export function encodeCall(id: number, method: string, params: readonly unknown[]): string {
  return encodeFrame(method, { jsonrpc: "2.0", id, method, params });
}

/** The text of a frame, unless it exceeds the NAS's limit. */
export function encodeFrame(method: string, frame: unknown): string {
  const text = JSON.stringify(frame);
  if (text.length <= MAX_MESSAGE_CHARS) return text;
  throw new TrueNASError(
    `Cannot send ${method}: the message has ${text.length} characters and TrueNAS accepts at most ${MAX_MESSAGE_CHARS}. Nothing was sent; split the request`,
    { method },
  );
}

/** Parses a message. Never throws; an unknown frame is returned as `other` with the reason. */
export function decodeFrame(text: string): IncomingFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: "other", why: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (isResult(value)) return { kind: "result", id: value.id, result: value.result };
  const parsed = frame.safeParse(value);
  if (!parsed.success) return { kind: "other", why: "not a JSON-RPC frame" };
  const { id, method, params, result, error } = parsed.data;
  if (method === "collection_update") return decodeEvent(params);
  if (method === "notify_unsubscribed") return decodeUnsubscribed(params);
  if (method !== undefined) return { kind: "other", why: `unknown notification ${method}` };
  if (id === null || id === undefined) {
    return { kind: "other", why: error?.message ?? "an answer without an id" };
  }
  if (error) {
    const { code, message, data } = error;
    return { kind: "refusal", id, refusal: toRefusal(code, { ...data, reason: data?.reason ?? message }) };
  }
  return { kind: "result", id, result };
}

/** Fast path for the most common frame; the result's shape is checked per method. */
function isResult(value: unknown): value is { readonly id: number; readonly result: unknown } {
  if (typeof value !== "object" || value === null) return false;
  const { id, method, error } = value as Readonly<Record<string, unknown>>;
  return typeof id === "number" && "result" in value && method === undefined && error === undefined;
}

function decodeEvent(params: unknown): IncomingFrame {
  const parsed = eventParams.safeParse(params);
  if (!parsed.success) return { kind: "other", why: "a collection_update of an unknown shape" };
  const { msg, collection, id, fields } = parsed.data;
  return { kind: "event", event: { msg, collection, id: id ?? null, fields: fields ?? null } };
}

function decodeUnsubscribed(params: unknown): IncomingFrame {
  const parsed = z.object({ collection: z.string() }).passthrough().safeParse(params);
  if (!parsed.success) return { kind: "other", why: "a notify_unsubscribed of an unknown shape" };
  return { kind: "unsubscribed", collection: parsed.data.collection };
}

/** JSON-RPC 2.0, as of 25.04. */
export const JSON_RPC: Protocol = {
  path: "/api/current",
  hello: null,
  encode: encodeCall,
  unanswered: [],
  decode: decodeFrame,
};

/** A refusal, without the `[ERRNAME] ` prefix of its reason. */
export function toRefusal(
  code: number,
  { error, errname, reason, extra }: z.infer<typeof errorData>,
): CallRefusal {
  return {
    code,
    errno: error ?? null,
    errname: errname ?? null,
    reason: (reason ?? "").replace(/^\[[A-Z0-9_]+\] /, ""),
    fields: toFields(extra),
  };
}

/** The messages by field of a validation error; empty when the data has another shape. */
function toFields(extra: unknown): readonly FieldRefusal[] {
  const parsed = fieldRefusals.safeParse(extra);
  if (!parsed.success) return [];
  return parsed.data.map(([attribute, message, errno]) => ({ attribute, message, errno }));
}
