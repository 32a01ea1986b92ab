/**
 * One boot of a simulated guest. With cloud-init it behaves as a real one of Debian 12 was seen to; of Talos and Ignition it has
 * the address and the open ports.
 */
import { toBase64 } from "../../base64.ts";
import { type GuestSetup, type PhoneHomeSection, readSetup, staticAddresses } from "./cloud_config.ts";
import {
  finishedLine,
  hostKeyLines,
  keyTable,
  type Moment,
  networkTables,
  stageLine,
  warningLine,
} from "./console_text.ts";
import { addressOf, cardOf, GATEWAY, type GuestFetch } from "./network.ts";
import type { Nas } from "../nas.ts";
import { type OtherSystem, otherSystemOf } from "./other_systems.ts";
import { SSH } from "./ports.ts";
import { type SeedSource, seedSourceOf } from "./seed_source.ts";
import type { StoredVm } from "../store.ts";
import type { GuestTimes } from "./guest_times.ts";

/** What a guest keeps on its disk. */
export interface InstalledGuest {
  readonly setup: GuestSetup;
  /** Where it got its seed, as the console shows it. */
  readonly source: string;
  readonly hostKey: string;
  /** Its network configuration; empty for DHCP. */
  readonly network: string;
  /** Another system than one of cloud-init's. */
  readonly other?: OtherSystem;
}

/** cloud-init asks once more than it is told to try again. */
const FETCHES = 11;
const PARTS = ["meta-data", "user-data", "vendor-data"] as const;
const AGENT = "qemu-guest-agent";

/** Boots until the end, or until the signal is aborted. */
export class Guest {
  readonly #nas: Nas;
  readonly #vm: StoredVm;
  readonly #times: GuestTimes;
  readonly #fetch: GuestFetch;
  readonly #signal: AbortSignal;
  readonly #listen: (ports: readonly number[]) => void;
  readonly #startedAt = Date.now();
  readonly #pace: number;
  /** Of a guest of which it is not yet known what it is. */
  #unprinted: string[] | null = null;

  /** `signal` is aborted when the VM is switched off; `listen` opens ports at its addresses. */
  constructor(nas: Nas, vm: StoredVm, { times, fetch, signal, listen }: {
    readonly times: GuestTimes;
    readonly fetch: GuestFetch;
    readonly signal: AbortSignal;
    readonly listen: (ports: readonly number[]) => void;
  }) {
    this.#listen = listen;
    this.#nas = nas;
    this.#vm = vm;
    this.#times = times;
    this.#fetch = fetch;
    this.#signal = signal;
    // Between 1 and 1.9, so that guests that start together do not end together.
    this.#pace = 1 + (vm.id * 7 % 10) / 10;
  }

