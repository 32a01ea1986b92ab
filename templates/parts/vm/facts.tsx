/** The facts of one VM, each with what it means. Live updates replace them. */
import type { Nic, Vm } from "../../../lib/inventory/inventory.ts";
import { withoutMark } from "../../../lib/inventory/marks.ts";
import { formatCount, formatMib } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import type { Child } from "hono/jsx";
import { CopyText, Time } from "../common.tsx";
import { Icon, type IconName } from "../icons.tsx";
import type { Readiness } from "../../../lib/first_boot/types.ts";
import { ReadyFact } from "../ready.tsx";
import { topologyOf } from "../list/vm_row.tsx";
import { sizeNow, waitingSize } from "./size.ts";
import { type TypeMatch, TypeMatchFact } from "./type_match.tsx";

/** Props of the facts. */
export interface VmFactsProps {
  readonly vm: Vm;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
  /** MACs that are derived from the VM's name, so a VM of this name gets them again. */
  readonly derivedMacs: ReadonlySet<string>;
  /** TrueNAS's own page of VMs; null when its address is not known. */
  readonly nasPage: string | null;
  /** How it compares with its type; null where it has none. */
  readonly typeMatch: TypeMatch | null;
  /** Whether it answers; null when nobody waited for it, or it is off. */
  readonly ready: Readiness | null;
  /** The static addresses that it was created with. */
  readonly given: readonly string[];
}

/** The list. */
export function VmFacts({ vm, mayChange, derivedMacs, nasPage, typeMatch, ready, given }: VmFactsProps) {
  const [nic] = vm.nics;
  return (
    <dl class="facts" id="vm-facts">
      <VmFact icon="network" label="Address">
        <Address vm={vm} ready={ready} given={given} />
      </VmFact>
      {ready === null ? null : (
        <VmFact icon="check" label="Ready">
          <ReadyFact ready={ready} />
        </VmFact>
      )}
      <VmFact icon="network" label="MAC">
        {nic === undefined ? <span class="none">No network card</span> : (
          <Mac
            nic={nic}
            isDerived={nic.mac !== null && derivedMacs.has(nic.mac)}
            more={vm.nics.length - 1}
            vm={vm}
          />
        )}
      </VmFact>
      <VmFact icon="chip" label="Size">
        <Size vm={vm} />
      </VmFact>
      <VmFact icon="image" label="Install image">
        <InstallImage vm={vm} />
      </VmFact>
      <VmFact icon="console" label="Display">
        <DisplayFact vm={vm} mayChange={mayChange} />
      </VmFact>
      <VmFact icon="power" label="Starts with the NAS">{vm.autostart ? "Yes" : "No"}</VmFact>
      <VmFact icon="nas" label="On the NAS">
        VM {vm.id}
        {nasPage === null ? null : (
          <small>
            <a href={nasPage} rel="noreferrer">Open in TrueNAS</a>
          </small>
        )}
      </VmFact>
      {vm.others.length === 0 ? null : (
        <VmFact icon="chip" label="Other devices">
          {vm.others.map(({ dtype, what }) => <span class="line">{`${kindOf(dtype)} ${what}`.trim()}</span>)}
          <small>Change them in TrueNAS</small>
        </VmFact>
      )}
      {typeMatch === null ? null : (
        <div class="wide" data-type-match={typeMatch.kind}>
          <dt>VM type</dt>
          <dd>
            <TypeMatchFact match={typeMatch} vm={vm.name} mayChange={mayChange} />
          </dd>
        </div>
      )}
      <div class="wide">
        <dt>Description</dt>
        <dd dir="auto">{withoutMark(vm.description) || <span class="none">None</span>}</dd>
      </div>
    </dl>
  );
}

/** What it runs with, and what waits for its next start. */
function Size({ vm }: { vm: Vm }) {
  const { vcpus, memoryMib } = sizeNow(vm);
  const waiting = waitingSize(vm);
  const now = vm.runsWith ? " now" : "";
  return (
    <>
      {formatCount(vcpus, "vCPU")}, {formatMib(memoryMib)}
      {now}
      {waiting === null ? null : <small data-waits>{waiting}</small>}
      {vcpus === vm.vcpus ? <small>{topologyOf(vm)}</small> : null}
    </>
  );
}

function kindOf(dtype: string): string {
  return dtype === "PCI" || dtype === "USB" ? `${dtype} device` : dtype;
}

function VmFact({ icon, label, children }: { icon: IconName; label: string; children?: Child }) {
  return (
    <div>
      <dt>
        <Icon name={icon} />
        {label}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}

function Address({ vm, ready, given }: Pick<VmFactsProps, "vm" | "ready" | "given">) {
  const agents = vm.nics.flatMap(({ ip }) => ip === null ? [] : [ip]);
  const answered = ready?.state === "ready" && ready.address !== null && ready.at !== null
    ? [{ address: ready.address, readAt: ready.at }]
    : [];
  const known = agents.length > 0 ? agents : answered;
  const [first] = known;
  const [planned] = given;
  if (first === undefined && planned !== undefined) {
    return (
      <>
        {planned} <CopyText text={planned} />
        <small>
          as its type had it when it was created
          {given.length > 1 ? `, and ${given.length - 1} more` : ""}
        </small>
      </>
    );
  }
  if (first === undefined) {
    return (
      <>
        <span class="none">Not known</span>
        <small>
          {vm.state === "RUNNING" ? "From TrueNAS 27 on, with a guest agent" : "Shown while the VM runs"}
        </small>
      </>
    );
  }
  return (
    <>
      {first.address} <CopyText text={first.address} />
      <small>
        seen at <Time at={first.readAt} />
        {known.length > 1 ? `, and ${known.length - 1} more` : ""}
      </small>
    </>
  );
}

function Mac({ nic, isDerived, more, vm }: { nic: Nic; isDerived: boolean; more: number; vm: Vm }) {
  const others = more === 0 ? null : (
    <small>
      <a href={paths.vm(vm.id, "network")}>and {formatCount(more, "more NIC", "more NICs")}</a>
    </small>
  );
  if (nic.mac === null) {
    return (
      <>
        New at each start
        {others}
      </>
    );
  }
  return (
    <>
      <code>{nic.mac}</code> <CopyText text={nic.mac} />
      {isDerived ? <small>Stays the same if made again</small> : null}
      {others}
    </>
  );
}

function InstallImage({ vm: { id, cdroms } }: { vm: Vm }) {
  const [first] = cdroms;
  if (first === undefined) return <>None</>;
  return (
    <>
      {first.path.split("/").at(-1)}
      <small>
        <a href={paths.vm(id, "boot")}>
          {cdroms.length > 1
            ? `and ${formatCount(cdroms.length - 1, "more image", "more images")}`
            : "Attached"}
        </a>
      </small>
    </>
  );
}

function DisplayFact({ vm, mayChange }: Pick<VmFactsProps, "vm" | "mayChange">) {
  const [first] = vm.displays;
  if (first === undefined) return <>None</>;
  return (
    <>
      {vm.displays.map(({ type, port }) => (
        <span class="line">{type}, {port === null ? "automatic port" : `port ${port}`}</span>
      ))}
      {mayChange
        ? (
          <small>
            <form method="post" action={paths.vmPassword(vm.id)}>
              <button class="as-link" type="submit">Show display password</button>
            </form>
          </small>
        )
        : null}
    </>
  );
}
