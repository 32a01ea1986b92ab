/** Files on the NAS: images that are not used yet, and install images. */
import type { ListedFile } from "../../../lib/images/listing/image_list.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";
import { TableHead } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";

/** Props of the table. */
export interface FileTableProps {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  readonly files: readonly ListedFile[];
  readonly mayChange: boolean;
}

/** The table, in a card with its title. */
export function FileTable({ id, title, help, files, mayChange }: FileTableProps) {
  const isIso = id === "isos";
  return (
    <section class="card" aria-labelledby={`${id}-heading`}>
      <header>
        <div>
          <h2 id={`${id}-heading`}>{title}</h2>
          <p class="help">{help}</p>
        </div>
        {isIso && mayChange
          ? <a class="btn sm" href={paths.uploadImage({ kind: "iso" })}>Upload an ISO</a>
          : null}
      </header>
      {files.length === 0 ? <p class="body soft">None found.</p> : (
        <table class="table rows" id={id}>
          <caption class="visually-hidden">{formatCount(files.length, "file")}</caption>
          <TableHead
            columns={["File", "Size", ...(isIso ? ["Used by"] : []), "Actions"]}
            numeric={["Size"]}
          />
          <tbody>
            {files.map((file) => (
              <tr data-file={file.path}>
                <th scope="row">
                  <code>{file.path}</code>
                </th>
                <td class="num" data-label="Size">
                  {file.sizeBytes === null ? "unknown" : formatBytes(file.sizeBytes)}
                </td>
                {isIso ? <td data-label="Used by">{describeUse(file)}</td> : null}
                <td data-label="Actions">
                  <Action file={file} mayChange={mayChange} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Action({ file, mayChange }: { file: ListedFile; mayChange: boolean }) {
  const { path, format, ownName } = file;
  if (format === "packed") return <span class="soft">Unpack it, or add it from its address</span>;
  if (!mayChange || (format === "iso" && ownName === null)) return <span class="none">–</span>;
  if (format === "iso") {
    return (
      <a
        class="btn sm"
        href={paths.removeImage({ name: ownName ?? "" })}
        aria-label={`Remove… ${path}`}
      >
        <Icon name="bin" />Remove…
      </a>
    );
  }
  return (
    <a class="btn sm" href={paths.adoptImage({ path })} aria-label={`Use as an image… ${path}`}>
      <Icon name="plus" />Use as an image…
    </a>
  );
}

/** `type worker, 3 VMs` */
function describeUse({ types, vms }: ListedFile): string {
  const parts = [
    ...(types.length === 0 ? [] : [`${types.length === 1 ? "type" : "types"} ${types.join(", ")}`]),
    ...(vms.length === 0 ? [] : [vms.length === 1 ? vms[0]?.name ?? "" : formatCount(vms.length, "VM")]),
  ];
  return parts.length === 0 ? "nothing" : parts.join(", ");
}