  /** Boots; what its disk had, and what it has then. */
  async boot(before: InstalledGuest | null): Promise<InstalledGuest | null> {
    const { consoles, store } = this.#nas;
    consoles.prompt(this.#vm.id, "");
    const source = seedSourceOf(store, this.#vm);
    const other = before?.other ??
      (source?.kind === "cd" ? otherSystemOf(source.files.get("user-data") ?? "") : null);
    if (other !== null) {
      await this.#wait(this.#times.bootMs);
      return this.#bootOther(other, before);
    }
    if (before === null && source?.kind === "url") this.#unprinted = [];
    this.#print([stageLine(this.#moment, "init-local")], before !== null);
    await this.#wait(this.#times.bootMs);
    // Without any seed cloud-init is not started at all.
    if (source === null && before === null) {
      this.#showLogin("localhost");
      return null;
    }
    // Only a CD can say how the network is before the network is there.
    const network = before?.network ??
      (source?.kind === "cd" ? source.files.get("network-config") ?? "" : "");
    const card = cardOf(store, this.#vm, staticAddresses(network));
    if (card !== null) this.#vm.addresses = { [card.mac]: card.address };
    const isStatic = card !== null && card.address !== addressOf(this.#vm);
    this.#print([
      stageLine(this.#moment, "init"),
      ...networkTables(this.#moment, card === null ? [] : [card], isStatic ? null : GATEWAY),
    ]);
    const guest = before?.setup.keepsSeed === true
      ? before
      : { ...await this.#become(source, before), network };
    if (guest.other !== undefined) return this.#bootOther(guest.other, before);
    this.#printHeld();
    this.#listen([SSH]);
    const isNew = guest.setup.instanceId !== before?.setup.instanceId;
    const { setup, hostKey } = guest;
    this.#print(setup.warnings.map((text) => warningLine(this.#moment, text)), isNew);
    this.#showLogin(setup.hostname);
    await this.#wait(this.#times.setupMs);
    this.#print([stageLine(this.#moment, "modules:config"), stageLine(this.#moment, "modules:final")]);
    this.#print([
      ...setup.users.filter(({ keys }) => keys.length > 0).flatMap(({ name, keys }) => keyTable(name, keys)),
      ...hostKeyLines(setup.hostname, hostKey),
    ], isNew);
    if (isNew && setup.phoneHome !== null) await this.#phoneHome(setup.phoneHome, guest);
    if (setup.packages.includes(AGENT)) {
      Object.assign(this.#vm, { agent: true, address: card?.address ?? addressOf(this.#vm) });
    }
    this.#listen(setup.ports);
    this.#print([finishedLine(this.#moment, guest.source)]);
    return guest;
  }

  /** Its address, its ports and its name are all that is seen of it. */
  #bootOther(other: OtherSystem, before: InstalledGuest | null): InstalledGuest {
    this.#unprinted = null;
    const card = cardOf(this.#nas.store, this.#vm, other.statics);
    if (card !== null) this.#vm.addresses = { [card.mac]: card.address };
    this.#print(other.shows);
    this.#listen(other.ports);
    const setup = { ...readSetup(new Map()), hostname: other.hostname, ports: other.ports };
    return before ?? { setup, source: "", hostKey: newHostKey(), network: "", other };
  }

  /** Reads the seed; a guest that gets none falls back to an instance of its own making. */
  async #become(
    source: SeedSource | null,
    before: InstalledGuest | null,
  ): Promise<Omit<InstalledGuest, "network">> {
    const seed = source === null
      ? null
      : source.kind === "cd"
      ? source.files
      : await this.#download(source.url);
    const other = otherSystemOf(seed?.get("user-data") ?? "");
    if (seed === null && source !== null) {
      const text = "util.py[WARNING]: Getting data from " +
        "<class 'cloudinit.sources.DataSourceNoCloud.DataSourceNoCloudNet'> failed";
      this.#print([warningLine(this.#moment, text)]);
    }
    const setup = readSetup(seed ?? new Map([["meta-data", "instance-id: iid-datasource-none"]]));
    const isSame = setup.instanceId === before?.setup.instanceId;
    return {
      setup,
      source: describe(source, seed),
      hostKey: isSame ? before.hostKey : newHostKey(),
      ...(other === null ? {} : { other }),
    };
  }

  /** In cloud-init's order; vendor data may be missing. */
  async #download(url: string): Promise<ReadonlyMap<string, string> | null> {
    const seed = new Map<string, string>();
    for (const part of PARTS) {
      const text = await this.#part(`${url}${part}`);
      if (text !== null) seed.set(part, text);
      else if (part !== "vendor-data") return null;
    }
    return seed;
  }

  async #part(url: string): Promise<string | null> {
    return await this.#retrying(FETCHES, { url });
  }

  async #phoneHome(
    { url, post, tries }: PhoneHomeSection,
    { setup, hostKey }: InstalledGuest,
  ): Promise<void> {
    const { instanceId, hostname } = setup;
    const known: Record<string, string> = {
      instance_id: instanceId,
      hostname,
      fqdn: hostname,
      pub_key_ed25519: `${hostKey} root@${hostname}\n`,
    };
    const fields = post.map((field): [string, string] => [field, known[field] ?? "N/A"]);
    const to = url.replaceAll("$INSTANCE_ID", instanceId);
    if (await this.#retrying(tries, { url: to, form: new URLSearchParams(fields) }) !== null) return;
    const text = `util.py[WARNING]: Failed to post phone home data to ${to} in ${tries} tries`;
    this.#print([warningLine(this.#moment, text)]);
  }

  async #retrying(
    tries: number,
    request: { readonly url: string; readonly form?: URLSearchParams },
  ): Promise<string | null> {
    for (let tried = 0; tried < tries; tried++) {
      if (tried > 0) {
        this.#printHeld();
        await this.#wait(this.#times.retryMs);
      }
      const answer = await this.#fetch({ ...request, from: addressOf(this.#vm), signal: this.#signal });
      if (answer !== null) return answer;
    }
    return null;
  }

  /** Time passes only while the VM runs. */
  async #wait(ms: number): Promise<void> {
    await this.#nas.sleep(ms * this.#pace, this.#signal);
    if (this.#vm.state !== "SUSPENDED") return;
    const resumed = Promise.withResolvers<void>();
    const forget = this.#nas.onEvent(() => this.#vm.state === "RUNNING" && resumed.resolve());
    const end = () => resumed.reject(this.#signal.reason);
    this.#signal.addEventListener("abort", end, { once: true });
    try {
      await resumed.promise;
    } finally {
      forget();
      this.#signal.removeEventListener("abort", end);
    }
  }

  #showLogin(hostname: string): void {
    this.#print(["", `Debian GNU/Linux 12 ${hostname} ttyS0`, ""]);
    this.#nas.consoles.prompt(this.#vm.id, `${hostname} login: `);
  }

  #print(lines: readonly string[], shown = true): void {
    if (!shown || lines.length === 0 || this.#signal.aborted) return;
    if (this.#unprinted === null) this.#nas.consoles.print(this.#vm.id, lines);
    else this.#unprinted.push(...lines);
  }

  #printHeld(): void {
    const held = this.#unprinted ?? [];
    this.#unprinted = null;
    this.#print(held);
  }

  get #moment(): Moment {
    const at = Date.now();
    return { at, upMs: at - this.#startedAt };
  }
}

function describe(source: SeedSource | null, seed: ReadonlyMap<string, string> | null): string {
  if (source === null || seed === null) return "DataSourceNone";
  return source.kind === "url"
    ? `DataSourceNoCloudNet [seed=dmi,${source.url}][dsmode=net]`
    : "DataSourceNoCloud [seed=/dev/sr0][dsmode=net]";
}

/** The public part, in SSH's own format; nobody needs the other one. */
function newHostKey(): string {
  const type = "ssh-ed25519";
  const key = crypto.getRandomValues(new Uint8Array(32));
  const bytes = new Uint8Array(4 + type.length + 4 + key.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type.length);
  bytes.set(new TextEncoder().encode(type), 4);
  view.setUint32(4 + type.length, key.length);
  bytes.set(key, 8 + type.length);
  return `${type} ${toBase64(bytes)}`;
}
