/** What pages and parts are given: plain values, everything decided already. */
import type { Problem } from "../lib/errors/errors.ts";
import type { Vm } from "../lib/inventory/inventory.ts";
import type { OperationView } from "../lib/operations/types.ts";
import type { Busy } from "../lib/operations/store.ts";
import type { VmActionName } from "../lib/inventory/vm_actions.ts";
import type { OrphanPlan } from "../lib/plan/orphans.ts";
import type { CreationPlan, DestructionPlan } from "../lib/plan/types.ts";

/** Where the browser's files are. */
export interface AssetUrls {
  readonly css: string;
  readonly htmx: string;
  readonly keys: string;
  readonly live: string;
  readonly times: string;
  readonly typed: string;
  readonly serial: string;
  readonly favicon: string;
}

/** Where the files of the serial console's terminal are. */
export interface ConsoleAssetUrls {
  readonly xterm: string;
  readonly xtermCss: string;
  readonly xtermFit: string;
}

/** The connection to the NAS, as the badge shows it. */
export interface ConnectionView {
  readonly state: "live" | "reconnecting" | "offline" | "simulated";
  readonly host: string;
  /** `25.10.7`, or null while it is not known. */
  readonly release: string | null;
  /** What is wrong, or null. */
  readonly message: string | null;
  /** What to do about it, or null. */
  readonly remedy: string | null;
}

/** A part of the site, for the navigation. */
export type Section = "vms" | "create" | "destroy" | "operations" | "connection";

/** What every page has. */
export interface PageFrame {
  /** For somebody who has not signed in: nothing of the NAS is shown. */
  readonly closed: boolean;
  readonly connection: ConnectionView;
  /** What is sent to the NAS can be read on the way: every page says so. */
  readonly unencrypted: boolean;
  readonly assets: AssetUrls;
  /** The program's version. */
  readonly version: string;
  /** Whether whoever asks may change anything. */
  readonly mayChange: boolean;
  /** Where somebody comes back to who has to sign in again: the path and query of the page, without the base path. */
  readonly here: string;
  /** Whether there is somebody to sign out. */
  readonly signedIn: boolean;
  /** Roles that the account lacks, and without which changing anything fails. */
  readonly lacks: readonly string[];
  /** Only what is inside the frame was asked for (by htmx, or a script). */
  readonly fragment: boolean;
}

/** Columns that the list can be sorted by. */
export const SORT_KEYS = [
  "name",
  "state",
  "vcpus",
  "memory",
  "disks",
  "networks",
  "display",
  "autostart",
] as const;

/** A column that the list can be sorted by. */
export type SortKey = (typeof SORT_KEYS)[number];

/** What the list was asked for, as it stands in the URL. */
export interface VmQuery {
  readonly q: string;
  readonly state: string;
  readonly type: string;
  /** `yes`: made by this program; `no`: by others; empty: all. */
  readonly ours: string;
  /** A column, with a minus for descending. */
  readonly sort: string;
}

/** A VM in the list, with what is being done to it. */
export interface VmRowProps {
  readonly vm: Vm;
  readonly busy: Busy | null;
  /** Whether whoever looks may change anything. */
  readonly mayChange: boolean;
}

/** The list of VMs. */
export interface VmListProps {
  /** Whether whoever looks may change anything. */
  readonly mayChange: boolean;
  /** Those that match, in order; null when they were never read. */
  readonly vms: readonly VmRowProps[] | null;
  /** How many there are without the filter. */
  readonly total: number;
  readonly query: VmQuery;
  readonly states: readonly string[];
  readonly types: readonly string[];
  /** Why they could not be read, or null. */
  readonly problem: { readonly message: string; readonly remedy: string } | null;
  /** When they were last known to be true, while there is no connection; null while there is one. */
  readonly stale: Stale | null;
}

/** An action on some VMs, before it is done. */
export interface ActProps {
  readonly action: VmActionName;
  /** Those that it will be done to, as they are now. */
  readonly doing: readonly Vm[];
  /** Those that were chosen and that it cannot be done to, with the reason. */
  readonly left: readonly { readonly name: string; readonly because: string }[];
  readonly token: string;
  readonly notice: string | null;
}

/** What was typed into one of a page's forms. */
export interface Typed {
  readonly form: string;
  readonly fields: URLSearchParams;
}

/** What can be done with one VM now. */
export interface OfferedAction {
  readonly name: VmActionName;
  /** Why it is not possible now, or null. */
  readonly because: string | null;
}

