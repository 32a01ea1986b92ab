/** The VM types of the configuration, as cards. */
import { cdromOf, type StorageSection, type VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { formatBytes, formatCount, formatMib, gibToBytes } from "../../../lib/units.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Notice, ViewerNotice } from "../../parts/common.tsx";
import { Icon, PlanIcon } from "../../parts/icons.tsx";
import { unbroken } from "../../parts/said.tsx";
import { firstBootSaid } from "../../parts/type_form/first_boot.ts";
import { paths } from "../../paths.ts";
import { ConfigurationTabs, ReadOnlyNotice } from "./type_parts.tsx";

/** The state of the page. */
export interface TypesPageProps {
  /** null when the configuration has errors or is not there. */
  readonly configuration: {
    readonly storage: StorageSection;
    readonly types: Readonly<Record<string, VmTypeSection>>;
  } | null;
  /** What is wrong with the configuration; empty when there is none yet. */
  readonly problems: readonly Problem[];
  readonly source: string;
  readonly readOnly: string | null;
  /** What was just saved, or null. */
  readonly saved: { readonly words: string; readonly undo: string | null } | null;
}

/** The page. */
export function TypesPage({ frame, page }: { frame: PageFrame; page: TypesPageProps }) {
  const { configuration, problems, source, readOnly, saved } = page;
  return (
    <Layout {...frame} title="VM types" current="create">
      <div class="page-head">
        <div class="title">
          <h1>VM types</h1>
        </div>
        {frame.mayChange && configuration !== null
          ? (
            <div class="actions">
              <a class="btn" href={paths.create()}>Create VMs</a>
              <a class="btn primary" href={paths.newType()}>
                <Icon name="plus" />New type
              </a>
            </div>
          )
          : null}
      </div>
      <ConfigurationTabs current="types" />
      {saved === null ? null : <SavedNotice saved={saved} mayChange={frame.mayChange} />}
      {frame.mayChange ? <ReadOnlyNotice source={source} readOnly={readOnly} /> : <ViewerNotice />}
      {configuration === null ? null : <ErrorSummary problems={problems} />}
      {configuration !== null
        ? <Cards configuration={configuration} mayChange={frame.mayChange} />
        : problems.length > 0
        ? <Broken problems={problems} source={source} mayChange={frame.mayChange} />
        : <Empty mayChange={frame.mayChange} />}
    </Layout>
  );
}

function SavedNotice(
  { saved: { words, undo }, mayChange }: { saved: NonNullable<TypesPageProps["saved"]>; mayChange: boolean },
) {
  return (
    <Notice tone="good" role="status">
      <p id="saved">
        <strong>{words}.</strong> Nothing on the NAS has changed yet.
      </p>
      {mayChange
        ? (
          <p class="actions">
            <a class="btn sm" href={paths.create()}>Create VMs</a>
            {undo === null ? null : (
              <a class="btn sm plain" href={paths.typeVersion(undo)}>
                <Icon name="undo" />Undo…
              </a>
            )}
          </p>
        )
        : null}
    </Notice>
  );
}

function Broken(
  { problems, source, mayChange }: Pick<TypesPageProps, "problems" | "source"> & { mayChange: boolean },
) {
  return (
    <>
      <ErrorSummary problems={problems} />
      <p class="soft">{source} cannot be used until this is fixed. VMs on the NAS are not affected.</p>
      <p class="actions">
        <a class="btn primary" href={paths.typesYaml()}>
          {mayChange ? "Fix it in the YAML tab" : "Show the YAML"}
        </a>
        <a class="btn" href={paths.typeVersions()}>Earlier versions</a>
      </p>
    </>
  );
}

function Empty({ mayChange }: { mayChange: boolean }) {
  return (
    <section class="empty">
      <svg class="art" viewBox="0 0 208 96" aria-hidden="true">
        <rect class="a-case" x="12" y="20" width="72" height="56" rx="8" />
        <path class="a-slot" d="M26 38h44M26 50h30" />
        <circle class="a-lamp" cx="66" cy="62" r="4" />
        <rect class="a-ghost" x="124" y="20" width="72" height="56" rx="8" />
        <path class="a-plus" d="M160 38v20M150 48h20" />
        <path class="a-line" d="M84 48h40" />
      </svg>
      <h2>No VM types yet</h2>
      <p>A VM type says how many VMs you want and how large they are. Add one, then create its VMs.</p>
      {mayChange
        ? (
          <p class="actions">
            <a class="btn primary" href={paths.newType()}>
              <Icon name="plus" />New type
            </a>
            <a class="btn" href={paths.typesYaml()}>Paste YAML</a>
            <a class="btn" href={paths.createOne()}>Create one VM</a>
          </p>
        )
        : null}
    </section>
  );
}

function Cards(
  { configuration, mayChange }: {
    configuration: NonNullable<TypesPageProps["configuration"]>;
    mayChange: boolean;
  },
) {
  const { storage, types } = configuration;
  return (
    <div class="type-cards">
      {Object.entries(types).map(([name, type]) => (
        <TypeCard name={name} type={type} storage={storage} mayChange={mayChange} />
      ))}
      <section class="card storage-card" aria-labelledby="storage-heading">
        <header>
          <h2 id="storage-heading">For all types</h2>
          {mayChange ? <a class="btn sm" href={paths.typeStorage()}>Edit storage</a> : null}
        </header>
        <div class="body">
          <dl class="facts">
            <Fact label="Disks go to">
              <code>{storage.pool_path}</code>
            </Fact>
            <Fact label="Install image">
              {storage.cdrom_path === "" ? "none" : <code>{storage.cdrom_path}</code>}
            </Fact>
          </dl>
        </div>
      </section>
    </div>
  );
}

interface TypeCardProps {
  readonly name: string;
  readonly type: VmTypeSection;
  readonly storage: StorageSection;
  readonly mayChange: boolean;
}

function TypeCard({ name, type, storage, mayChange }: TypeCardProps) {
  const { count, cpu, memory, disk, network } = type;
  const disks = Object.entries(disk);
  const said = firstBootSaid(type);
  const diskGib = disks.reduce((sum, [, size]) => sum + size, 0);
  return (
    <section class="card type-card" aria-labelledby={`type-${name}`} data-type={name}>
      <header>
        <div class="row">
          <h2 id={`type-${name}`}>{name}</h2>
          <span class="soft said">{namesOf(name, count)}</span>
        </div>
        {mayChange ? <TypeActions name={name} /> : null}
      </header>
      <div class="body">
        <dl class="facts">
          <Fact label="How many">{formatCount(count, "VM")}</Fact>
          <Fact label="Size of each">{formatCount(cpu, "vCPU")}, {formatMib(memory)}</Fact>
          {type.image === undefined ? null : <Fact label="Image">{type.image}</Fact>}
          <Fact label="Install image">{cdromOf(type, storage)?.split("/").at(-1) ?? "none"}</Fact>
          <Fact label="Networks">
            {listed(Object.entries(network).map(([nic, bridge]) => `${nic} on ${bridge}`))}
          </Fact>
          <Fact label="Disks of each">
            {listed(disks.map(([part, size]) => unbroken(`${part} ${size} GiB`)))}
          </Fact>
          {said.length === 0 ? null : <Fact label="First boot">{listed(said)}</Fact>}
          <Fact label="In all">
            {count === 0 ? "nothing" : (
              <>
                {formatCount(cpu * count, "vCPU")}, <span class="num">{formatMib(memory * count)},</span>{" "}
                <span class="num">{formatBytes(gibToBytes(diskGib * count))} of disks</span>
              </>
            )}
          </Fact>
        </dl>
      </div>
    </section>
  );
}

function listed(parts: readonly string[]): string {
  return parts.length === 0 ? "none" : parts.join(", ");
}

function namesOf(name: string, count: number): string {
  const nameOf = (n: number) => `${name}${String(n).padStart(2, "0")}`;
  if (count === 0) return "creates no VMs";
  return count === 1 ? nameOf(1) : `${nameOf(1)} to ${nameOf(count)}`;
}

function Fact({ label, children }: { label: string; children?: unknown }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function TypeActions({ name }: { name: string }) {
  return (
    <div class="actions">
      <a class="btn sm" href={paths.editType(name)} aria-label={`Edit ${name}`}>Edit</a>
      <details class="menu" name="menu">
        <summary class="btn plain only-icon" aria-label={`More for ${name}`}>
          <Icon name="more" />
        </summary>
        <div class="panel">
          <a class="item" href={paths.newType(name)}>
            <Icon name="copy" />Duplicate
          </a>
          <a class="item" href={`${paths.editType(name)}#field-name`}>
            <PlanIcon name="change" />Rename…
          </a>
          <hr />
          <a class="item danger" href={paths.removeType(name)}>
            <Icon name="bin" />Delete…
          </a>
        </div>
      </details>
    </div>
  );
}
