/**
 * Protects the files of the TrueNAS app: they have the form that the catalogue checks, the answers to its questions
 * make a valid compose file, and the image starts as that file says.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "../support/packages/ajv.ts";
import project from "../../deno.json" with { type: "json" };
import { parse } from "../../lib/configuration/yaml.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { USER, withImage } from "./support/image.ts";
import { end, succeed, withPublicFolder } from "./support/packages.ts";
import { APP, ITEM, PORTALS, QUESTIONS_FILE } from "./support/truenas_app_schema.ts";
import { visit } from "./support/visit.ts";

const ROOT = new URL("../../", import.meta.url);
const FOLDER = fileURLToPath(new URL("docs/install/truenas-app", ROOT));
const READER = fileURLToPath(new URL("support/truenas_app.py", import.meta.url));
/** A password with everything that YAML, Jinja and Compose give a meaning. */
const HARD_PASSWORD = `$HOME \${A} {{ b }} 'c' "d" # e: f\\ <g> ü`;

/** Compose is a program of its own, or a part of Docker's. */
const COMPOSE =
  'if command -v docker-compose > /dev/null; then exec docker-compose "$@"; else exec docker compose "$@"; fi';

/** A question, as far as its default matters. */
interface Question {
  readonly variable: string;
  readonly schema: {
    readonly type: string;
    readonly default?: unknown;
    readonly attrs?: readonly Question[];
  };
}

/** The answers to questions.yaml, or a part of them. */
interface Values {
  readonly [name: string]: unknown;
}

interface Service {
  readonly image: string;
  readonly user: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes: readonly { readonly source: string; readonly target: string }[];
}

async function readFiles() {
  return JSON.parse(await succeed("python3", READER, FOLDER));
}

/** What the questions' defaults answer, where nothing else is answered. */
function withDefaults(questions: readonly Question[], answers: Values): Values {
  const entries = questions.map(({ variable, schema: { attrs, default: standard } }) => {
    const answer = answers[variable];
    if (attrs === undefined) return [variable, answer ?? standard];
    return [variable, withDefaults(attrs, typeof answer === "object" ? { ...answer } : {})];
  });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

async function render(values: Values): Promise<{ text: string; compose: Values; service: Service }> {
  const { text, compose } = JSON.parse(await succeed("python3", READER, FOLDER, JSON.stringify(values)));
  return { text, compose, service: compose.services["vm-manager"] };
}

/** Answers to the questions that have to be answered. */
function answersFor(folder: string, changes: Values = {}): Values {
  return {
    dashboard: { password: HARD_PASSWORD },
    storage: { config: `${folder}/config`, state: `${folder}/state` },
    ...changes,
  };
}

function expectValid(schema: object, value: unknown): void {
  const ajv = new Ajv({ discriminator: true, allowUnionTypes: true, allErrors: true });
  assert.ok(ajv.validate(schema, value), ajv.errorsText(undefined, { separator: "\n" }));
}

/** Every question of a list and below it, with the variables beside it. */
function expectUniqueNames(questions: readonly Question[]): void {
  const names = questions.map(({ variable }) => variable);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { schema } of questions) expectUniqueNames(schema.attrs ?? []);
}

Deno.test("The files of the TrueNAS app have the form that the catalogue checks", async () => {
  const files = await readFiles();
  const { "app.yaml": app, "item.yaml": item, "questions.yaml": asked, "ix_values.yaml": fixed } = files;
  expectValid(APP, app);
  expectValid(ITEM, item);
  expectValid(QUESTIONS_FILE, asked);
  expectUniqueNames(asked.questions);
  const groups: string[] = asked.groups.map(({ name }: { name: string }) => name);
  assert.deepEqual(
    [...new Set(asked.questions.map(({ group }: { group: string }) => group))],
    groups,
    "each question is in a group, and no group is empty",
  );
  assert.deepEqual([app.app_version, fixed.images.image.tag], [project.version, project.version]);
  assert.deepEqual([app.icon, app.categories, app.keywords], [item.icon_url, item.categories, item.tags]);
  assert.deepEqual([app.run_as_context[0].uid, fixed.consts.user], [USER, USER]);
  const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
  assert.equal(
    await read("docs/install/truenas-app/icon.svg"),
    await read("static/favicon.svg"),
    "our own mark",
  );
});

Deno.test("The answers of the TrueNAS app make a compose file that Compose accepts, and that is as closed as ours", async () => {
  const files = await readFiles();
  const { questions } = files["questions.yaml"];
  const { services: { "vm-manager": ours } } = parse(
    await Deno.readTextFile(new URL("docs/install/compose.yaml", ROOT)),
  );
  const tests = Object.keys(files).filter((path) => path.startsWith("templates/test_values/"));
  assert.deepEqual(tests.map((path) => basename(path)).sort(), ["basic-values.yaml", "https-values.yaml"]);
  const answers = [
    ...tests.map((path) => files[path]),
    withDefaults(questions, answersFor("/mnt/tank/it's a folder")),
  ];
  await withPublicFolder(async (folder) => {
    for (const values of answers) {
      const { text, compose, service } = await render(values);
      expectValid(PORTALS, compose);
      for (const name of ["user", "read_only", "cap_drop", "security_opt", "tmpfs", "restart"] as const) {
        assert.deepEqual({ ...service }[name as "user"], ours[name], name);
      }
      await Deno.writeTextFile(`${folder}/compose.yaml`, text);
      const { code, out, err } = await end("sh", ["-c", COMPOSE, "sh", "-f", "compose.yaml", "config"], {
        cwd: folder,
      });
      assert.equal(code, 0, err);
      assert.equal(parse(out).services["vm-manager"].user, service.user);
    }
  });
});

Deno.test("The image starts with the answers of the TrueNAS app, and its password is the answered one", () =>
  withImage(async ({ configuration, config, state, enter, env }) => {
    await Deno.writeTextFile(`${config}/config.yaml`, TEST_CONFIG);
    const { questions } = (await readFiles())["questions.yaml"];
    const nas = {
      is_configured_here: true,
      // The test's own NAS takes their places.
      host: "192.168.1.10",
      username: "vm-manager",
      api_key: "",
      display_password: "display-secret",
    };
    const values = withDefaults(questions, answersFor(config.replace(/\/config$/, ""), { nas }));
    const { service } = await render(values);
    const mounted = service.volumes.map(({ source, target }) => [source, target]);
    assert.deepEqual(mounted, [[config, "/config"], [state, "/state"]]);
    const given = Object.entries(service.environment)
      .filter(([name]) => name !== "TRUENAS_HOST" && name !== "API_USERNAME")
      // Compose makes one $ of two.
      .map(([name, value]) => [name, value.replaceAll("$$", "$")]);
    const settings = Object.fromEntries(given);
    const seen = await visit({
      command: [...enter, ...configuration.Entrypoint, ...configuration.Cmd],
      cwd: "/",
      env: { ...env, ...settings, PORT: "0", HOST: "127.0.0.1" },
    }, { headers: { authorization: `Basic ${Buffer.from(`:${HARD_PASSWORD}`).toString("base64")}` } });
    assert.deepEqual([seen.status, seen.code], ["done", 0], seen.said);
  }));