/** What is known of one VM, what can be done with it now, and what was done: kept true while the page is open. */
export interface VmNowProps extends VmRowProps {
  readonly actions: readonly OfferedAction[];
  /** Its operations, newest first. */
  readonly operations: readonly OperationView[];
}

/** What the NAS has left, as far as it can be read. */
export interface Capacity {
  /** Bytes of memory that VMs may still be started with; null when not known. */
  readonly memoryBytes: number | null;
  /** The dataset for zvols, and bytes that are left in it. */
  readonly storage: { readonly name: string; readonly bytes: number } | null;
}

/** Data that is not kept true now: both in milliseconds since 1970 (UTC). */
export interface Stale {
  readonly since: number;
  readonly now: number;
}

/** The page of the connection. */
export interface ConnectionProps {
  /** As configured: `wss://nas.lan`. */
  readonly address: string;
  /** Where consoles lead, and who says so; null where it is not known. */
  readonly publicHost: { readonly host: string; readonly source: string } | null;
  /** The NAS's own id; null where it cannot be read. */
  readonly nasId: string | null;
  /** How it signs in, in words. */
  readonly account: string;
  /** `v25.10.5`, `current`, `legacy`; null while there is no connection. */
  readonly apiVersion: string | null;
  /** Roles of the account; null where they are not known. */
  readonly roles: readonly string[] | null;
  readonly missing: readonly { readonly role: string; readonly for: string; readonly essential: boolean }[];
  /** The NAS waits for a one-time password. */
  readonly wantsOtp: boolean;
  readonly problems: readonly Problem[];
}

/** A row of a disk in the form, as typed. */
export interface DiskRow {
  readonly name: string;
  readonly sizeGib: string;
}

/** A row of a network in the form, as typed. */
export interface NetworkRow {
  readonly name: string;
  readonly bridge: string;
  /** Fixed MACs, between commas or spaces; empty: derived. */
  readonly macs: string;
}

/** One VM type in the form, as typed. */
export interface CreateFormType {
  readonly name: string;
  readonly count: string;
  readonly memory: string;
  readonly cpu: string;
  readonly threads: string;
  readonly start: boolean;
  readonly autostart: boolean;
  readonly overcommit: boolean;
  readonly sparse: boolean;
  readonly description: string;
  readonly parallel: string;
  readonly onFailure: string;
  /** Keys that the configuration file overrides in the templates; the form keeps them. */
  readonly overrides: readonly string[];
  readonly disks: readonly DiskRow[];
  readonly networks: readonly NetworkRow[];
}

/** The creation form, as typed. */
export interface CreateForm {
  readonly pool_path: string;
  readonly cdrom_path: string;
  readonly types: readonly CreateFormType[];
}

/** What the form offers; null where the account may not list it. */
export interface CreateChoices {
  readonly bridges: readonly string[] | null;
  readonly isos: readonly string[] | null;
  readonly datasets: readonly string[] | null;
}

/** The page that creates. */
export interface CreateProps {
  /** null when there is no configuration to start from. */
  readonly form: CreateForm | null;
  /** Shown once it was asked for. */
  readonly plan: CreationPlan | null;
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  readonly token: string | null;
  /** Something to know first, or null. */
  readonly notice: string | null;
}

/** What a person wants destroyed, as it stands in the URL. */
export interface DestroyQuery {
  /** As typed. */
  readonly prefixes: string;
  /** VMs chosen although their marks do not agree. */
  readonly vms: readonly string[];
  /** VMs selected by their ids on the NAS, whoever made them. */
  readonly ids: readonly number[];
  readonly keepDisks: boolean;
  readonly shutdown: boolean;
}

/** Words that confirm a destruction once they are typed into their field. */
export interface WordsToType {
  readonly field: string;
  readonly words: string;
  /** The VM whose name it is, where it was not made here; null for the phrase. */
  readonly vm: string | null;
}

/** The page of orphans. */
export interface OrphansProps {
  readonly plan: OrphanPlan;
  /** As typed. */
  readonly phrase: string;
  readonly problems: readonly Problem[];
  readonly token: string | null;
  readonly notice: string | null;
}

/** The page that destroys. */
export interface DestroyProps {
  readonly plan: DestructionPlan;
  readonly query: DestroyQuery;
  /** The VM whose own confirmation page this is; null on the page of all. */
  readonly only: { readonly id: number; readonly name: string } | null;
  /** What has to be typed: the phrase, and the names of VMs that were not made here. */
  readonly words: readonly WordsToType[];
  /** As typed, by field. */
  readonly typed: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
  readonly token: string | null;
  readonly notice: string | null;
}
