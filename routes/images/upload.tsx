/** Uploading an image from the browser, which is passed on to the NAS as it arrives. */
import { ConfigurationError, type Problem } from "../../lib/errors/errors.ts";
import { parseWholeNumber } from "../../lib/inputs.ts";
import { formatBytes, GIB } from "../../lib/units.ts";
import { UploadPage } from "../../templates/pages/images/upload_page.tsx";
import { paths } from "../../templates/paths.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { type ArrivingFile, BrokenUpload, drain, drainReader, readUpload } from "./multipart.ts";
import { datasetOf, NO_DATASET, waysOf } from "./places.ts";

/** The one place whose forms may be large. */
export const UPLOAD_PATH = "/images/upload";

/** No image of a system is larger. */
const MAX_UPLOAD_BYTES = 256 * GIB;

/** GET /images/upload. */
export function showUpload(c: AppContext, dashboard: Dashboard): Promise<Response> {
  return show(c, dashboard, { name: "", sha256: "", problems: [], notice: null }, 200);
}

/** POST /images/upload: passes the file on, and leads to the operation once all of it has arrived. */
export async function uploadImage(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const { tokens } = dashboard;
  const declared = Number(c.req.header("content-length") ?? NaN);
  if (declared > MAX_UPLOAD_BYTES) {
    const message = `The file is larger than ${formatBytes(MAX_UPLOAD_BYTES)}, the most that can be uploaded`;
    return await show(c, dashboard, { name: "", sha256: "", problems: [{ field: "file", message }] }, 413);
  }
  const arriving = await arrivingIn(c);
  if (arriving === null) {
    const message = "Choose a file";
    return await show(c, dashboard, { name: "", sha256: "", problems: [{ field: "file", message }] }, 422);
  }
  const { fields, stream } = arriving;
  const text = (name: string) => fields.get(name)?.trim() ?? "";
  const form = { name: text("name"), sha256: text("sha256") };
  const again = async (problems: readonly Problem[], status: 409 | 422, notice: string | null = null) => {
    // What was refused when the operation was to start has been read there.
    if (!stream.locked) await drain(stream);
    return await show(c, dashboard, { ...form, problems, notice }, status);
  };
  if (!tokens.knows(text("token"))) {
    const notice = "This form has expired. Nothing was uploaded. Choose the file again and submit it.";
    return await again([], 409, notice);
  }
  if (arriving.fileName === "") return await again([{ field: "file", message: "Choose a file" }], 422);
  const dataset = datasetOf(dashboard);
  if (dataset === null) return await again([{ field: "", message: NO_DATASET }], 422);
  try {
    const next = await tokens.redeem(
      text("token"),
      () => start(c, dashboard, { ...form, dataset, arriving }),
    );
    return c.redirect(next ?? paths.images(), 303);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return await again(error.problems, 422);
  }
}

/** The file in the form; null when the form has none. */
async function arrivingIn(c: AppContext): Promise<ArrivingFile | null> {
  try {
    return await readUpload(c.req.raw);
  } catch (error) {
    if (error instanceof BrokenUpload) return null;
    throw error;
  }
}

interface Uploading {
  readonly dataset: string;
  readonly name: string;
  readonly sha256: string;
  readonly arriving: ArrivingFile;
}

/** Resolves when the file has been read, because browsers take an answer before that for a failure. */
async function start(
  c: AppContext,
  { manager }: Dashboard,
  { dataset, name, sha256, arriving: { fields, fileName, stream } }: Uploading,
): Promise<string> {
  const { promise: isRead, resolve } = Promise.withResolvers<void>();
  const passedOn = untilRead(stream, resolve);
  const { log } = await manager.images.upload({
    dataset,
    name,
    fileName,
    stream: passedOn,
    sha256: sha256 === "" ? null : sha256,
    // The script tells it; without, the progress has no end.
    sizeBytes: parseWholeNumber(fields.get("size") ?? "", { lowest: 1, highest: MAX_UPLOAD_BYTES }),
  }, { by: actorOf(c) }).catch(async (error) => {
    if (!passedOn.locked) await Promise.all([passedOn.cancel(), isRead]);
    throw error;
  });
  await isRead;
  return paths.operation(log.id);
}

/** The same stream; when its reader gives up, the rest is read and forgotten. */
function untilRead(stream: ReadableStream<Uint8Array>, read: () => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let isGivenUp = false;
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (isGivenUp) return;
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      read();
    },
    cancel() {
      isGivenUp = true;
      // The operation ends now, also when the browser is silent; only the answer waits for the rest.
      void drainReader(reader).then(read);
    },
  }, { highWaterMark: 0 });
}

interface Shown {
  readonly name: string;
  readonly sha256: string;
  readonly problems: readonly Problem[];
  readonly notice?: string | null;
}

async function show(
  c: AppContext,
  dashboard: Dashboard,
  { notice = null, ...shown }: Shown,
  status: 200 | 409 | 413 | 422,
): Promise<Response> {
  if (wantsJson(c) && status !== 200) {
    const messages = [...(notice === null ? [] : [notice]), ...shown.problems.map(({ message }) => message)];
    return c.json({ error: messages.join("; "), problems: shown.problems }, status);
  }
  const dataset = datasetOf(dashboard);
  const page = {
    ...shown,
    notice,
    isIso: c.req.query("kind") === "iso",
    token: issueToken(c, dashboard),
    ways: await waysOf(dashboard, dataset),
    dataset,
  };
  return sendPage(c, <UploadPage frame={pageFrame(c, dashboard)} page={page} />, status);
}
