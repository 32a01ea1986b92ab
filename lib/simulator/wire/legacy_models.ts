/**
 * The models of TrueNAS 24.x, derived from those of 25.04.2: a device's dtype is next to its attributes, some keys do not
 * exist yet, and mistakes are reported in the words of the older schema engine, which 25.04 still uses for methods other
 * than those of VMs, devices and sign-in.
 */
import { checkArguments, type MethodSchema, type Schema } from "./schema_check.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, type Invalid, MethodError, validationErrors } from "./wire_errors.ts";

/** Methods added after 24.x. */
const LATER: readonly string[] = ["auth.login_ex", "auth.login_ex_continue", "core.set_options"];

/** The schemas of a 24.x release, whose vm.create does not know some keys. */
export function legacySchemas(
  schemas: Readonly<Record<string, MethodSchema>>,
  unknownKeys: readonly string[],
): Readonly<Record<string, MethodSchema>> {
  const older = Object.entries(schemas).filter(([name]) => !LATER.includes(name));
  return Object.fromEntries(older.map(([name, schema]) => [name, olderSchema(name, schema, unknownKeys)]));
}

/** Differences of 24.x. */
function olderSchema(name: string, schema: MethodSchema, unknownKeys: readonly string[]): MethodSchema {
  if (name === "vm.create" || name === "vm.update") {
    return { ...schema, accepts: without(schema.accepts, unknownKeys) };
  }
  if (CREDENTIALS.includes(name)) return { ...schema, accepts: oldCredentials(schema.accepts) };
  if (name === "auth.generate_token") return { ...schema, param_order: schema.param_order.slice(0, 3) };
  return ADMINS_ONLY.includes(name) ? { ...schema, roles: [] } : schema;
}

const CREDENTIALS: readonly string[] = ["cloudsync.credentials.create", "cloudsync.credentials.verify"];

/** Only full administrators may call these in 24.x. */
const ADMINS_ONLY: readonly string[] = [
  "pool.dataset.promote",
  "vm.import_disk_image",
  "vm.export_disk_image",
];

/** 24.x has the provider and its attributes side by side, and no name to verify. */
function oldCredentials({ $defs = {}, properties = {}, ...accepts }: Schema): Schema {
  const text: Schema = { type: "string", minLength: 1 };
  const attributes: Schema = {
    type: "object",
    additionalProperties: false,
    properties: { url: text },
    required: ["url"],
  };
  const isCreation = "CloudCredentialCreate" in $defs;
  const own: Schema = {
    type: "object",
    additionalProperties: false,
    properties: { ...(isCreation ? { name: text } : {}), provider: { enum: ["HTTP"] }, attributes },
    required: [...(isCreation ? ["name"] : []), "provider", "attributes"],
  };
  const names = Object.keys(properties);
  return { ...accepts, properties: Object.fromEntries(names.map((key) => [key, own])) };
}

/** The same schema without some properties of every object. */
function without(schema: Schema, keys: readonly string[]): Schema {
  const { $defs, properties } = schema;
  const keep = (all: Readonly<Record<string, Schema>>) =>
    Object.fromEntries(Object.entries(all).filter(([key]) => !keys.includes(key)));
  return {
    ...schema,
    ...(properties === undefined ? {} : { properties: keep(properties) }),
    ...($defs === undefined ? {} : {
      $defs: Object.fromEntries(Object.entries($defs).map(([name, it]) => [name, without(it, keys)])),
    }),
  };
}

const NOT_EXPECTED = "Field was not expected";
const REQUIRED = "attribute required";

