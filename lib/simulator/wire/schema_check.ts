/**
 * Checks the arguments of a call against the JSON Schema of its method, like TrueNAS's own models (pydantic, strict): fills
 * in defaults, refuses unknown keys, and reports every mistake in pydantic's words.
 */
import { ERRNO } from "../../errors/errno.ts";
import { type Invalid, validationErrors } from "./wire_errors.ts";

/** The part of JSON Schema that TrueNAS's API uses. */
export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly discriminator?: {
    readonly propertyName: string;
    readonly mapping: Readonly<Record<string, string>>;
  };
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** A method of the API. */
export interface MethodSchema {
  readonly accepts: Schema;
  readonly param_order: readonly string[];
  readonly roles?: readonly string[];
  readonly job?: boolean;
  readonly authentication_required?: boolean;
  readonly authorization_required?: boolean;
  /** Checked by the schema engine of 24.x, which 25.04 still uses for some methods. */
  readonly legacy?: boolean;
}

/** TrueNAS's default limit on strings. */
const MAX_STRING_CHARS = 1024;

/** Fields in the order of TrueNAS's models, which is the order of their errors; others follow by name. */
const FIELD_ORDER: readonly string[] = `
  attributes dtype command_line_args cpu_mode cpu_model name description vcpus cores threads cpuset nodeset
  enable_cpu_topology_extension pin_vcpus suspend_on_snapshot trusted_platform_module memory min_memory
  hyperv_enlightenments bootloader bootloader_ovmf autostart hide_from_msr ensure_display_device time
  shutdown_timeout arch_type machine_type uuid resolution port web_port bind wait password web path
  trust_guest_rx_filters type nic_attach mac vm order
`.trim().split(/\s+/);

interface Walk {
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly errors: Invalid[];
}

/**
 * The arguments with their defaults, in order.
 *
 * @throws {MethodError} with every mistake.
 */
export function checkArguments(method: MethodSchema, params: readonly unknown[]): unknown[] {
  const { accepts, param_order: names } = method;
  const walk: Walk = { definitions: accepts.$defs ?? {}, errors: [] };
  if (params.length > names.length) {
    const message = `Too many arguments (expected ${names.length}, found ${params.length})`;
    throw validationErrors([["", message, ERRNO.EINVAL]]);
  }
  const values = names.map((name, index) => {
    const schema = accepts.properties?.[name] ?? {};
    if (index < params.length) return check(schema, params[index], name, walk);
    if (accepts.required?.includes(name)) return addError(walk, name, "Field required");
    if (schema.default === undefined && resolve(schema, walk).type === "object") {
      return check(schema, {}, name, walk);
    }
    // Defaults are not checked, because one of 27.0's has a key that its own model refuses.
    return structuredClone(schema.default);
  });
  if (walk.errors.length > 0) throw validationErrors(walk.errors);
  return values;
}

function addError(walk: Walk, path: string, message: string): undefined {
  walk.errors.push([path, message, ERRNO.EINVAL]);
  return undefined;
}

function resolve(schema: Schema, { definitions }: Walk): Schema {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined ? schema : definitions[name] ?? {};
}

function check(reference: Schema, value: unknown, path: string, walk: Walk): unknown {
  const schema = resolve(reference, walk);
  if (schema.discriminator !== undefined) return checkTagged(schema, value, path, walk);
  if (schema.anyOf !== undefined) return checkAny(schema.anyOf, value, path, walk);
  if (schema.const !== undefined) {
    return value === schema.const ? value : addError(walk, path, `Input should be ${choice(schema.const)}`);
  }
  if (schema.enum !== undefined) {
    return schema.enum.includes(value)
      ? value
      : addError(walk, path, `Input should be ${choices(schema.enum)}`);
  }
  switch (schema.type) {
    case "object":
      return checkObject(schema, value, path, walk, reference.$ref?.split("/").at(-1));
    case "array":
      return checkArray(schema, value, path, walk);
    case "string":
      return checkString(schema, value, path, walk);
    case "integer":
    case "number":
      return checkNumber(schema, value, path, walk);
    case "boolean":
      return typeof value === "boolean" ? value : addError(walk, path, "Input should be a valid boolean");
    case "null":
      return value === null ? value : addError(walk, path, "Input should be None");
    default:
      return value;
  }
}

/** Almost all unions are 'something or null'; the first matching branch of any other union is taken. */
function checkAny(options: readonly Schema[], value: unknown, path: string, walk: Walk): unknown {
  const nullable = options.some(({ type }) => type === "null");
  if (nullable && value === null) return null;
  const others = options.filter(({ type }) => type !== "null");
  const [only, ...more] = others;
  if (only !== undefined && more.length === 0) return check(only, value, path, walk);
  const attempts = others.map((option) => {
    const attempt: Walk = { definitions: walk.definitions, errors: [] };
    return { attempt, checked: check(option, value, `${path}.${tagOf(option)}`, attempt) };
  });
  const fitting = attempts.find(({ attempt }) => attempt.errors.length === 0);
  if (fitting !== undefined) return fitting.checked;
  for (const { attempt } of attempts) walk.errors.push(...attempt.errors);
  return undefined;
}

