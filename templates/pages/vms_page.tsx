/** The page of the list: all VMs of the NAS, updated live. */
import type { OperationView } from "../../lib/operations/types.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { CapacityStrip, type CapacityView } from "../parts/capacity.tsx";
import { HostLoad, type HostLoadView } from "../parts/host_load.tsx";
import { Icon } from "../parts/icons.tsx";
import { BulkBar } from "../parts/list/bulk_bar.tsx";
import { ListFilter, VmListAge } from "../parts/list/filter.tsx";
import { OpStrip } from "../parts/list/op_strip.tsx";
import { ExportLink } from "../parts/list/patches.tsx";
import { VmList, type VmListProps } from "../parts/list/vm_list.tsx";
import { paths } from "../paths.ts";

/** Props of the page. */
export interface VmsPageProps {
  readonly frame: PageFrame;
  readonly list: VmListProps;
  /** The URL of the stream that continues from the list. */
  readonly stream: string;
  /** Null while unknown. */
  readonly capacity: CapacityView | null;
  /** Null where the NAS does not send its load. */
  readonly load: HostLoadView | null;
  /** The running operation, or null. */
  readonly running: OperationView | null;
}

/** The page. */
export function VmsPage({ frame, list, stream, running, capacity, load }: VmsPageProps) {
  const { query, rows, total, matching } = list;
  const isEmpty = rows !== null && total === 0;
  return (
    <Layout
      {...frame}
      title="VMs"
      current="vms"
      stream={stream}
      {...(running === null ? {} : { shows: running.id })}
    >
      <div class="page-head">
        <div class="title">
          <h1>VMs</h1>
          <VmListAge stale={list.stale} />
        </div>
        <div class="actions">
          <ExportLink query={query} count={matching.length} />
          <PageMenu mayChange={frame.mayChange} />
          {frame.mayChange && !isEmpty
            ? (
              <a class="btn primary wide-only" href={paths.create()}>
                <Icon name="plus" />
                Create VMs
              </a>
            )
            : null}
        </div>
      </div>
      <CapacityStrip capacity={capacity} />
      <HostLoad load={load} />
      {running === null ? null : <OpStrip view={running} />}
      <ListFilter {...list} matching={matching.length} />
      <form method="get" action={paths.act()} class="list" id="vm-form">
        <VmList {...list} />
        <BulkBar {...list} mayChange={frame.mayChange} />
      </form>
    </Layout>
  );
}

function PageMenu({ mayChange }: { mayChange: boolean }) {
  return (
    <details class="menu" name="menu" id="page-menu">
      <summary class="btn plain only-icon" aria-label="More for all VMs">
        <Icon name="more" />
      </summary>
      <div class="panel">
        {mayChange
          ? (
            <a class="item" id="create-one" href={paths.createOne()}>
              <Icon name="plus" />
              Create one VM
            </a>
          )
          : null}
        <a class="item" href={paths.orphans()}>
          <Icon name="disk" />
          Orphans
        </a>
        {mayChange
          ? (
            <>
              <hr />
              <a class="item danger" id="destroy-vms" href={paths.destroy()}>
                <Icon name="bin" />
                Destroy VMs…
              </a>
            </>
          )
          : null}
      </div>
    </details>
  );
}
