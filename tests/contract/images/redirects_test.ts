/**
 * Protects this network from foreign servers: where an address and each redirect may lead, checked for the very address that is
 * connected to.
 */
import assert from "node:assert/strict";
import { ImageError } from "../../../lib/errors/errors.ts";
import { type ImageUrl, openUrl } from "../../../lib/images/source/open_url.ts";
import { allowedAddresses, type Place, placeOf } from "../../../lib/images/source/network_places.ts";
import { recordedImage } from "../../support/images/disk_images.ts";
import { addSecondMachine } from "../../support/network/network.ts";
import { serveFiles } from "../../support/images/file_server.ts";

const IMAGE = recordedImage("plain.qcow2");

const PLACES: readonly (readonly [string, Place | null])[] = [
  ["93.184.216.34", "public"],
  ["2606:2800:220:1::1", "public"],
  ["64:ff9b::5db8:d822", "public"],
  ["10.1.2.3", "private"],
  ["172.16.0.1", "private"],
  ["192.168.1.1", "private"],
  ["100.64.0.1", "private"],
  ["198.18.0.1", "private"],
  ["fd00::1", "private"],
  ["::ffff:192.168.1.1", "private"],
  ["64:ff9b::c0a8:101", "private"],
  ["127.0.0.1", "this machine"],
  ["::1", "this machine"],
  ["::ffff:127.0.0.1", "this machine"],
  ["169.254.169.254", null],
  ["fe80::1%eth0", null],
  ["0.0.0.0", null],
  ["::", null],
  ["224.0.0.1", null],
  ["255.255.255.255", null],
  ["240.0.0.1", null],
  ["2002:7f00:1::1", null],
  ["images.example", null],
];

Deno.test.each(PLACES)("placeOf() knows where %s is", (address, place) => {
  assert.equal(placeOf(address), place);
});

const AT: Readonly<Record<Place, string>> = {
  "public": "192.88.0.1",
  "private": "10.0.0.1",
  "this machine": "127.0.0.1",
};

const REDIRECTS: readonly (readonly [from: Place, to: Place, isAllowed: boolean])[] = [
  ["public", "public", true],
  ["public", "private", false],
  ["public", "this machine", false],
  ["private", "public", true],
  ["private", "private", true],
  ["private", "this machine", false],
  ["this machine", "public", true],
  ["this machine", "private", true],
  ["this machine", "this machine", true],
];

Deno.test.each(REDIRECTS)("allowedAddresses() of a redirect from %s to %s", (from, to, isAllowed) => {
  const allowed = allowedAddresses([AT[to]], { from, allowPrivate: true });
  if (isAllowed) assert.deepEqual(allowed, { place: to, addresses: [AT[to]] });
  else assert.match(String(allowed), /the server redirects (into a private network|to this machine)/);
});

Deno.test("allowedAddresses() takes of several addresses only the farthest", () => {
  const found = [AT["this machine"], AT.private, "169.254.1.1", AT.public, "192.88.0.2"];
  assert.deepEqual(allowedAddresses(found, { from: null, allowPrivate: true }), {
    place: "public",
    addresses: [AT.public, "192.88.0.2"],
  });
});

function open(url: string, options: Partial<ImageUrl>) {
  return openUrl({ url, sha256: null, allowPrivate: false, limits: { retries: 0 }, ...options });
}

async function refused(opening: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await opening.then(() => null, (error) => error);
  assert.ok(error instanceof ImageError, String(error));
  assert.match(error.message, message);
  assert.equal(error.failure, "address");
}

Deno.test("an address in a private network or on this machine is asked only if the configuration names it", async () => {
  await using server = serveFiles(() => ({ body: IMAGE }));
  await refused(
    open(`${server.url}/a`, {}),
    /leads to this machine, which is allowed only for .* configuration/,
  );
  await refused(open("http://192.168.1.1/a", {}), /into a private network/);
  await refused(open("http://0x7f000001/a", {}), /to this machine/);
  await refused(
    open("http://nas.example/a", { resolve: () => Promise.resolve(["10.0.0.1"]) }),
    /private network/,
  );
  assert.equal(server.requests.length, 0);
  const image = await open(`${server.url}/a`, { allowPrivate: true });
  await image.body.cancel();
});

Deno.test("a link-local address is never asked", async () => {
  const options = { allowPrivate: true };
  await refused(open("http://169.254.169.254/latest/meta-data", options), /link-local or reserved/);
  await refused(open("http://[fe80::1]/a", options), /link-local or reserved/);
  await refused(
    open("http://a.example/a", { ...options, resolve: () => Promise.resolve(["169.254.1.1"]) }),
    /link-local/,
  );
});

Deno.test("a name is connected to at the address that was checked, and asked for once", async () => {
  await using server = serveFiles(({ headers }) => ({
    body: IMAGE,
    headers: { "x-host": headers.get("host") ?? "" },
  }));
  let asked = 0;
  const resolve = () => {
    asked++;
    // A name that another answer would lead elsewhere.
    return Promise.resolve([asked === 1 ? "127.0.0.1" : "192.0.2.1"]);
  };
  const image = await open(`http://images.example:${server.port}/a`, { allowPrivate: true, resolve });
  await image.body.cancel();
  assert.equal(asked, 1);
  assert.equal(server.requests[0]?.headers.get("host"), `images.example:${server.port}`);
});

Deno.test("redirects are followed, and each is checked", async (t) => {
  await using server = serveFiles(({ path, headers }) => {
    const [, to] = /^\/to\/(.*)$/.exec(path) ?? [];
    if (to === undefined) return { body: IMAGE };
    assert.ok(headers.has("host"));
    return { status: 302, headers: { location: decodeURIComponent(to) } };
  });
  const redirect = (to: string) => `${server.url}/to/${encodeURIComponent(to)}`;
  const here = { allowPrivate: true };

  await t.step("within this machine", async () => {
    const image = await open(redirect(`${redirect("/final/debian.qcow2")}`), here);
    assert.equal(image.fileName.endsWith(".qcow2"), true);
    await image.body.cancel();
  });
  await t.step("not to a link-local address", async () => {
    await refused(open(redirect("http://169.254.169.254/"), here), /link-local or reserved/);
  });
  await t.step("not to something that is no web server", async () => {
    await refused(open(redirect("file:///etc/passwd"), here), /not the address of a file/);
  });
  await t.step("not for ever", async () => {
    let image = "/a";
    for (let n = 0; n < 11; n++) image = `/to/${encodeURIComponent(image)}`;
    await assert.rejects(open(server.url + image, here), /redirects more than 10 times/);
  });
});

Deno.test("a server in a private network does not lead to this machine", async () => {
  await using machine = await addSecondMachine();
  await using own = serveFiles(() => ({ body: IMAGE }));
  await using server = serveFiles(
    () => ({ status: 302, headers: { location: `${own.url}/a` } }),
    machine.here,
  );
  await refused(open(`${server.url}/a`, { allowPrivate: true }), /the server redirects to this machine/);
  assert.equal(server.requests.length, 1);
  assert.equal(own.requests.length, 0);
});
