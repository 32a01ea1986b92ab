/**
 * Protects adding images without script: the catalogue fills in addresses and says where digests are published, mistakes are told
 * at their fields with what was typed, an upload is passed on as it arrives, and a file on the NAS is named in config.yaml. Real HTTP.
 */
import assert from "node:assert/strict";
import type { NewImage, UploadedImage } from "../../../lib/images/acquiring/images.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import { soon } from "../../support/deadline.ts";
import { errorsOf, follow, hidden, post, text, withDashboard } from "../../support/pages/http.ts";
import { powerOff } from "../../support/pages/dashboard.ts";

const SHA256 = "a".repeat(64);

/** Replaces what brings images, because these tests are about the pages. */
function acquiringBy(
  { manager }: TestDashboard,
  act: { add?: (image: NewImage) => void; upload?: (image: UploadedImage) => Promise<void> },
): void {
  const run = async () => {
    // Any operation serves: the page leads to it.
    const [view] = manager.operations.store.list();
    const id = view?.id ?? "";
    const log = manager.operations.store.get(id);
    assert.ok(log !== undefined);
    return await Promise.resolve({ log, finished: Promise.resolve(log.view) });
  };
  manager.images.add = (image) => {
    act.add?.(image);
    return run();
  };
  manager.images.upload = async (image) => {
    await act.upload?.(image);
    return await run();
  };
}

function withOperation(test: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  return withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    await powerOff(dashboard).finished;
    await test(dashboard);
  });
}

Deno.test("a well-known image fills in its address, and says where its digest is", () =>
  withDashboard({}, async ({ url }) => {
    const empty = await text(fetch(`${url}/images/new`));
    for (const label of ["Debian", "Ubuntu", "Talos Linux"]) assert.match(empty, new RegExp(`>${label}</a>`));
    const ubuntu = await text(fetch(`${url}/images/new?from=ubuntu&release=22.04`));
    assert.match(
      ubuntu,
      /value="https:\/\/cloud-images\.ubuntu\.com\/releases\/jammy\/release\/ubuntu-22\.04-/,
    );
    assert.match(ubuntu, /data-digest="sha256"/);
    assert.match(ubuntu, /jammy\/release\/SHA256SUMS/);
    assert.match(await text(fetch(`${url}/images/new?from=debian`)), /only the SHA-512/);
    const talos = await text(
      fetch(`${url}/images/new?from=talos&release=v1.14.2&extensions=siderolabs/gvisor`),
    );
    assert.match(talos, /data-digest="none"/);
    assert.match(talos, /factory\.talos\.dev\/\?arch=amd64&amp;extensions=siderolabs%2Fgvisor/);
    const wrong = await text(fetch(`${url}/images/new?from=talos&release=${"9".repeat(9_000)}`));
    assert.deepEqual(errorsOf(wrong), ["release"]);
    assert.match(wrong, /the maximum is 500/);
    assert.match(await text(fetch(`${url}/images/new?from=__proto__`)), /Choose one/);
  }));

