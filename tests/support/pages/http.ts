/** A dashboard as scripts and browsers without JavaScript use it, over real HTTP. */
import assert from "node:assert/strict";
import { type DashboardOptions, startDashboard, type TestDashboard } from "./dashboard.ts";

/** Two workers with a disk and a NIC, as a browser sends them. */
export const FORM = {
  "storage.pool_path": "tank/vms",
  "storage.cdrom_path": "/mnt/tank/iso/debian.iso",
  "controlplane.count": "0",
  "controlplane.memory": "2048",
  "controlplane.cpu": "2",
  "worker.count": "2",
  "worker.memory": "2048",
  "worker.cpu": "2",
  "worker.disk.0.name": "root",
  "worker.disk.0.size": "20",
  "worker.network.0.name": "lan",
  "worker.network.0.bridge": "br0",
};

/** Fields of a form, or headers. */
export type Fields = Readonly<Record<string, string>>;

/** Runs a test against a dashboard of its own. */
export async function withDashboard(
  options: DashboardOptions,
  test: (dashboard: TestDashboard) => Promise<void>,
): Promise<void> {
  await using dashboard = await startDashboard(options);
  await test(dashboard);
}

/** Sends a form as the dashboard's own page would. */
export function post(
  { url }: TestDashboard,
  path: string,
  fields: Fields | [name: string, value: string][],
  headers: Fields = {},
): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { origin: url, ...headers },
    redirect: "manual",
  });
}

/** The body of an answer. */
export async function text(response: Response | Promise<Response>): Promise<string> {
  return plainSpaces(await (await response).text());
}

/** Figures are kept on one line with their units. */
function plainSpaces(html: string): string {
  return html.replaceAll("\u00a0", " ");
}

/** The value of a hidden field. */
export function hidden(html: string, name: string): string {
  const value = new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1];
  assert.ok(value, `there is a hidden field ${name}`);
  return value;
}

/** The fields at which a page reports mistakes. */
export function errorsOf(html: string): string[] {
  return [...html.matchAll(/data-error="([^"]*)"/g)].map(([, field]) => field ?? "");
}

/** Asks for the plan, and takes its token and fingerprint from the page. */
export async function planned(
  dashboard: TestDashboard,
  fields: Fields = FORM,
): Promise<{ token: string; plan: string; html: string }> {
  const response = await post(dashboard, "/create/plan", fields);
  assert.equal(response.status, 200);
  const html = await response.text();
  return { token: hidden(html, "token"), plan: hidden(html, "plan"), html };
}

/** Creates with a form; the path of its operation. */
export async function create(dashboard: TestDashboard, fields: Fields): Promise<string> {
  const { token, plan } = await planned(dashboard, fields);
  return await follow(post(dashboard, "/create", { ...fields, token, plan }));
}

/** Where an answer leads. */
export async function follow(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  const body = await response.text();
  assert.equal(response.status, 303, body);
  return response.headers.get("location") ?? "";
}

/** The operation as JSON once it is over. */
export async function finishedOperation(
  { url }: TestDashboard,
  path: string,
): Promise<Record<string, unknown>> {
  for (;;) {
    const response = await fetch(url + path, { headers: { accept: "application/json" } });
    const operation = await response.json();
    if (operation.status !== "running") return operation;
    await text(fetch(`${url}${path}/events`));
  }
}

/** What came back. */
export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Asks, or sends a form when there are fields; what else is given are headers. */
export async function send(
  { url }: TestDashboard,
  path: string,
  { fields, ...headers }:
    | Record<string, string> & { fields?: never }
    | { fields: Record<string, string> } & Record<string, unknown>,
): Promise<Sent> {
  const response = await fetch(url + path, {
    method: fields === undefined ? "GET" : "POST",
    ...(fields === undefined ? {} : { body: new URLSearchParams(fields as Record<string, string>) }),
    headers: { origin: url, ...(headers as Record<string, string>) },
    redirect: "manual",
  });
  return { status: response.status, headers: response.headers, body: plainSpaces(await response.text()) };
}

/** The cookie that an answer sets, as the next request has it; empty when it sets none. */
export function cookieIn({ headers }: { readonly headers: Headers }): string {
  return /^[^;]*/.exec(headers.getSetCookie().at(-1) ?? "")?.[0] ?? "";
}

/** Signs in to the dashboard; the cookie is for the next requests. */
export async function signIn(
  dashboard: TestDashboard,
  password: string,
  to = "/",
): Promise<Sent & { cookie: string }> {
  const answer = await send(dashboard, "/login", { fields: { password, to } });
  return { ...answer, cookie: cookieIn(answer) };
}
