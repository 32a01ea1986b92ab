/** The answer while the program changes between set-up and the dashboard. */
import { OpeningPage } from "../../templates/pages/setup/other_pages.tsx";
import type { AppContext } from "../server/context.ts";
import { sendPage, visitorFrame } from "../server/dashboard.ts";

/**
 * When a browser without scripts asks again. The part that ends answers with this page again; nothing answers only between
 * the two parts, which is much shorter.
 */
const SECONDS = 3;

/** Answers a form at once; later requests get status 503 until the next part answers. */
export function sendOpening(c: AppContext, { title, next }: { title: string; next: string }): Response {
  const page = <OpeningPage frame={visitorFrame(c)} title={title} next={next} seconds={SECONDS} />;
  return sendPage(c, page, c.req.method === "POST" ? 200 : 503);
}
