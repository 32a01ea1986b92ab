/**
 * Protects the configuration file while it is saved: written in place, so that links, mounts, owner and mode stay; what
 * it said before is kept; a full disk, a file that cannot be written and another editor lose nothing.
 */
import assert from "node:assert/strict";
import {
  FileStore,
  fingerprintOf,
  MAX_VERSIONS,
  MemoryStore,
} from "../../../lib/configuration/editing/configuration_store.ts";
import {
  HalfWrittenError,
  type OpenFile,
  overwriteFile,
} from "../../../lib/configuration/editing/overwrite.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { withFolder } from "../../support/folder.ts";

const AT = Date.UTC(2026, 10, 26, 18, 35, 12, 345);
const OLD = "worker: { count: 1 }\n";
const NEW = "worker: { count: 2 }\ngpu: { count: 1 }\n";

function storeIn(folder: string, path = `${folder}/config.yaml`): FileStore {
  return new FileStore({ path, folder: `${folder}/state/configuration` });
}

const edit = (text: string, shown = OLD, at = AT) => ({
  text,
  shown: fingerprintOf(shown),
  action: "add_gpu",
  at,
});

Deno.test("a saved file is the same file: inode, mode, hard links and symbolic links stay", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/elsewhere`);
    const target = `${folder}/elsewhere/real.yaml`;
    await Deno.writeTextFile(target, OLD);
    await Deno.chmod(target, 0o640);
    await Deno.link(target, `${folder}/mounted.yaml`);
    await Deno.symlink("elsewhere/real.yaml", `${folder}/config.yaml`);
    const before = await Deno.stat(target);
    assert.deepEqual(storeIn(folder).save(edit(NEW)), { ok: true });
    const after = await Deno.stat(target);
    assert.deepEqual([after.ino, after.mode, after.nlink], [before.ino, before.mode, 2]);
    assert.ok((await Deno.lstat(`${folder}/config.yaml`)).isSymlink);
    for (const name of ["config.yaml", "mounted.yaml", "elsewhere/real.yaml"]) {
      assert.equal(await Deno.readTextFile(`${folder}/${name}`), NEW);
    }
  }));

Deno.test("a shorter text leaves nothing of the longer one, and a missing file is created", () =>
  withFolder(async (folder) => {
    const store = storeIn(folder);
    assert.deepEqual(store.read(), {
      text: null,
      fingerprint: "none",
      source: `${folder}/config.yaml`,
      readOnly: null,
    });
    assert.deepEqual(store.save({ ...edit(NEW), shown: "none" }), { ok: true });
    assert.deepEqual(store.versions(), []);
    assert.deepEqual(store.save(edit("a: ö\n", NEW)), { ok: true });
    assert.equal(await Deno.readTextFile(`${folder}/config.yaml`), "a: ö\n");
  }));

Deno.test("a file that changed meanwhile is not written", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, "# by hand\n");
    const store = storeIn(folder);
    assert.deepEqual(store.save(edit(NEW)), { ok: false, changed: true });
    assert.equal(await Deno.readTextFile(`${folder}/config.yaml`), "# by hand\n");
    assert.deepEqual(store.versions(), []);
    await Deno.remove(`${folder}/config.yaml`);
    assert.deepEqual(store.save(edit(NEW)), { ok: false, changed: true });
  }));

Deno.test("the earlier texts are kept, latest first, readable by their owner only, and not without end", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, "v0");
    const store = storeIn(folder);
    for (let n = 0; n < MAX_VERSIONS + 3; n++) {
      assert.deepEqual(store.save(edit(`v${n + 1}`, `v${n}`, AT + n)), { ok: true });
    }
    const versions = store.versions();
    assert.equal(versions.length, MAX_VERSIONS);
    assert.deepEqual(versions[0], {
      id: "20261126T183512397Z-add_gpu",
      at: AT + MAX_VERSIONS + 2,
      action: "add_gpu",
    });
    assert.equal(store.version(versions[0]?.id ?? ""), `v${MAX_VERSIONS + 2}`);
    assert.equal(store.version(versions.at(-1)?.id ?? ""), "v3");
    const kept = await Deno.stat(`${folder}/state/configuration/${versions[0]?.id}.yaml`);
    assert.equal((kept.mode ?? 0) & 0o777, 0o600);
    for (const id of ["../../config", "", "20261126T183512397Z-other", `${versions[0]?.id}.yaml`]) {
      assert.equal(store.version(id), null, id);
    }
  }));

Deno.test("a file that cannot be written says so before anything is typed, and one that cannot be read is an error", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, OLD);
    const mounted = new FileStore({
      path: `${folder}/config.yaml`,
      folder: `${folder}/state`,
      refusal: () => new Error("Read-only file system (os error 30)"),
    });
    assert.match(mounted.read().readOnly ?? "", /the file system is read-only/);
    assert.equal(mounted.read().text, OLD);
    assert.equal(storeIn(folder).read().readOnly, null);
    assert.throws(() => storeIn(folder, folder).read(), ConfigurationError);
    await Deno.writeTextFile(`${folder}/state`, "a file");
    const saved = storeIn(folder).save(edit(NEW));
    assert.match(JSON.stringify(saved), /cannot be kept in .*Nothing was saved/);
    assert.equal(await Deno.readTextFile(`${folder}/config.yaml`), OLD);
  }));

/** A disk with this much room; it may fail for good after its first refusal. */
function disk(content: string, { room, breaks = false }: { room: number; breaks?: boolean }) {
  let bytes = new TextEncoder().encode(content);
  let refusals = 0;
  const open = (): OpenFile => ({
    read: () => bytes.slice(),
    write: (added, position) => {
      if (position + added.length > room || (breaks && refusals > 0)) {
        refusals++;
        // A full disk takes what still fits.
        const fits = added.subarray(0, Math.max(0, room - position));
        bytes = patched(bytes, fits, position);
        throw new Error("No space left on device (os error 28)");
      }
      bytes = patched(bytes, added, position);
    },
    truncate: (size) => {
      bytes = bytes.slice(0, size);
    },
    sync: () => {},
    [Symbol.dispose]: () => {},
  });
  return { open, text: () => new TextDecoder().decode(bytes) };
}

function patched(
  bytes: Uint8Array<ArrayBuffer>,
  added: Uint8Array,
  position: number,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(Math.max(bytes.length, position + added.length));
  result.set(bytes);
  result.set(added, position);
  return result;
}

Deno.test("a full disk leaves the file as it was, however much still fits", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, OLD);
    for (let room = OLD.length; room < NEW.length; room++) {
      const full = disk(OLD, { room });
      const store = new FileStore({
        path: `${folder}/config.yaml`,
        folder: `${folder}/state`,
        overwrite: (path, text) => overwriteFile(path, text, full.open),
      });
      const saved = store.save(edit(NEW));
      assert.match(JSON.stringify(saved), /the disk is full; free some space\. It is unchanged/);
      assert.equal(full.text(), OLD);
      assert.equal(store.version(store.versions()[0]?.id ?? ""), OLD, "and it is kept besides");
    }
    const enough = disk(OLD, { room: NEW.length });
    overwriteFile("", NEW, enough.open);
    assert.equal(enough.text(), NEW);
  }));

Deno.test("a disk that breaks while the file is put back leads to the kept text", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, OLD);
    const broken = disk(OLD, { room: OLD.length + 3, breaks: true });
    assert.throws(() => overwriteFile("", NEW, broken.open), HalfWrittenError);
    const store = new FileStore({
      path: `${folder}/config.yaml`,
      folder: `${folder}/state`,
      overwrite: (path, text) => overwriteFile(path, text, broken.open),
    });
    assert.match(JSON.stringify(store.save(edit(NEW))), /only in part.*Its text from before is kept in/);
    assert.equal(store.version(store.versions()[0]?.id ?? ""), OLD);
  }));

Deno.test("the demo's copy is saved in memory, and the file it came from stays as it is", () => {
  let file = OLD;
  const store = new MemoryStore(() => ({ text: file, source: "config.yaml" }));
  file = `${OLD}# edited\n`;
  assert.equal(store.read().text, file, "an edit of the file shows until the first save");
  assert.deepEqual(store.save(edit(NEW)), { ok: false, changed: true });
  assert.deepEqual(store.save(edit(NEW, file)), { ok: true });
  assert.equal(store.read().text, NEW);
  assert.equal(store.version(store.versions()[0]?.id ?? ""), file);
  assert.equal(file, `${OLD}# edited\n`);
});
