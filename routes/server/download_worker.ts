/**
 * Downloads images and public keys, and probes ports of guests, in a worker that may connect anywhere and may do nothing else.
 */
import { probePort } from "../../lib/first_boot/readiness/probe_port.ts";
import { serveProbes } from "../../lib/first_boot/readiness/remote_probe.ts";
import { serveDownloads } from "../../lib/images/acquiring/remote_download.ts";
import { fetchText } from "../../lib/images/source/fetch_text.ts";
import { openUrl } from "../../lib/images/source/open_url.ts";
import { logStrayErrors } from "../../lib/errors/unhandled_errors.ts";
import { setupLogging } from "../../lib/observability/logging.ts";

// One that ends would leave the other downloads waiting.
logStrayErrors(setupLogging());

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<MessagePort | { readonly probes: MessagePort }>;
  if ("probes" in data) serveProbes(data.probes, probePort);
  else serveDownloads(data, { openUrl, fetchText });
});
