/** The answer while the program changes between set-up and the dashboard. */
import { OpeningPage } from "../../templates/pages/setup/other_pages.tsx";
import type { AppContext } from "../server/context.ts";
import { sendPage, visitorFrame } from "../server/dashboard.ts";

/**
 * When a browser without scripts asks again. What it is answered by the part that ends is this page again; nothing answers
 * only between the two parts, which is much shorter.
 */
const SECONDS = 3;

/**
 * Answers when this part of the program is told to end, so that the browser asks again only when the next one listens. By
 * then the next one is loaded.
 */
export async function sendOpening(
  c: AppContext,
  { title, next, stopping }: { title: string; next: string; stopping: AbortSignal },
): Promise<Response> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stopping.addEventListener("abort", () => resolve(), { once: true });
  if (!stopping.aborted) await promise;
  return sendPage(c, <OpeningPage frame={visitorFrame(c)} title={title} next={next} seconds={SECONDS} />);
}
