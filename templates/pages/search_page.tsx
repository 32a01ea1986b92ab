/** What a search found: a page of links, and the same as the options of the command palette. */
import { formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { Icon, type IconName } from "../parts/icons.tsx";
import { paths } from "../paths.ts";

/** The kinds of results, in the order of their groups. */
export const FOUND_KINDS = {
  page: "Go to",
  vm: "VMs",
  action: "Actions",
  type: "VM types",
  operation: "Operations",
} as const satisfies Record<string, string>;

/** One result: a link. */
export interface Found {
  readonly kind: keyof typeof FOUND_KINDS;
  readonly label: string;
  /** What distinguishes it from others of its kind. */
  readonly detail: string;
  readonly href: string;
  readonly icon: IconName;
}

/** Props of the results. */
export interface SearchProps {
  /** As typed. */
  readonly q: string;
  /** Each kind stays together. */
  readonly results: readonly Found[];
}

/** The page, for browsers without scripts and for links. */
export function SearchPage({ frame, q, results }: SearchProps & { readonly frame: PageFrame }) {
  return (
    <Layout {...frame} title="Search" current={null}>
      <h1>Search</h1>
      <form method="get" action={paths.search()} role="search" class="inline">
        <div class="field">
          <label for="search-q">VM, type, operation or action</label>
          <input
            id="search-q"
            name="q"
            class="input"
            type="search"
            value={q}
            autocomplete="off"
            spellcheck={false}
            dir="auto"
          />
        </div>
        <button type="submit" class="btn primary">Search</button>
      </form>
      {results.length === 0
        ? (
          <div class="empty">
            <h2>Nothing matches</h2>
            <p>
              Search for a VM, a VM type, an operation or a page, or for an action with a VM's name, for
              example “start worker01”.
            </p>
          </div>
        )
        : groupsOf(results).map(({ kind, found }) => (
          <section class="card found" aria-labelledby={`found-${kind}`}>
            <header>
              <h2 id={`found-${kind}`}>{FOUND_KINDS[kind]}</h2>
            </header>
            <ul>
              {found.map((it) => (
                <li>
                  <a href={it.href} class="found-item">
                    <Words {...it} />
                  </a>
                </li>
              ))}
            </ul>
          </section>
        ))}
    </Layout>
  );
}

/** The options of the palette. */
export function SearchResults({ q, results }: SearchProps) {
  if (results.length === 0) {
    return (
      <p class="none" data-count="Nothing matches">
        Nothing matches <b dir="auto">{q}</b>
      </p>
    );
  }
  return (
    <>
      {groupsOf(results).map(({ kind, found }) => (
        <div role="group" aria-label={FOUND_KINDS[kind]} data-count={formatCount(results.length, "result")}>
          <p class="group" aria-hidden="true">{FOUND_KINDS[kind]}</p>
          {found.map((it) => (
            <a
              href={it.href}
              class="found-item"
              role="option"
              aria-selected="false"
              tabindex={-1}
              id={`found-${results.indexOf(it)}`}
            >
              <Words {...it} />
            </a>
          ))}
        </div>
      ))}
    </>
  );
}

function groupsOf(results: readonly Found[]) {
  const kinds = [...new Set(results.map(({ kind }) => kind))];
  return kinds.map((kind) => ({ kind, found: results.filter((it) => it.kind === kind) }));
}

function Words({ icon, label, detail }: Found) {
  return (
    <>
      <Icon name={icon} />
      <span dir="auto">{label}</span> <small>{detail}</small>
    </>
  );
}