Deno.test("an image from an address starts once, and leads to its operation", () =>
  withOperation(async (dashboard) => {
    const added: NewImage[] = [];
    acquiringBy(dashboard, { add: (image) => void added.push(image) });
    const page = await text(fetch(`${dashboard.url}/images/new`));
    const form = {
      token: hidden(page, "token"),
      name: "debian13",
      url: " https://example.org/d.qcow2",
      sha256: SHA256,
    };
    const place = await follow(post(dashboard, "/images", form));
    assert.match(place, /^\/operations\//);
    assert.equal(await follow(post(dashboard, "/images", form)), place);
    assert.deepEqual(added, [{
      dataset: "tank/images",
      name: "debian13",
      url: "https://example.org/d.qcow2",
      sha256: SHA256,
    }]);
  }));

Deno.test("mistakes are told at their fields, and what was typed is kept", () =>
  withOperation(async (dashboard) => {
    acquiringBy(dashboard, {
      add: () => {
        throw new ConfigurationError("image", [{ field: "url", message: "This is no address" }]);
      },
    });
    const page = await text(fetch(`${dashboard.url}/images/new`));
    const form = { token: hidden(page, "token"), name: "‮nab", url: "ftp://x", sha256: "12", from: "debian" };
    const answer = await post(dashboard, "/images", form);
    const html = await answer.text();
    assert.equal(answer.status, 422);
    assert.deepEqual(errorsOf(html), ["url"]);
    for (const value of ["ftp://x", "12"]) assert.match(html, new RegExp(`value="${value}"`));
    assert.match(html, /The image of Debian/);
    const expired = await post(dashboard, "/images", { ...form, token: "none" });
    assert.equal(expired.status, 409);
    assert.match(await expired.text(), /This form has expired/);
  }));

function upload(
  dashboard: TestDashboard,
  fields: Record<string, string>,
  file: Blob | null,
): Promise<Response> {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  if (file !== null) body.append("file", file, "debian.qcow2");
  return fetch(`${dashboard.url}/images/upload`, {
    method: "POST",
    body,
    headers: { origin: dashboard.url },
    redirect: "manual",
  });
}

Deno.test("a file much larger than a form is passed on while it arrives", () =>
  withOperation(async (dashboard) => {
    const bytes = 24 * 1024 ** 2;
    let received = 0;
    let largest = 0;
    acquiringBy(dashboard, {
      upload: async ({ stream, name, fileName, sha256, sizeBytes }) => {
        assert.equal(sizeBytes, bytes);
        assert.deepEqual([name, fileName, sha256], ["debian", "debian.qcow2", null]);
        await Promise.resolve();
        void (async () => {
          for await (const chunk of stream) {
            received += chunk.length;
            largest = Math.max(largest, chunk.length);
          }
        })();
      },
    });
    const page = await text(fetch(`${dashboard.url}/images/upload`));
    const form = { token: hidden(page, "token"), name: "debian", sha256: "", size: String(bytes) };
    const place = await follow(upload(dashboard, form, new Blob([new Uint8Array(bytes)])));
    assert.match(place, /^\/operations\//);
    assert.equal(received, bytes);
    assert.ok(largest < 4 * 1024 ** 2, `the largest piece has ${largest} bytes`);
  }));

Deno.test("an upload that is given up is still read to its end, and one without a file is refused", () =>
  withOperation(async (dashboard) => {
    acquiringBy(dashboard, { upload: ({ stream }) => stream.cancel() });
    const page = await text(fetch(`${dashboard.url}/images/upload`));
    const form = { token: hidden(page, "token"), name: "debian", sha256: "" };
    await follow(upload(dashboard, form, new Blob([new Uint8Array(8 * 1024 ** 2)])));
    const without = await upload(dashboard, form, null);
    assert.equal(without.status, 422);
    assert.deepEqual(errorsOf(await without.text()), ["file"]);
    const foreign = await fetch(`${dashboard.url}/images/upload`, { method: "POST", body: new FormData() });
    assert.equal(foreign.status, 403);
    await foreign.body?.cancel();
  }));

Deno.test("a wrong name or digest beside a file is said at its field once the file has arrived, with what was typed", () =>
  withDashboard({}, async (dashboard) => {
    const file = new Blob([new Uint8Array(4 * 1024 ** 2)]);
    for (
      const [field, typed] of [["name", "a b/c"], ["name", "x".repeat(300)], ["name", ""], ["sha256", "zz"]]
    ) {
      const page = await text(fetch(`${dashboard.url}/images/upload`));
      const form = { token: hidden(page, "token"), name: "debian", sha256: "", [field ?? ""]: typed ?? "" };
      const answer = await upload(dashboard, form, file);
      const html = await answer.text();
      assert.deepEqual([answer.status, errorsOf(html)], [422, [field]], `${typed}: ${html.slice(0, 300)}`);
      assert.ok(html.includes(`value="${typed}"`));
    }
    assert.deepEqual(dashboard.manager.operations.store.list(), []);
  }));

Deno.test("an upload that is given up while its browser is silent does not wait for the browser", () =>
  withOperation(async (dashboard) => {
    const { promise: givenUp, resolve } = Promise.withResolvers<void>();
    acquiringBy(dashboard, { upload: ({ stream }) => stream.cancel().then(resolve) });
    const page = await text(fetch(`${dashboard.url}/images/upload`));
    const part = (head: string, value: string) =>
      `--abc\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
    const form = part('name="token"', hidden(page, "token")) + part('name="name"', "debian") +
      part('name="file"; filename="a.qcow2"', "x".repeat(1_000));
    const { hostname, port, origin } = new URL(dashboard.url);
    using browser = await Deno.connect({ hostname, port: Number(port) });
    const head = ["POST /images/upload HTTP/1.1", `host: ${hostname}:${port}`, `origin: ${origin}`];
    const type = "content-type: multipart/form-data; boundary=abc";
    const request = [...head, type, "content-length: 5000000", "", form].join("\r\n");
    await browser.write(new TextEncoder().encode(request));
    await soon(givenUp, "the upload is given up");
  }));

Deno.test("a file on the NAS is named in config.yaml, after a look at the change", () =>
  withDashboard({}, async (dashboard) => {
    const { url, simulator, store } = dashboard;
    const path = "/mnt/tank/iso/alpine.qcow2";
    addFile(simulator.store, path, { head: qcow2Head(1024 ** 3) });
    const form = await text(fetch(`${url}/images/adopt?path=${path}`));
    assert.match(form, /name="name" value="alpine"/);
    const wrong = await post(dashboard, "/types/review", {
      change: "image",
      name: "9 lives",
      path: "relative",
    });
    const refused = await wrong.text();
    assert.equal(wrong.status, 422);
    assert.match(refused, /value="9 lives"/);
    assert.deepEqual(errorsOf(refused), ["name"]);
    const bad = await text(
      post(dashboard, "/types/review", { change: "image", name: "alpine", path: "relative" }),
    );
    assert.deepEqual(errorsOf(bad), ["path"]);
    const review = await text(post(dashboard, "/types/review", { change: "image", name: "alpine", path }));
    assert.match(review, /data-diff="added"/);
    const fields = { change: "image", name: "alpine", path };
    const saved = { ...fields, shown: hidden(review, "shown"), token: hidden(review, "token") };
    const place = await follow(post(dashboard, "/types", saved));
    assert.equal(place, "/images?saved=alpine");
    assert.match(store.file().text, /images:\n {2}alpine: \{ path: \/mnt\/tank\/iso\/alpine\.qcow2 \}/);
    const list = await text(fetch(url + place));
    assert.match(list, /alpine is an image now/);
    assert.match(list, /data-image="alpine" data-state="waiting"/);
    const stale = await post(dashboard, "/types", { ...saved, token: "", name: "other" });
    assert.equal(stale.status, 409);
    await stale.body?.cancel();
  }));
