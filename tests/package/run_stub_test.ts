/**
 * Protects what people see when the self-extracting file cannot be used: what happened, what to do, and nothing that
 * is half installed. The script is the real one; the program behind it is a few lines, so that each case takes no time.
 */
import assert from "node:assert/strict";
import { makeRunFile } from "../../packaging/run/run.ts";
import { ARCHITECTURE, end, type Ended, namesIn, succeed, withPublicFolder } from "./support/packages.ts";

const FILE = "truenas-vm-manager.run";
const SHEBANG = "#!/bin/sh\n";
/** Of user and group "apps" on TrueNAS. */
const OTHER_USER = ["--reuid=568", "--regid=568", "--clear-groups"];

interface Small {
  /** What the file's program prints. */
  readonly says?: string;
  /** Needs the GNU C library 2.x, of at least this x. */
  readonly libc?: number;
  readonly version?: string;
  readonly runtime?: string;
}

/** Writes a self-extracting file whose runtime is a script. */
async function makeSmallFile(
  folder: string,
  { says = "It runs", libc = 27, version = "1.2.3", runtime = "#!/bin/sh\n" }: Small = {},
): Promise<string> {
  const tree = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${tree}/runtime`, runtime, { mode: 0o755 });
    const start = `#!/bin/sh\necho "${says}:" "$@"\numask\n[ "\${1:-}" != fail ] || exit 7\n`;
    await Deno.writeTextFile(`${tree}/truenas-vm-manager`, start, { mode: 0o755 });
    await makeRunFile({ architecture: ARCHITECTURE, version, libc, tree }, `${folder}/${FILE}`);
    return `${folder}/${FILE}`;
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

/** What `uname` or another program says, for a test. */
async function pretend(folder: string, program: string, script: string): Promise<Record<string, string>> {
  await Deno.mkdir(`${folder}/bin`, { recursive: true });
  await Deno.writeTextFile(`${folder}/bin/${program}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}/bin:/usr/bin:/bin` };
}

function expectRefused({ code, out, err }: Ended, ...words: RegExp[]): void {
  assert.equal(code, 2, err);
  assert.equal(out, "");
  for (const word of [/Nothing was installed\. \S/, ...words]) assert.match(err, word);
  assert.equal(err.trim().split("\n").length, 2, "what happened, and what to do");
}

/** A test with a file in a folder of its own. */
function withFile(name: string, small: Small, test: (file: string, folder: string) => Promise<void>): void {
  Deno.test(`The .run file ${name}`, () =>
    withPublicFolder(async (folder) => {
      await test(await makeSmallFile(folder, small), folder);
    }));
}

withFile(
  "extracts once, passes arguments on and ends with the program's exit code",
  {},
  async (file, folder) => {
    const first = await end(file, ["fail", "a b"], { cwd: "/" });
    assert.equal(first.code, 7);
    assert.match(first.out, /^It runs: fail a b\n0022$/m);
    assert.match(first.err, /^Extracted to .*\/truenas-vm-manager-1\.2\.3-[0-9a-f]{8}\n$/);
    const again = await end("sh", [file]);
    assert.deepEqual({ ...again }, { code: 0, out: "It runs:\n0022\n", err: "" });
    assert.equal((await namesIn(folder)).length, 2, "the file and one folder");
  },
);

withFile("keeps the caller's umask for what the program writes", {}, async (file, folder) => {
  const { out } = await end("sh", ["-c", 'umask 077; exec "$0"', file]);
  assert.match(out, /^0077$/m);
  const [name = ""] = (await namesIn(folder)).filter((it) => it !== FILE);
  const { mode } = await Deno.stat(`${folder}/${name}/runtime`);
  assert.equal((mode ?? 0) & 0o777, 0o755, "others may run it");
});

withFile("extracts to the folder that is named", {}, async (file, folder) => {
  await Deno.mkdir(`${folder}/a folder`);
  for (const option of [["--extract-to", `${folder}/a folder`], [`--extract-to=${folder}/a folder`]]) {
    const { code, out } = await end(file, [...option, "list"]);
    assert.equal(code, 0);
    assert.match(out, /^It runs: list$/m);
  }
  assert.deepEqual(await namesIn(folder), ["a folder", FILE]);
  assert.equal((await namesIn(`${folder}/a folder`)).length, 1);
  expectRefused(await end(file, ["--extract-to", `${folder}/none`]), /none" does not exist.*\n.*Create it/);
  expectRefused(await end(file, ["--extract-to"]), /--extract-to requires a folder/);
});

withFile("extracts once when it is started twice at the same time", {}, async (file, folder) => {
  const both = await Promise.all([1, 2, 3, 4].map((n) => end(file, [String(n)])));
  for (const [index, { code, out }] of both.entries()) {
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^It runs: ${index + 1}$`, "m"));
  }
  assert.equal((await namesIn(folder)).length, 2);
});

withFile(
  "leaves the version before beside it, to go back to",
  { says: "The old one" },
  async (file, folder) => {
    await Deno.rename(file, `${folder}/old.run`);
    const next = await makeSmallFile(folder, { says: "The new one", version: "1.3.0" });
    assert.match((await end(`${folder}/old.run`, [])).out, /The old one/);
    assert.match((await end(next, [])).out, /The new one/);
    assert.match((await end(`${folder}/old.run`, [])).out, /The old one/);
    assert.equal((await namesIn(folder)).length, 4);
  },
);

withFile("refuses a download that is incomplete or changed", {}, async (file, folder) => {
  const bytes = await Deno.readFile(file);
  const script = new TextDecoder("latin1").decode(bytes).indexOf('main "$@"; exit');
  const checked = new TextDecoder("latin1").decode(bytes).indexOf("\n}\n") + "\n}\n".length;
  const lengths = Array.from({ length: Math.ceil(script / 97) }, (_, index) => index * 97);
  // Cut off in the archive, and in the script behind its first block, which compares the length.
  for (const length of [bytes.length - 1, bytes.length - 100, ...lengths.filter((it) => it >= checked)]) {
    await Deno.writeFile(file, bytes.subarray(0, length));
    const ended = await end("sh", [file]);
    expectRefused(ended, /is damaged: it has \d+ bytes instead of \d+\.\n.*Download it again/);
  }
  // Within that block the shell misses its end.
  for (let length = SHEBANG.length + 1; length < checked - 1; length++) {
    await Deno.writeFile(file, bytes.subarray(0, length));
    const { code, out } = await end("sh", [file]);
    assert.deepEqual([code, out], [2, ""], `cut off after ${length} bytes`);
  }
  const changed = bytes.slice();
  changed[bytes.length - 20] = (changed[bytes.length - 20] ?? 0) ^ 1;
  await Deno.writeFile(file, changed);
  expectRefused(await end(file, []), /is damaged: its contents do not match.*\n.*Download it again/);
  assert.deepEqual(await namesIn(folder), [FILE]);
});

withFile("refuses another architecture", {}, async (file, folder) => {
  const other = ARCHITECTURE === "x86_64" ? "aarch64" : "x86_64";
  const env = await pretend(folder, "uname", `[ "$1" = -m ] && echo ${other} || echo Linux`);
  expectRefused(
    await end(file, [], { env }),
    new RegExp(`for Linux on ${ARCHITECTURE}, but this machine is Linux on ${other}`),
    new RegExp(`Download truenas-vm-manager-${other}\\.run`),
  );
  assert.deepEqual(await namesIn(folder), ["bin", FILE]);
});

withFile(
  "refuses a C library that is too old, and another one than GNU's",
  { libc: 99 },
  async (file, folder) => {
    expectRefused(
      await end(file, []),
      /GNU C library 2\.99 or later is required, but this machine has 2\.\d+/,
    );
    const env = await pretend(folder, "getconf", "exit 1");
    expectRefused(await end(file, [], { env }), /GNU C library was not found.*\n.*musl/);
    assert.deepEqual(await namesIn(folder), ["bin", FILE]);
  },
);

withFile("refuses a folder that is not the user's", {}, async (file, folder) => {
  expectRefused(
    await end("setpriv", [...OTHER_USER, file]),
    /is read-only, or belongs to another user.*\n.*--extract-to/,
  );
  assert.deepEqual(await namesIn(folder), [FILE]);
});

/** Runs the file on a file system of its own, and lists what is left there. */
async function onMount(
  file: string,
  folder: string,
  options: string,
): Promise<{ ended: Ended; left: string[] }> {
  const place = `${folder}/mounted`;
  await Deno.mkdir(place);
  await succeed("mount", "-t", "tmpfs", "-o", options, "tmpfs", place);
  try {
    const ended = await end(file, ["--extract-to", place]);
    return { ended, left: await namesIn(place) };
  } finally {
    await succeed("umount", place);
    await Deno.remove(place);
  }
}

withFile(
  "refuses a read-only folder, one mounted noexec, and one with too little space",
  {},
  async (file, folder) => {
    const cases = [
      { options: "ro", words: /is read-only/ },
      { options: "noexec", words: /Programs cannot run in .* mounted with noexec/ },
      { options: "size=1m", words: /too little space in .*: \d+ MiB are required, 0 MiB are free/ },
    ];
    for (const { options, words } of cases) {
      const { ended, left } = await onMount(file, folder, options);
      expectRefused(ended, words, /--extract-to DIR/);
      assert.deepEqual(left, []);
    }
  },
);

withFile("leaves nothing when the space ends while it extracts", {}, async (file, folder) => {
  const env = await pretend(folder, "df", "printf 'Filesystem\\nx 1 1 99999999 1 /\\n'");
  const place = `${folder}/mounted`;
  await Deno.mkdir(place);
  await succeed("mount", "-t", "tmpfs", "-o", "nr_inodes=5", "tmpfs", place);
  try {
    expectRefused(await end(file, ["--extract-to", place], { env }), /could not be extracted .*No space/);
    assert.deepEqual(await namesIn(place), []);
  } finally {
    await succeed("umount", place);
  }
});

withFile("refuses a machine on which the runtime does not start", {
  runtime: "#!/bin/sh\necho 'cannot load libgcc_s.so.1' >&2\nexit 127\n",
}, async (file, folder) => {
  expectRefused(await end(file, []), /does not start on this machine: cannot load libgcc_s/);
  assert.deepEqual(await namesIn(folder), [FILE]);
});
