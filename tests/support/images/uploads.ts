/** Uploads to a NAS as TrueNAS's own pages and scripts make them. */

/** One part of an upload. */
export interface UploadPart {
  readonly name: string;
  readonly content: string | Uint8Array<ArrayBuffer>;
}

/** Sends parts to `/_upload`; `authorization` is the header's value. */
export async function postParts(
  url: string,
  parts: readonly UploadPart[],
  { authorization, path = "/_upload" }: { readonly authorization?: string; readonly path?: string },
): Promise<{ readonly status: number; readonly body: string }> {
  const form = new FormData();
  for (const { name, content } of parts) {
    if (typeof content === "string") form.append(name, content);
    else form.append(name, new Blob([content]), "file");
  }
  const headers = authorization === undefined ? undefined : { authorization };
  const address = `${url.replace(/^ws/, "http")}${path}`;
  const response = await fetch(address, { method: "POST", body: form, headers });
  return { status: response.status, body: await response.text() };
}

/** Uploads bytes to a path; returns the id of the job. */
export async function upload(
  url: string,
  token: string,
  { path, bytes, options = {} }: {
    readonly path: string;
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly options?: Readonly<Record<string, unknown>>;
  },
): Promise<number> {
  const data = JSON.stringify({ method: "filesystem.put", params: [path, options] });
  const parts = [{ name: "data", content: data }, { name: "file", content: bytes }];
  const { status, body } = await postParts(url, parts, { authorization: `Token ${token}` });
  if (status !== 200) throw new Error(`/_upload answers ${status} ${body}`);
  return JSON.parse(body).job_id;
}
