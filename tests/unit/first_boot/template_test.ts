/**
 * Protects templates of seeds: our variables are replaced, quoted as YAML needs it; what belongs to jinja, Go or Helm stays as
 * it is; and a mistake is named with file, line and column, never with the text of the file.
 */
import assert from "node:assert/strict";
import process from "node:process";
import fc from "../../support/packages/fast_check.ts";
import { parse } from "../../../lib/configuration/yaml.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { fillIn, type Form, type Variables } from "../../../lib/first_boot/rendering/template.ts";
import { variablesOf } from "../../../lib/first_boot/rendering/variables.ts";
import { FACTS } from "./seed_samples.ts";

const VARIABLES = variablesOf(FACTS);

function filled(text: string, variables: Variables = VARIABLES, form: Form = "yaml"): string {
  return fillIn({ file: "seeds/worker.yaml", text }, variables, form);
}

function complaint(text: string, form: Form = "yaml"): string {
  try {
    filled(text, VARIABLES, form);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return assert.fail(`nothing is wrong with ${JSON.stringify(text)}`);
}

Deno.test("variables are replaced in values, keys, quotes, blocks and comments", () => {
  const text = `# {{ vm.name }} of {{group.name}}
{{ vm.name }}: {ip: {{ vm.ip }}, index: {{ vm.index }}, all: [{{ group.count }}, {{ vm.mac.lan }}]}
url: http://{{ vm.ip }}:6443/{{ vm.hostname }} # {{ vm.disk }}
double: "{{ vm.mac.stor.x }}"
single: 'it''s {{ vm.name }}'
block: |
  name={{ vm.name }}
  mac={{ vm.mac.lan }}
`;
  assert.deepEqual(parse(filled(text), { version: "1.1" }), {
    worker01: { ip: "10.0.0.21", index: 1, all: [3, "12:00:50:10:00:01"] },
    url: "http://10.0.0.21:6443/worker01",
    double: "02:00:5e:10:00:02",
    single: "it's worker01",
    block: "name=worker01\nmac=12:00:50:10:00:01\n",
  });
  assert.match(filled(text), /^# worker01 of worker\n/);
});

Deno.test("what others write between braces stays as it is", () => {
  const text = `go: |
  {{- range $i, $e := .Items }}{{ .Values.vm.name }}{{ end -}}
  {{/* a comment */}} {{ "{{" }} {{{ raw }}} {{#each}} {{=<% %>=}} {{> partial }} {{ vmware.x }} {{ vm }}
  {% if ds.meta_data.vm %}{{ ds.meta_data.vm.name | upper }}{% endif %} \${{ github.ref }} {{ group }}
`;
  assert.equal(filled(text), text);
  assert.equal(filled(text, VARIABLES, "text"), text);
});

/** A text, the place that is complained about, and what is said. */
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ["a: 1\nb: {{ vm.nmae }}\n", "2:4", /no variable vm.nmae; there are vm.name, vm.index, vm.hostname, vm.ip/],
  ["a: {{ vm.mac.wan }}", "1:4", /no variable vm.mac.wan.*vm.mac.lan/],
  ["a: {{ group.constructor }} ", "1:4", /no variable group.constructor/],
  ["a: {{ vm. }}", "1:4", /no variable vm\./],
  ["a: {{ vm.ip.stor.x }}", "1:4", /vm.ip.stor.x has no value: the VM gets its address by DHCP/],
  ["a: {{{ vm.name }}}", "1:5", /two braces on each side: write {{ vm.name }}/],
  ["{{#vm.name}}x{{/vm.name}}", "1:1", /only replaced: write {{ vm.name }}, without #/],
  ["a: {{- vm.name -}}", "1:4", /without -/],
  ["a: {{ vm.name | upper }}", "1:4", /Only the name of a variable/],
  ["a: {{ vm.name", "1:4", /ends with two braces/],
  ["a: {{ vm.name }\n", "1:4", /ends with two braces/],
  ["a: b: c\n", "1:4", /not valid YAML/],
  ["a: 1\n\tb: 2\n", "2:1", /not valid YAML: tabs cannot indent/],
  ['a: {{ vm.name }}\nb: "x\n', "3:1", /not valid YAML/],
];

Deno.test("a mistake in a template is named with file, line and column", () => {
  for (const [text, place, message] of WRONG) {
    const said = complaint(text);
    assert.ok(said.startsWith(`seeds/worker.yaml:${place}: `), `${JSON.stringify(text)}: ${said}`);
    assert.match(said, message);
  }
  assert.equal(complaint("{{ vm.a }}\n{{ vm.b }}", "text").split("\n").length, 2, "all are listed");
});

Deno.test("an error never repeats the text of a file", () => {
  const warnings: unknown[] = [];
  using _watch = watchWarnings(warnings);
  for (
    const secret of [
      "a: x{{ vm.name }} !s3cret",
      "!s3cret{{ vm.name }}: !s3cret {{ vm.name }}",
      "password: s3cret: x",
      "- [s3cret, {",
      "a: |s3cret\n b",
      "%s3cret\na: @s3cret",
      "a: *s3cret",
    ]
  ) {
    try {
      filled(`${secret}\n`);
    } catch (error) {
      assert.ok(error instanceof ConfigurationError && !error.message.includes("s3cret"), String(error));
    }
  }
  assert.deepEqual(warnings, []);
});

Deno.test("any value, with quotes, colons and line breaks, is read from YAML as it was", () => {
  const templates: readonly (readonly [string, (read: unknown) => unknown])[] = [
    ["a: {{ vm.x }}\n", (read) => (read as { a: unknown }).a],
    ['a: "{{ vm.x }}"\n', (read) => (read as { a: unknown }).a],
    ["a: '{{ vm.x }}'\n", (read) => (read as { a: unknown }).a],
    ["a: [{{ vm.x }}, 1]\n", (read) => (read as { a: unknown[] }).a[0]],
    ["- {{ vm.x }}\n", (read) => (read as unknown[])[0]],
  ];
  const awkward = fc.constantFrom(
    "yes",
    "~",
    "1e3",
    "0x1f",
    "12:30:45",
    "a: b",
    "a #b",
    "- x",
    "'",
    '"',
    "\\",
    "it's",
    "{",
    "@a",
    "",
    " a ",
    "!x",
    "&x",
    "*x",
    "%",
    "2026-01-01",
    "=",
    "<<",
  );
  fc.assert(fc.property(fc.oneof(awkward, fc.string()), (value) => {
    const variables: Variables = new Map([["vm.x", { value }]]);
    for (const [template, pick] of templates) {
      for (const version of ["1.1", "1.2"] as const) {
        assert.equal(pick(parse(filled(template, variables), { version })), value, template);
      }
    }
  }));
  const lines: Variables = new Map([["vm.x", { value: "a\nb: c" }]]);
  assert.deepEqual(parse(filled('a: "{{ vm.x }}"', lines)), { a: "a\nb: c" });
  assert.throws(
    () => filled("#!/bin/sh\necho {{ vm.x }}\n", lines, "text"),
    /2:6: The value of vm.x has characters that a script could misread/,
  );
});

function watchWarnings(into: unknown[]): Disposable {
  const emit = process.emitWarning;
  process.emitWarning = (warning: unknown) => void into.push(warning);
  return { [Symbol.dispose]: () => void (process.emitWarning = emit) };
}
