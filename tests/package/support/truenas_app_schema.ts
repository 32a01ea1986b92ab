/** JSON Schemas of the files of a TrueNAS app, written down from the rules by which the catalogue checks them. */

const TEXT = { type: "string", minLength: 1 };
const TEXTS = { type: "array", items: { type: "string" } };
const VERSION = { type: "string", pattern: "^[0-9]+\\.[0-9]+\\.[0-9]+$" };

/** A list of objects with these required properties, each of a type. */
function listOf(properties: Readonly<Record<string, string>>) {
  const typed = Object.entries(properties).map(([name, type]) => [name, { type }]);
  return {
    type: "array",
    items: { type: "object", properties: Object.fromEntries(typed), required: Object.keys(properties) },
  };
}

/** Of app.yaml. */
export const APP = {
  type: "object",
  properties: {
    name: { const: "truenas-vm-manager" },
    train: { enum: ["community", "enterprise", "stable", "test", "dev"] },
    version: VERSION,
    app_version: VERSION,
    title: TEXT,
    description: TEXT,
    home: { type: "string" },
    icon: { type: "string" },
    // Their expression for days and months, in which no number ends with 0.
    date_added: { type: "string", pattern: "^20[0-9][0-9]-[0-9][1-9]-[0-9][1-9]$" },
    categories: TEXTS,
    keywords: TEXTS,
    sources: TEXTS,
    screenshots: TEXTS,
    maintainers: listOf({ name: "string", email: "string" }),
    run_as_context: listOf({ description: "string", uid: "integer", gid: "integer" }),
    capabilities: listOf({ name: "string", description: "string" }),
    host_mounts: listOf({ host_path: "string", description: "string" }),
  },
  required: [
    ...["name", "train", "version", "app_version", "title", "description", "home", "sources", "maintainers"],
    ...["run_as_context", "capabilities", "host_mounts", "date_added"],
  ],
};

/** Of item.yaml. */
export const ITEM = {
  type: "object",
  properties: { categories: TEXTS, tags: TEXTS, screenshots: TEXTS, icon_url: { type: "string" } },
  required: ["categories"],
};

/** The JSON type of each type of question. */
const TYPES: Readonly<Record<string, string>> = {
  ...{ string: "string", text: "string", path: "string", uri: "string", ipaddr: "string" },
  ...{ hostpath: "string", hostpathdirectory: "string", hostpathfile: "string" },
  ...{ int: "integer", boolean: "boolean", list: "array", dict: "object" },
};

/** What every type of question may have. */
const COMMON = {
  required: { type: "boolean" },
  null: { type: "boolean" },
  show_if: { type: "array" },
  hidden: { type: "boolean" },
  immutable: { type: "boolean" },
  editable: { type: "boolean" },
};
const LENGTHS = {
  min_length: { type: "integer" },
  max_length: { type: "integer" },
  private: { type: "boolean" },
  valid_chars: { type: "string" },
  valid_chars_error: { type: "string" },
};
const RANGE = { min: { type: "integer" }, max: { type: "integer" } };
const QUESTIONS = { type: "array", items: { $ref: "#/$defs/question" } };
const OWN: Readonly<Record<string, { readonly own: object; readonly required?: readonly string[] }>> = {
  string: { own: LENGTHS },
  int: { own: RANGE },
  list: { own: { items: { ...QUESTIONS, maxItems: 1 } }, required: ["items"] },
  dict: { own: { attrs: QUESTIONS }, required: ["attrs"] },
};

function schemaOf([name, type]: [string, string]) {
  const { own = {}, required = [] } = OWN[name] ?? {};
  const value = { anyOf: [{ type }, { type: "null" }] };
  const choice = {
    type: "object",
    properties: { value, description: { type: "string" } },
    required: ["value", "description"],
    additionalProperties: false,
  };
  return {
    type: "object",
    properties: {
      ...COMMON,
      ...own,
      type: { const: name },
      default: value,
      enum: { type: "array", items: choice },
    },
    required: ["type", ...required],
    additionalProperties: false,
  };
}

/** Of questions.yaml. */
export const QUESTIONS_FILE = {
  type: "object",
  properties: {
    groups: listOf({ name: "string", description: "string" }),
    questions: { type: "array", items: { type: "object", $ref: "#/$defs/question", required: ["group"] } },
  },
  required: ["groups", "questions"],
  additionalProperties: false,
  $defs: {
    question: {
      type: "object",
      properties: {
        variable: { type: "string", pattern: "^[a-z_]+$" },
        label: { type: "string" },
        description: { type: "string" },
        group: { type: "string" },
        schema: {
          type: "object",
          discriminator: { propertyName: "type" },
          required: ["type"],
          oneOf: Object.entries(TYPES).map(schemaOf),
        },
      },
      required: ["variable", "label", "schema"],
      additionalProperties: false,
    },
  },
};

/** What TrueNAS reads from the compose file itself. */
export const PORTALS = {
  type: "object",
  properties: {
    "x-notes": { type: "string" },
    "x-portals": {
      type: "array",
      items: {
        type: "object",
        properties: {
          name: TEXT,
          path: { type: "string", pattern: "^/" },
          scheme: { enum: ["http", "https"] },
          host: { type: "string" },
          port: { type: "integer" },
        },
        required: ["name", "scheme", "host", "port"],
        additionalProperties: false,
      },
    },
  },
  required: ["x-portals", "x-notes"],
};
