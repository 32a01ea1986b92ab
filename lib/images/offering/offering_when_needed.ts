/** A server that listens from the first file on, for commands that often need none. */
import { type OneTimeAddress, type OneTimeServer, startOneTimeServer } from "./one_time_server.ts";

/** See the file's comment. */
export function offeringWhenNeeded(address: OneTimeAddress): Pick<OneTimeServer, "offer"> & AsyncDisposable {
  let server: Promise<OneTimeServer> | null = null;
  return {
    offer: async (image, fileName, onBytes) => {
      server ??= startOneTimeServer(address);
      return await (await server).offer(image, fileName, onBytes);
    },
    [Symbol.asyncDispose]: async () => {
      // Why it could not listen was told where a file was offered.
      await (await server?.catch(() => null))?.close();
    },
  };
}