/** The path of a mistake in one branch of a union: the name of its model, or Python's name of its type. */
function tagOf({ $ref, type, const: only }: Schema): string {
  if ($ref !== undefined) return $ref.split("/").at(-1) ?? "";
  if (only !== undefined) return `literal[${choice(only)}]`;
  const names: Readonly<Record<string, string>> = {
    string: "str",
    integer: "int",
    number: "float",
    boolean: "bool",
    array: "list[any]",
    object: "dict[str,any]",
  };
  return names[type ?? ""] ?? "literal";
}

/** A union distinguished by one key: its mistakes have the tag in their path. */
function checkTagged(schema: Schema, value: unknown, path: string, walk: Walk): unknown {
  const { propertyName = "", mapping = {} } = schema.discriminator ?? {};
  if (!isObject(value)) {
    return addError(walk, path, "Input should be a valid dictionary or object to extract fields from");
  }
  const tag = value[propertyName];
  if (tag === undefined) return addError(walk, `${path}.${propertyName}`, "Field required");
  const reference = typeof tag === "string" ? mapping[tag] : undefined;
  if (reference === undefined) {
    const expected = tagsInOrder(schema, mapping).map((name) => `'${name}'`).join(", ");
    const found = `Input tag '${String(tag)}' found using '${propertyName}'`;
    return addError(walk, path, `${found} does not match any of the expected tags: ${expected}`);
  }
  return check({ $ref: reference }, value, `${path}.${String(tag)}`, walk);
}

/** The tags in the order of their models. */
function tagsInOrder({ oneOf = [] }: Schema, mapping: Readonly<Record<string, string>>): readonly string[] {
  const rank = (tag: string) => oneOf.findIndex(({ $ref }) => $ref === mapping[tag]);
  return Object.keys(mapping).toSorted((a, b) => rank(a) - rank(b));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkObject(schema: Schema, value: unknown, path: string, walk: Walk, model?: string): unknown {
  if (!isObject(value)) {
    const instance = model === undefined ? "" : ` or instance of ${model}`;
    return addError(walk, path, `Input should be a valid dictionary${instance}`);
  }
  const { properties = {}, required = [], additionalProperties } = schema;
  const result: Record<string, unknown> = {};
  for (const name of inModelOrder(Object.keys(properties))) {
    const property = properties[name] ?? {};
    if (name in value) result[name] = check(property, value[name], `${path}.${name}`, walk);
    else if (required.includes(name)) addError(walk, `${path}.${name}`, "Field required");
    else if (property.default !== undefined) result[name] = structuredClone(property.default);
  }
  for (const name of Object.keys(value).filter((name) => !(name in properties))) {
    if (additionalProperties === false) addError(walk, `${path}.${name}`, "Extra inputs are not permitted");
    else if (isObject(additionalProperties)) {
      result[name] = check(additionalProperties, value[name], `${path}.${name}`, walk);
    } else result[name] = value[name];
  }
  return result;
}

function inModelOrder(names: readonly string[]): readonly string[] {
  const rank = (name: string) =>
    FIELD_ORDER.indexOf(name) < 0 ? FIELD_ORDER.length : FIELD_ORDER.indexOf(name);
  return [...names].sort((a, b) => rank(a) - rank(b));
}

function checkArray(schema: Schema, value: unknown, path: string, walk: Walk): unknown {
  if (!Array.isArray(value)) return addError(walk, path, "Input should be a valid list");
  const { items } = schema;
  return items === undefined
    ? value
    : value.map((item, index) => check(items, item, `${path}.${index}`, walk));
}

function checkString(schema: Schema, value: unknown, path: string, walk: Walk): unknown {
  if (typeof value !== "string") return addError(walk, path, "Input should be a valid string");
  const { minLength = 0, maxLength = MAX_STRING_CHARS, pattern } = schema;
  if (value.length < minLength) {
    return addError(walk, path, `String should have at least ${characters(minLength)}`);
  }
  if (value.length > maxLength) {
    return addError(walk, path, `String should have at most ${characters(maxLength)}`);
  }
  if (pattern !== undefined && !new RegExp(pattern).test(value)) {
    return addError(walk, path, `String should match pattern '${pattern}'`);
  }
  return value;
}

function characters(count: number): string {
  return `${count} character${count === 1 ? "" : "s"}`;
}

function checkNumber(schema: Schema, value: unknown, path: string, walk: Walk): unknown {
  const { type = "number", minimum, maximum } = schema;
  if (typeof value !== "number" || (type === "integer" && !Number.isInteger(value))) {
    return addError(walk, path, `Input should be a valid ${type}`);
  }
  if (minimum !== undefined && value < minimum) {
    return addError(walk, path, `Input should be greater than or equal to ${minimum}`);
  }
  if (maximum !== undefined && value > maximum) {
    return addError(walk, path, `Input should be less than or equal to ${maximum}`);
  }
  return value;
}

function choices(values: readonly unknown[]): string {
  const named = values.map(choice);
  const last = named.pop() ?? "";
  return named.length === 0 ? last : `${named.join(", ")} or ${last}`;
}

function choice(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  return value === null ? "None" : String(value);
}
