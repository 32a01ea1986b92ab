/** Listens on SEED_HOST and SEED_PORT. */
import type { Server } from "node:http";
import { isIpv4, isIpv6 } from "../configuration/environment/ip_addresses.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { describeSystemError, reasonOf, systemErrorCode } from "../errors/system_errors.ts";

/**
 * Listens on the host itself if it is an address of this machine, else on all addresses: a name can lead to a loopback
 * address of this machine, as Debian's own name does.
 *
 * @returns the port.
 * @throws {ConfigurationError} when the port is taken.
 */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  const isAddress = isIpv4(host) || isIpv6(host);
  try {
    return await listenOn(server, isAddress ? host : "0.0.0.0", port);
  } catch (error) {
    // The runtime's error for an address of another machine names no reason of its own.
    if (!isAddress || systemErrorCode(error) === "EADDRINUSE") throw cannotListen(error, port);
  }
  try {
    // The address of a router or host in front of this machine, which passes the port on.
    return await listenOn(server, isIpv6(host) ? "::" : "0.0.0.0", port);
  } catch (error) {
    throw cannotListen(error, port);
  }
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen(port, host, () => {
    const address = server.address();
    resolve(typeof address === "object" && address !== null ? address.port : port);
  });
  return promise.finally(() => server.off("error", reject));
}

function cannotListen(error: unknown, port: number): ConfigurationError {
  const reason = describeSystemError(error) ?? reasonOf(error);
  const message = systemErrorCode(error) === "EADDRINUSE"
    ? `Port ${port} is in use. Set SEED_PORT to another port, or to 0 for a free one`
    : `Cannot listen on port ${port} for the NAS and its VMs: ${reason}. Set another SEED_HOST or SEED_PORT`;
  return new ConfigurationError("environment", [{ field: "SEED_PORT", message }], { cause: error });
}
