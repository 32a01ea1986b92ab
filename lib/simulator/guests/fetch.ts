/** Requests of simulated guests over real HTTP, each from its guest's own address. */
import process from "node:process";
import { runtime } from "../../runtime/runtime.ts";
import { GUEST_HEADERS, type GuestFetch, isLoopback } from "./network.ts";

/** Fetches from this machine only. */
export const guestFetch: GuestFetch = async ({ url, form, from, signal }) => {
  if (!isLoopback(url)) return null;
  // Other systems have no loopback addresses but one.
  const client = runtime.client(process.platform === "linux" ? { localAddress: from } : {});
  try {
    const method = form === undefined ? "GET" : "POST";
    const response = await client.fetch(url, { method, body: form, headers: GUEST_HEADERS, signal });
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
