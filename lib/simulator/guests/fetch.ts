/** Requests of simulated guests over real HTTP, each from its guest's own address. */
import { GUEST_HEADERS, type GuestFetch, isLoopback } from "./network.ts";

/** Fetches from this machine only. */
export const guestFetch: GuestFetch = async ({ url, form, from, signal }) => {
  if (!isLoopback(url)) return null;
  // Other systems have no loopback addresses but one.
  const own = Deno.build.os === "linux" ? { localAddress: from } : {};
  const client = Deno.createHttpClient(own);
  try {
    const method = form === undefined ? "GET" : "POST";
    const response = await fetch(url, { client, method, body: form, headers: GUEST_HEADERS, signal });
    const text = await response.text();
    return response.ok ? text : null;
  } catch (error) {
    // A machine that has no such address, a server that is away, and a guest that was switched off.
    if (error instanceof Error) return null;
    throw error;
  } finally {
    client.close();
  }
};
