/** Protects the errors: one family, with messages that name the place, and without losing outcome, method or cause. */
import assert from "node:assert/strict";
import { type CallRefusal, explainRefusal } from "../../lib/errors/nas_errors.ts";
import { explainError } from "../../lib/command_line/process.ts";
import fc from "../support/packages/fast_check.ts";
import {
  ConfigurationError,
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../../lib/errors/errors.ts";

const REFUSAL: CallRefusal = {
  code: -32001,
  errno: 14,
  errname: "EFAULT",
  reason: " It is busy \n",
  fields: [],
};

Deno.test("every error belongs to the TrueNASError family and has its own name", () => {
  const connection = { failure: "lost", remedy: "Wait." } as const;
  const errors = [
    new TrueNASError("It failed"),
    new TrueNASCallError("vm.start", REFUSAL),
    new TrueNASConnectionError("It was lost", connection),
    new TrueNASTimeoutError("It took too long"),
    new ConfigurationError("config.yaml", []),
  ];
  assert.deepEqual(errors.map(({ name }) => name), [
    "TrueNASError",
    "TrueNASCallError",
    "TrueNASConnectionError",
    "TrueNASTimeoutError",
    "ConfigurationError",
  ]);
  for (const error of errors) {
    assert.ok(error instanceof TrueNASError && error instanceof Error);
    assert.equal(error.outcome, "not-done", "the outcome is unknown only when it is said to be");
    assert.ok(!("cause" in error), "no cause is no cause, not an undefined one");
  }
});

Deno.test("outcome, method and cause are kept", () => {
  const cause = new Error("below");
  const error = new TrueNASTimeoutError("It took too long", {
    method: "vm.start",
    outcome: "unknown",
    cause,
  });
  assert.deepEqual([error.method, error.outcome, error.cause], ["vm.start", "unknown", cause]);
  const lost = new TrueNASConnectionError("It was lost", {
    failure: "tls",
    remedy: "Trust it.",
    outcome: "unknown",
  });
  assert.deepEqual([lost.failure, lost.remedy, lost.outcome], ["tls", "Trust it.", "unknown"]);
});

Deno.test("a NAS error is reported field by field, or else by its reason, quoting the NAS", () => {
  assert.equal(explainRefusal(REFUSAL), 'TrueNAS refused: "It is busy"');
  const fields = [
    { attribute: "vm_create.name", message: "This name exists", errno: 17 },
    { attribute: null, message: "No pool", errno: 22 },
  ];
  assert.equal(
    explainRefusal({ ...REFUSAL, fields }),
    'TrueNAS refused: "vm_create.name: This name exists"; TrueNAS refused: "No pool"',
  );
  const error = new TrueNASCallError("vm.create", REFUSAL);
  assert.deepEqual([error.message, error.method, error.refusal], [
    'vm.create: TrueNAS refused: "It is busy"',
    "vm.create",
    REFUSAL,
  ]);
});

Deno.test("ConfigurationError lists each problem on its own line, with its known position", () => {
  const error = new ConfigurationError("config.yaml", [
    { field: "worker.count", message: "It is wrong", line: 3, column: 7 },
    { field: "worker", message: "It is wrong", line: 3 },
    { field: "worker", message: "It is wrong" },
    { field: "", message: "It is no YAML", line: 1, column: 2 },
  ]);
  assert.deepEqual(error.message.split("\n"), [
    "config.yaml:3:7: worker.count: It is wrong",
    "config.yaml:3:1: worker: It is wrong",
    "config.yaml: worker: It is wrong",
    "config.yaml:1:2: It is no YAML",
  ]);
  const problem = fc.record({
    field: fc.stringMatching(/^[a-z.]*$/),
    message: fc.stringMatching(/^[A-Z][a-z ]*$/),
  });
  fc.assert(fc.property(fc.array(problem, { minLength: 1 }), (problems) => {
    const { message, problems: kept } = new ConfigurationError("x", problems);
    assert.equal(message.split("\n").length, problems.length);
    assert.equal(kept, problems);
  }));
});

Deno.test("a zvol with snapshots is not reported as having clones, on any release", () => {
  const cannot = "Failed to delete dataset: cannot destroy 'tank/a'";
  const told: readonly (readonly [reason: string, means: RegExp])[] = [
    [
      `${cannot}: volume has children\nuse '-r' to destroy the following datasets:\ntank/a@ready`,
      /^it has snap/,
    ],
    ["zfs.resource.destroy: 'tank/a' has snapshots. Set recursive=True to remove them.", /^it has snapshots/],
    [
      `${cannot}: volume has dependent clones\nuse '-R' to destroy the following datasets:\ntank/b`,
      /^other disks are clones/,
    ],
    ["'tank/a@ready' has the following clones: tank/b", /^other disks are clones/],
    [`${cannot}: filesystem has children`, /^it has child datasets/],
  ];
  for (const [reason, means] of told) {
    const words = explainRefusal({ ...REFUSAL, reason });
    assert.match(words, means);
    assert.ok(words.includes(reason.replaceAll("\n", " ")), "TrueNAS's own words stand beside");
  }
});

Deno.test("an error of the operating system names its file, or the folder of temporary files", () => {
  const denied = (at: string) => explainError(new Error(`Permission denied (os error 13): ${at}`));
  assert.match(denied("stat '/root/x'"), /^Stopped by an error with \/root\/x: .*does not have permission/);
  assert.match(denied("tmpdir"), /^Stopped by an error in the folder of temporary files, \/tmp or TMPDIR: /);
  assert.match(explainError(new Error("No space left on device (os error 28)")), /^Stopped by an error: /);
});
