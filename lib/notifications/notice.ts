/** What a webhook tells, and how each receiver wants to be told. Pure. */
import type { OperationView } from "../operations/types.ts";
import { formatCount } from "../units.ts";

/** What happened. */
export type NoticeEvent = "operation.ended" | "node.not-ready" | "nas.lost" | "nas.back";

/** Something that happened, without secrets. */
export interface Notice {
  readonly event: NoticeEvent;
  /** When, in milliseconds since 1970 (UTC). */
  readonly at: number;
  /** One line: `Create 4 VMs: failed`. */
  readonly title: string;
  /** What happened and what to do, in a few lines. */
  readonly message: string;
  /** Whether somebody should look at it. */
  readonly isTrouble: boolean;
  /** The operation, for `operation.ended`. */
  readonly operation?: EndedOperation;
}

/** An operation that has ended. */
export interface EndedOperation {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  /** `/operations/9f2c`, below the dashboard's address. */
  readonly path: string;
  readonly vms: readonly { readonly name: string; readonly outcome: string | null }[];
}

/** A body, and the headers that belong to it. */
export interface Written {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How many VMs that did not succeed are named. */
const MAX_NAMED = 10;

const TROUBLE: readonly string[] = ["failed", "partly-done", "interrupted"];

/** Tells how an operation ended. */
export function noticeOfOperation(view: OperationView): Notice {
  const { id, kind, title, status, vms, message } = view;
  const isTrouble = TROUBLE.includes(status);
  const failed = vms.filter(({ message, outcome }) => isTrouble && message !== null && outcome !== "kept");
  const more = failed.length - MAX_NAMED;
  const lines = [
    ...(message === null ? [] : [message]),
    ...failed.slice(0, MAX_NAMED).map((vm) => `${vm.name}: ${vm.message}`),
    ...(more > 0 ? [`and ${formatCount(more, "more VM")}`] : []),
    ...(isTrouble ? ["The operation's page shows what was done, and what can be done about the rest."] : []),
  ];
  return {
    event: "operation.ended",
    at: view.finishedAt ?? view.startedAt,
    title: `${title}: ${status}`,
    message: lines.length === 0 ? `${title}: ${status}` : lines.join("\n"),
    isTrouble,
    operation: {
      id,
      kind,
      status,
      path: `/operations/${id}`,
      vms: vms.map(({ name, outcome }) => ({ name, outcome })),
    },
  };
}

/** Tells that a node did not answer in time, or no longer does. */
export function noticeOfNode(name: string, why: string, at: number): Notice {
  const title = `${name} does not answer`;
  return { event: "node.not-ready", at, title, message: why === "" ? title : why, isTrouble: true };
}

/** The receivers that are known. */
export const WEBHOOK_FORMATS = ["generic", "ntfy", "slack"] as const;

/** A known receiver. */
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** Writes a notice as a receiver wants it. */
export function writeNotice(format: WebhookFormat, notice: Notice): Written {
  return { generic, ntfy, slack }[format](notice);
}

const JSON_TYPE = { "content-type": "application/json" } as const;

function generic({ at, isTrouble, ...notice }: Notice): Written {
  const body = JSON.stringify({ ...notice, at: new Date(at).toISOString(), trouble: isTrouble });
  return { body, headers: JSON_TYPE };
}

/** ntfy takes the text as it is; a header can have ASCII characters only. */
function ntfy({ title, message, isTrouble }: Notice): Written {
  return {
    body: message,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "title": title.replaceAll(/[^ -~]/g, "?"),
      "priority": isTrouble ? "high" : "default",
      "tags": isTrouble ? "warning" : "white_check_mark",
    },
  };
}

function slack({ title, message }: Notice): Written {
  // These three have a meaning in Slack's texts; names of VMs may contain them.
  const escaped = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const lines = message === title ? "" : `\n${escaped(message)}`;
  return { body: JSON.stringify({ text: `*${escaped(title)}*${lines}` }), headers: JSON_TYPE };
}
