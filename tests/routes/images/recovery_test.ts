/** Protects the choices after an image could not be fetched: they name the image, and resuming fetches it. Real HTTP. */
import assert from "node:assert/strict";
import { qcow2, sha256Of } from "../../support/images/fetched_images.ts";
import { text, withDashboard } from "../../support/pages/http.ts";
import { serveImages } from "../../support/images/image_server.ts";

Deno.test("an image that could not be fetched can be fetched again", () =>
  withDashboard({}, async ({ url, manager, simulator }) => {
    const bytes = qcow2();
    await using server = serveImages({ files: { "debian.qcow2": bytes } });
    const image = { dataset: "tank/images", name: "debian", url: `${server.url}debian.qcow2` };
    simulator.addFault({ method: "filesystem.put", action: "fail" });
    const failed = await manager.images.add({ ...image, sha256: sha256Of(bytes) });
    const view = await failed.finished;
    assert.equal(view.status, "failed");
    const page = await text(fetch(`${url}/operations/${view.id}`));
    assert.match(page, /Resume downloading\s+1 image/);
    assert.match(page, /debian: the file is downloaded again from its beginning\./);
    assert.match(page, /debian was not added\. .*Removed again: tank\/images\/files-debian/);
    const resumed = await manager.operations.resume(view.id);
    assert.equal((await resumed?.finished)?.status, "done");
  }));
