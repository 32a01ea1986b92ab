/** Answers what asks for downloads where none can be made, so that nothing waits for them. */

/** Refuses each download that is asked for over a port. */
export function refuseDownloads(port: MessagePort, why: string): void {
  port.onmessage = ({ data }: MessageEvent<{ readonly id: number }>) => {
    const remedy = "Start the program with deno task start, or with --allow-net.";
    const message = `Nothing can be downloaded: ${why}`;
    port.postMessage({ id: data.id, failed: { message, failure: "server", remedy } });
  };
}
