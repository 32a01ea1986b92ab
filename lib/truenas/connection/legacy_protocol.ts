/**
 * The frames of TrueNAS's legacy protocol at /websocket (the only one of 24.x), as plain data: no socket, no clock. Its
 * errors have the same form as JSON-RPC's.
 */
import { ERRNO } from "../../errors/errno.ts";
import { METHOD_NOT_FOUND } from "../../errors/refusals.ts";
import { z } from "../../zod.ts";
import { encodeFrame, errorData, type IncomingFrame, type Protocol, toRefusal } from "./protocol.ts";

const legacyFrame = z.object({
  msg: z.string(),
  id: z.union([z.string(), z.number()]).nullish(),
  result: z.unknown().optional(),
  error: errorData.nullish(),
  subs: z.array(z.string()).nullish(),
  collection: z.string().nullish(),
  fields: z.record(z.string(), z.unknown()).nullish(),
}).passthrough();

/** The corresponding JSON-RPC codes. */
const CODES = { invalid: -32602, failed: -32001 } as const;

/** The legacy protocol. */
export const LEGACY_PROTOCOL: Protocol = {
  path: "/websocket",
  hello: {
    send: JSON.stringify({ msg: "connect", version: "1", support: ["1"] }),
    isAnswer: (text) => read(text)?.msg === "connected",
  },
  encode: encodeLegacy,
  unanswered: ["core.unsubscribe"],
  decode: decodeLegacy,
};

function encodeLegacy(id: number, method: string, params: readonly unknown[]): string {
  return encodeFrame(method, legacyFrameOf(String(id), method, params));
}

function legacyFrameOf(id: string, method: string, params: readonly unknown[]): Record<string, unknown> {
  if (method === "core.subscribe") return { msg: "sub", id, name: params[0] };
  if (method === "core.unsubscribe") return { msg: "unsub", id: params[0] };
  return { msg: "method", id, method, params };
}

function read(text: string): z.infer<typeof legacyFrame> | null {
  try {
    const parsed = legacyFrame.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function decodeLegacy(text: string): IncomingFrame {
  const frame = read(text);
  if (frame === null) return { kind: "other", why: "not a frame of the legacy protocol" };
  const { msg, collection } = frame;
  if (msg === "result") {
    const id = Number(frame.id);
    const { error, result } = frame;
    return error
      ? { kind: "refusal", id, refusal: toRefusal(codeOf(error), error) }
      : { kind: "result", id, result };
  }
  if (msg === "ready") return { kind: "result", id: Number(frame.subs?.[0]), result: frame.subs?.[0] };
  if (msg === "added" || msg === "changed" || msg === "removed") {
    const id = typeof frame.id === "string" && /^\d+$/.test(frame.id) ? Number(frame.id) : frame.id ?? null;
    return { kind: "event", event: { msg, collection: collection ?? "", id, fields: frame.fields ?? null } };
  }
  if (msg === "nosub") return { kind: "unsubscribed", collection: collection ?? "" };
  return { kind: "other", why: `a frame ${msg}` };
}

function codeOf({ error, type }: z.infer<typeof errorData>): number {
  if (error === ERRNO.ENOMETHOD) return METHOD_NOT_FOUND;
  return type === "VALIDATION" ? CODES.invalid : CODES.failed;
}
