/** The page of images. */
import { Hono } from "hono";
import type { Configuration } from "../../lib/configuration/configuration.ts";
import { imageListJson } from "../../lib/images/listing/image_json.ts";
import { ImagesPage } from "../../templates/pages/images/images_page.tsx";
import { type AppContext, type AppEnv } from "../server/context.ts";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { addImage, showAdd } from "./add.tsx";
import { showAdopt } from "./adopt.tsx";
import { configurationOfImages } from "./configuration.ts";
import { removeImage, showRemoval } from "./remove.tsx";
import { showUpload, UPLOAD_PATH, uploadImage } from "./upload.tsx";

/** GET /images, and what is below it. */
export function imageRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/images", (c) => list(c, dashboard));
  app.post("/images", (c) => addImage(c, dashboard));
  app.get("/images/new", (c) => showAdd(c, dashboard));
  app.get("/images/adopt", (c) => showAdopt(c, dashboard));
  app.get("/images/upload", (c) => showUpload(c, dashboard));
  app.post(UPLOAD_PATH, (c) => uploadImage(c, dashboard));
  app.get("/images/remove", (c) => showRemoval(c, dashboard));
  app.post("/images/remove", (c) => removeImage(c, dashboard));
  return app;
}

async function list(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const configuration = configurationOfImages(dashboard);
  const startedAt = dashboard.now();
  const images = await dashboard.manager.inventory.images(configuration, dashboard.now);
  if (wantsJson(c)) return c.json(imageListJson(images));
  const { source } = dashboard.configurationStore.file();
  const page = {
    list: images,
    staleAt: images.readAt < startedAt ? dashboard.now() : null,
    source,
    isBroken: configuration === null && dashboard.configurationStore.file().text !== "",
    saved: savedWords(c.req.query("saved"), configuration, source),
  };
  return sendPage(c, <ImagesPage frame={pageFrame(c, dashboard)} page={page} />);
}

/** Only for an image that is there, because anybody can write such an address. */
function savedWords(
  name: string | undefined,
  configuration: Configuration | null,
  source: string,
): string | null {
  const isThere = name !== undefined && Object.hasOwn(configuration?.images ?? {}, name);
  return isThere ? `${source} was saved: ${name} is an image now` : null;
}
