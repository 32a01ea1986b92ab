/** The forms of VM types, as browsers without JavaScript fill them in and send them. */
import assert from "node:assert/strict";
import type { TestDashboard } from "./dashboard.ts";
import { post, text } from "./http.ts";

/** What a person enters for a new VM type. */
export const GPU = {
  name: "gpu",
  count: "2",
  memory: "8 GiB",
  cpu: "4",
  "disk.0.name": "root",
  "disk.0.size": "40",
  "network.0.name": "lan",
  "network.0.bridge": "br0",
};

/** Fields of a form, by name. */
export type Fields = Readonly<Record<string, string>>;

/** The text without tags and entities. */
export function plain(html: string): string {
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll(
    /\s+/g,
    " ",
  );
}

/** The fields of the one form of a page, as a browser sends them. */
export function fieldsOf(html: string): [string, string][] {
  const form = /<form method="post" action="\/types[^]*?<\/form>/.exec(html)?.[0] ?? assert.fail(html);
  const unescape = (value: string) =>
    value.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&");
  const inputs = [
    ...form.matchAll(/<(input|select|textarea)\b([^>]*)>([^]*?)(?=<(?:input|select|textarea)\b|$)/g),
  ];
  return inputs.flatMap(([, tag, attributes = "", rest = ""]): [string, string][] => {
    const of = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1];
    const name = of("name");
    if (name === undefined) return [];
    if (/type="(checkbox|radio)"/.test(attributes) && !/ checked/.test(attributes)) return [];
    const value = tag === "select"
      ? /<option value="([^"]*)" selected/.exec(rest)?.[1] ?? ""
      : tag === "textarea"
      ? /^\n?([^]*?)<\/textarea>/.exec(rest)?.[1] ?? ""
      : of("value") ?? "";
    return [[name, unescape(value)]];
  });
}

/** Fills in a form of a page; what is given replaces what was there. */
export function filled(html: string, changes: Fields = {}): [string, string][] {
  const kept = fieldsOf(html).filter(([name]) => !(name in changes));
  return [...kept, ...Object.entries(changes)];
}

/** A page of the dashboard. */
export async function page(dashboard: TestDashboard, path: string): Promise<string> {
  return await text(fetch(dashboard.url + path));
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly html: string;
  readonly location: string | null;
}

/** Sends a form, and reads the answer to its end. */
export async function submit(
  dashboard: TestDashboard,
  path: string,
  fields: Fields | [string, string][],
): Promise<Answer> {
  const answer = await post(dashboard, path, fields);
  return { status: answer.status, html: await answer.text(), location: answer.headers.get("location") };
}

/** Sends a form to be reviewed, then saves what the review shows. */
export async function saveForm(dashboard: TestDashboard, fields: [string, string][]): Promise<void> {
  const review = await submit(dashboard, "/types/review", fields);
  assert.equal(review.status, 200, plain(review.html));
  await save(dashboard, fieldsOf(review.html));
}

/** Saves a form, which has to succeed. */
export async function save(dashboard: TestDashboard, fields: Fields | [string, string][]): Promise<void> {
  const { status, html } = await submit(dashboard, "/types", fields);
  assert.equal(status, 303, plain(html));
}

/** The configuration as it is stored. */
export function fileText({ store }: TestDashboard): string {
  return store.file().text;
}
