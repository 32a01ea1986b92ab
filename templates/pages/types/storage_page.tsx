/** What all VM types share: where disks go, and what VMs are installed from. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Notice } from "../../parts/common.tsx";
import type { CreateChoices } from "../../parts/vm/vm_forms.tsx";
import { paths } from "../../paths.ts";
import { SHARED_HELP, StorageFields } from "../../parts/type_form/storage_fields.tsx";
import { ReadOnlyNotice, TypeTrail } from "./type_parts.tsx";

/** The state of the page. */
export interface StoragePageProps {
  readonly storage: { readonly pool_path: string; readonly cdrom_path: string };
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  readonly shown: string;
  readonly source: string;
  readonly readOnly: string | null;
  readonly notice: string | null;
}

/** The page. */
export function StoragePage({ frame, page }: { frame: PageFrame; page: StoragePageProps }) {
  const { problems, choices, shown, source, readOnly, notice } = page;
  return (
    <Layout {...frame} title="Storage" current="create">
      <div>
        <TypeTrail>Storage</TypeTrail>
        <div class="page-head">
          <div class="title">
            <h1>Storage</h1>
          </div>
        </div>
      </div>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      <ReadOnlyNotice source={source} readOnly={readOnly} />
      <form method="post" action={paths.reviewTypes()} class="card storage-form">
        <div class="body stack">
          <input type="hidden" name="change" value="storage" />
          <input type="hidden" name="shown" value={shown} />
          <StorageFields storage={page.storage} choices={choices} problems={problems} help={SHARED_HELP} />
          <p class="actions">
            <button type="submit" class="btn primary" id="review">Review changes</button>
            <a class="btn" href={paths.types()}>Cancel</a>
          </p>
        </div>
      </form>
    </Layout>
  );
}
