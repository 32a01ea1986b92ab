/** Reads a guest's serial console until cloud-init says that it has finished. Nothing is typed. */
import { parseIpv4 } from "../../configuration/environment/ip_addresses.ts";
import { TrueNASError } from "../../errors/errors.ts";
import { sleepUntilAborted } from "../../truenas/connection/logins.ts";
import type { SerialConsole } from "../../truenas/connection/shell.ts";

/** A console that is taken, or that ends with a restart of the guest, is opened again after so many milliseconds. */
const AGAIN_MS = 5_000;
/** The end of what was read is kept, because a line can arrive in pieces. */
const MAX_CHARS = 16_384;

/** What a console has shown. */
export interface ConsoleFacts {
  /** IPv4, by cloud-init's table of addresses; null before it was printed. */
  readonly address: string | null;
  readonly isFinished: boolean;
}

/** Resolves when cloud-init has finished, or when the signal aborts. */
export async function readUntilFinished(
  open: () => Promise<SerialConsole>,
  signal: AbortSignal,
): Promise<Pick<ConsoleFacts, "address">> {
  let address: string | null = null;
  while (!signal.aborted) {
    try {
      const facts = await readOnce(await open(), signal);
      address = facts.address ?? address;
      if (facts.isFinished) break;
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
    }
    await sleepUntilAborted(AGAIN_MS, signal);
  }
  return { address };
}

/** Reads one console to its end, or until cloud-init has finished. */
async function readOnce(serial: SerialConsole, signal: AbortSignal): Promise<ConsoleFacts> {
  const { promise, resolve } = Promise.withResolvers<ConsoleFacts>();
  const decoder = new TextDecoder();
  let text = "";
  let facts: ConsoleFacts = { address: null, isFinished: false };
  const stop = () => resolve(facts);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  serial.listen((data) => {
    text = (text + (typeof data === "string" ? data : decoder.decode(data, { stream: true }))).slice(
      -MAX_CHARS,
    );
    const seen = factsIn(text);
    facts = { address: seen.address ?? facts.address, isFinished: seen.isFinished };
    if (facts.isFinished) resolve(facts);
  }, stop);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    serial.close();
  }
}

/** What the text of a console tells; its last lines count. */
export function factsIn(text: string): ConsoleFacts {
  const lines = text.split(/[\r\n]+/);
  const addresses = lines.flatMap((line) => {
    // `ci-info: |  enp1s0 | True |  10.0.0.21  | 255.255.255.0 | global | 02:… |`
    const [device = "", isUp, address = ""] = line.includes("ci-info:")
      ? line.split("|").slice(1).map((cell) => cell.trim())
      : [];
    const known = isUp === "True" && device !== "lo" ? parseIpv4(address) : null;
    return known === null ? [] : [known];
  });
  const isFinished = lines.some((line) => /Cloud-init v\. .* finished at /i.test(line));
  return { address: addresses.at(-1) ?? null, isFinished };
}
