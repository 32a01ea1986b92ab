/** Reads the body of a submitted form. */

/** Forms are small; a client that needs longer is only holding a connection. */
const BODY_MS = 15_000;

/** A body declared as a form that cannot be parsed. */
export class BrokenBody extends Error {
  override readonly name = "BrokenBody";
}

/** The body did not arrive in time. */
export class SlowBody extends Error {
  override readonly name = "SlowBody";
}

/**
 * A request's body as text fields; null when it is not a form.
 *
 * @throws {SlowBody} when it does not arrive in time.
 */
export async function readForm(request: Request, timeoutMs = BODY_MS): Promise<URLSearchParams | null> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new SlowBody("The body did not arrive in time")), timeoutMs);
  try {
    return await Promise.race([readFields(request), promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readFields(request: Request): Promise<URLSearchParams | null> {
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("application/x-www-form-urlencoded")) return new URLSearchParams(await request.text());
  if (!type.startsWith("multipart/form-data")) return null;
  const fields = new URLSearchParams();
  for (const [name, value] of await partsOf(request)) {
    if (typeof value === "string") fields.append(name, value);
  }
  return fields;
}

async function partsOf(request: Request): Promise<FormData> {
  try {
    return await request.formData();
  } catch (error) {
    throw new BrokenBody("The body is not a valid form", { cause: error });
  }
}

/** Splits prefixes at commas and spaces. */
export function prefixesOf(typed: string): string[] {
  return [...new Set(typed.split(/[\s,]+/).filter((prefix) => prefix !== ""))];
}
