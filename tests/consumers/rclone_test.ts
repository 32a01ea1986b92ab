/** Protects the NAS's fetching from this program: a real rclone, which TrueNAS uses, copies from our one-time address. */
import assert from "node:assert/strict";
import { offeringOn } from "../../lib/images/offering/offering.ts";
import { startPathServer } from "../../lib/secret_paths/path_server.ts";
import { consume } from "../support/consumers.ts";
import { rawImage } from "../support/images/disk_images.ts";
import { withFolder } from "../support/folder.ts";

const IMAGE = rawImage(3_000_000);

Deno.test("rclone copies the file, whole and in parts, and then has nothing to do", async () => {
  await withFolder(async (folder) => {
    await using server = await startPathServer({ host: "127.0.0.1", port: 0 });
    const offered = await offeringOn(server, folder).offer(
      { body: new Blob([IMAGE]).stream() },
      "debian-12.raw",
    );
    const copy = (target: string, ...more: readonly string[]) =>
      consume("rclone", [
        ...[
          "copy",
          ":http:",
          `${folder}/${target}`,
          "--http-url",
          offered.url,
          "--include",
          "/debian-12.raw",
        ],
        ...["--config", "/dev/null", "--stats-one-line", "-vv", ...more],
      ]);
    for (const [target, parts] of [["whole", "100M"], ["parts", "1M"]] as const) {
      const copied = await copy(target, "--multi-thread-cutoff", parts, "--multi-thread-streams", "4");
      assert.equal(copied.code, 0, copied.stderr);
      assert.equal(/multi-thread copy/.test(copied.stderr), target === "parts", copied.stderr);
      assert.deepEqual(await Deno.readFile(`${folder}/${target}/debian-12.raw`), IMAGE);
    }
    const again = await copy("whole");
    assert.match(again.stderr, /There was nothing to transfer/);
    await offered.close();
    const gone = await copy("gone");
    assert.notEqual(gone.code, 0, "an address is good for once");
  });
});
