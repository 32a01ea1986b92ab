/** The list of VMs, live. */
import { Layout, type PageFrame } from "../layout.tsx";
import { type Capacity, CapacityLine } from "../parts/capacity.tsx";
import { Choice, Notice } from "../parts/common.tsx";
import { VmList, type VmListProps } from "../parts/vm_list.tsx";
import { paths } from "../paths.ts";
import { stateWord } from "../parts/vm_row.tsx";

/** Props of the page. */
export interface VmsPageProps {
  readonly frame: PageFrame;
  readonly list: VmListProps;
  /** Version of the list; the stream continues from it. */
  readonly version: string;
  /** Null while unknown. */
  readonly capacity: Capacity | null;
  /** The running operation, or null. */
  readonly running: { readonly id: string; readonly title: string } | null;
}

/** The page. */
export function VmsPage({ frame, list, version, running, capacity }: VmsPageProps) {
  const { query, states, types } = list;
  return (
    <Layout {...frame} title="VMs" current="vms" stream={paths.inventoryEvents(query, version)}>
      <div class="heading">
        <h1>VMs</h1>
        <div class="actions">
          <a class="btn" href={paths.export(query)}>Export</a>
          {frame.mayChange
            ? (
              <>
                <a class="btn primary" href={paths.create()}>Create VMs</a>
                <a class="btn danger" id="destroy-vms" href={paths.destroy()}>Destroy VMs</a>
              </>
            )
            : null}
        </div>
      </div>
      <CapacityLine capacity={capacity} />
      {running === null ? null : (
        <Notice tone="busy">
          <p>
            <strong>{running.title}</strong> is in progress.{" "}
            <a href={paths.operation(running.id)}>View operation</a>
          </p>
        </Notice>
      )}
      <form class="filters" method="get" action={paths.home()} role="search">
        <div class="field">
          <label for="filter-q">Name, MAC, IP or zvol</label>
          <input
            class="input"
            id="filter-q"
            type="search"
            name="q"
            value={query.q}
            autocomplete="off"
            spellcheck={false}
          />
        </div>
        <Choice
          id="filter-state"
          name="state"
          label="State"
          value={query.state}
          choices={{ "": "All", ...Object.fromEntries(states.map((state) => [state, stateWord(state)])) }}
        />
        <Choice
          id="filter-type"
          name="type"
          label="Type"
          value={query.type}
          choices={{ "": "All", ...Object.fromEntries(types.map((type) => [type, type])) }}
        />
        <Choice
          id="filter-ours"
          name="ours"
          label="Created by"
          value={query.ours}
          choices={{ "": "Anyone", yes: "This program", no: "Others" }}
        />
        {query.sort === "" ? null : <input type="hidden" name="sort" value={query.sort} />}
        <button class="btn" type="submit">Filter</button>
      </form>
      <VmList {...list} />
    </Layout>
  );
}