/** The older engine's words for each message of the newer one. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^Extra inputs are not permitted$/, NOT_EXPECTED],
  [/^Field required$/, REQUIRED],
  [/^Input should be a valid integer$/, "Not an integer"],
  [/^Input should be a valid string$/, "Not a string"],
  [/^Input should be a valid boolean$/, "Not a boolean"],
  [/^Input should be a valid list$/, "Not a list"],
  [/^Input should be a valid dictionary.*$/, "A dict was expected"],
  [/^String should match pattern '(.*)'$/, "Value does not match '$1' pattern"],
];

/** A mistake as the older engine reports it, where list items have a name as well. */
function olderWords([attribute, message, errno]: Invalid): Invalid {
  const path = (attribute ?? "").replace(/^vm_device_(create|update)\.attributes\.[A-Z]+\.?/, "")
    .replace(/^vm_device_/, "vmdevice_")
    .replace(/(\.user_properties(?:_update)?\.\d+)\.(\w+)$/, "$1.user_property.$2");
  const [pattern, words] = WORDS.find(([it]) => it.test(message)) ?? [];
  return [path, pattern === undefined ? message : message.replace(pattern, words ?? ""), errno];
}

/**
 * The arguments with their defaults, in the shape of 25.04.2, which the methods work with.
 *
 * @throws {MethodError} with every mistake in the words of 24.x.
 */
export function checkLegacyArguments(
  method: string,
  schema: MethodSchema,
  params: readonly unknown[],
): unknown[] {
  const { param_order: names } = schema;
  if (params.length > names.length) {
    const text = `Too many arguments (expected ${names.length}, found ${params.length})`;
    throw callError(ERRNO.EFAULT, text);
  }
  if (method === "vm.device.update") return checkUpdate(params);
  const moved = moveArguments(method, params);
  try {
    return checkArguments(schema, moved);
  } catch (error) {
    const extra = error instanceof MethodError
      ? (error.wire.data as { extra?: readonly Invalid[] } | undefined)?.extra
      : undefined;
    throw extra ? validationErrors(extra.map(olderWords)) : error;
  }
}

/** The arguments in the shape of 25.04.2. */
function moveArguments(method: string, [first, ...rest]: readonly unknown[]): readonly unknown[] {
  if (method === "vm.device.create") return [withInnerDtype(first), ...rest];
  // The path alone is enough.
  if (method === "filesystem.mkdir" && typeof first === "string") return [{ path: first }, ...rest];
  return first === undefined ? rest : [first, ...rest];
}

/** The attributes are checked only together with the device, so any is accepted here, but no dtype among them. */
function checkUpdate([id, change]: readonly unknown[]): unknown[] {
  const { dtype: _dtype, attributes, order, vm, ...others } = change as Record<string, unknown>;
  const inner = typeof attributes === "object" && attributes !== null ? attributes : {};
  const unknown = Object.keys(others).map((key) => [`vmdevice_update.${key}`, NOT_EXPECTED, 22] as const);
  const misplaced = "dtype" in inner ? [["attributes.dtype", NOT_EXPECTED, 22] as const] : [];
  if (unknown.length + misplaced.length > 0) throw validationErrors([...unknown, ...misplaced]);
  return [id, {
    ...(attributes === undefined ? {} : { attributes: structuredClone(attributes) }),
    ...(order === undefined ? {} : { order }),
    ...(vm === undefined ? {} : { vm }),
  }];
}

function withInnerDtype(given: unknown): unknown {
  if (typeof given !== "object" || given === null) return given;
  const { dtype, attributes, ...rest } = given as Record<string, unknown>;
  const inner = typeof attributes === "object" && attributes !== null ? attributes : {};
  const errors: Invalid[] = [
    ...("dtype" in inner ? [["vmdevice_create.attributes.dtype", NOT_EXPECTED, 22] as const] : []),
    ...(dtype === undefined ? [["vmdevice_create.dtype", REQUIRED, 22] as const] : []),
  ];
  if (errors.length > 0) throw validationErrors(errors);
  return { ...rest, attributes: { ...inner, dtype } };
}

/** The same value with each device's dtype next to its attributes. */
export function withTopLevelDtype(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTopLevelDtype);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, it]) => [key, withTopLevelDtype(it)] as const);
  const row = Object.fromEntries(entries);
  const { attributes } = row;
  if (typeof attributes !== "object" || attributes === null || !("dtype" in attributes)) return row;
  const { dtype, ...rest } = attributes as Record<string, unknown>;
  return { ...row, dtype, attributes: rest };
}
