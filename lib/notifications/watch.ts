/** Tells a webhook of what people want to hear about: operations that ended, and a NAS that is away. */
import type { Readiness } from "../first_boot/types.ts";
import type { Vm } from "../inventory/inventory.ts";
import type { OperationStore } from "../operations/record/store.ts";
import type { OperationView } from "../operations/types.ts";
import type { NasConnection } from "../truenas/connection/nas_connection.ts";
import { type Notice, noticeOfNode, noticeOfOperation } from "./notice.ts";

/** What is watched. */
export interface Watched {
  readonly operations: Pick<OperationStore, "onEvent">;
  readonly connection: Pick<NasConnection, "onState" | "address">;
  /** Which VMs answer. */
  readonly readiness: {
    of(vm: Vm): Readiness | null;
    onChange(listener: (vm: Vm) => void): () => void;
  };
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** A NAS that is back sooner was hardly away. */
const AWAY_MS = 60_000;

/** Sends notices until the returned function is called. */
export function watch(
  { operations, connection, readiness, now }: Watched,
  send: (notice: Notice) => void,
): () => void {
  const endings = [
    operations.onEvent((view, event) => {
      if (event.type === "finished" && isTold(view)) send(noticeOfOperation(view));
      if (event.type === "step" && event.step === "ready" && event.status === "failed") {
        send(noticeOfNode(event.vm, event.error?.message ?? "", now()));
      }
    }),
    watchConnection(connection, now, send),
    watchNodes(readiness, now, send),
  ];
  return () => {
    for (const end of endings) end();
  };
}

/** Starting and stopping single VMs is nothing to be called for. */
function isTold({ kind, status }: OperationView): boolean {
  return (kind !== "act" && kind !== "change") || status !== "done";
}

/** Tells once of each node that no longer answers. */
function watchNodes(
  readiness: Watched["readiness"],
  now: () => number,
  send: (notice: Notice) => void,
): () => void {
  const lost = new Set<number>();
  return readiness.onChange((vm) => {
    const { state, address } = readiness.of(vm) ?? { state: "unknown", address: null };
    if (state !== "lost") return void lost.delete(vm.id);
    if (lost.has(vm.id)) return;
    lost.add(vm.id);
    const at = address === null ? "" : ` at ${address}`;
    send(noticeOfNode(vm.name, `It no longer answers${at}, and still runs. Look at its console.`, now()));
  });
}

function watchConnection(
  connection: Watched["connection"],
  now: () => number,
  send: (notice: Notice) => void,
): () => void {
  const { address } = connection;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let lostAt: number | null = null;
  const clear = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
  const end = connection.onState((state) => {
    if (state.kind === "live") {
      clear();
      if (lostAt !== null) send(backNotice(address, now()));
      lostAt = null;
      return;
    }
    if (state.kind === "closed") return clear();
    if (timer !== null || lostAt !== null || !("error" in state)) return;
    const { message } = state.error;
    timer = setTimeout(() => {
      timer = null;
      lostAt = now();
      send(lostNotice(address, message, lostAt));
    }, AWAY_MS);
  });
  return () => {
    clear();
    end();
  };
}

function lostNotice(address: string, why: string, at: number): Notice {
  return {
    event: "nas.lost",
    at,
    title: `The NAS ${address} does not answer`,
    message: `${why}\nOperations wait for it; nothing is lost.`,
    isTrouble: true,
  };
}

function backNotice(address: string, at: number): Notice {
  const title = `The NAS ${address} answers again`;
  return { event: "nas.back", at, title, message: title, isTrouble: false };
}
