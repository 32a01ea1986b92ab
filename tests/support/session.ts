/** A session on the simulated NAS, independent of the program. */
import assert from "node:assert/strict";
import { silentLogger } from "../../lib/observability/logging.ts";
import { parseNasAddress } from "../../lib/configuration/environment/nas_address.ts";
import { Session, type SessionOptions } from "../../lib/truenas/connection/session.ts";

/** Makes one for a NAS at this address; it is not connected yet. */
export function sessionAt(url: string, options: Partial<SessionOptions> = {}): Session {
  const parsed = parseNasAddress(url);
  assert.ok(parsed.ok, "the simulator has an address");
  return new Session({
    address: parsed.address,
    username: "admin",
    password: "truenas",
    apiKey: null,
    caCerts: [],
    guard: { readOnly: false, noDestroy: false },
    simulated: true,
    logger: silentLogger,
    ...options,
  });
}

/** The same, connected. */
export async function openSession(url: string): Promise<Session> {
  const session = sessionAt(url);
  await session.connect();
  return session;
}
