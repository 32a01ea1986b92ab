/** Downloads images, in a worker that may connect anywhere and may do nothing else. */
import { serveDownloads } from "../../lib/images/acquiring/remote_download.ts";
import { openUrl } from "../../lib/images/source/open_url.ts";

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<MessagePort>;
  serveDownloads(data, openUrl);
});
