/** Downloads images and public keys, in a worker that may connect anywhere and may do nothing else. */
import { serveDownloads } from "../../lib/images/acquiring/remote_download.ts";
import { fetchText } from "../../lib/images/source/fetch_text.ts";
import { openUrl } from "../../lib/images/source/open_url.ts";
import { logStrayErrors } from "../../lib/errors/unhandled_errors.ts";
import { setupLogging } from "../../lib/observability/logging.ts";

// One that ends would leave the other downloads waiting.
logStrayErrors(setupLogging());

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<MessagePort>;
  serveDownloads(data, { openUrl, fetchText });
});
