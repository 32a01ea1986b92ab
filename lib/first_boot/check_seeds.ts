/** Checks the seeds of a configuration without a NAS: files are read, and each type's seed is rendered for a sample VM. */
import type { Configuration } from "../configuration/configuration.ts";
import type { VmTypeSection } from "../configuration/sections.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { renderSeed, seedHostname } from "./rendering/render_seed.ts";
import type { HostNameFacts, SeedFiles } from "./rendering/seed.ts";
import { keySourceOf, readSeedTexts } from "./rendering/seed_texts.ts";
import type { PlannedAddress, SeedSection } from "./types.ts";

/** Addresses of documents (RFC 5737, RFC 7042), which no machine has. */
const SAMPLE_ADDRESS: PlannedAddress = { address: "192.0.2.1", prefix: 24, gateway: null, dns: [] };
const SAMPLE_MAC = "00:00:5e:00:53:00";
const SAMPLE_ID = "00000000-0000-4000-8000-000000000000";

/** What is wrong with the seeds, each with its file, line and column. Accounts are not asked for their keys. */
export async function seedProblems({ types }: Configuration, files: SeedFiles): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, section] of Object.entries(types)) {
    if (section.seed === undefined) continue;
    try {
      const seed = withoutAccounts(section.seed);
      const texts = await readSeedTexts(seed, files);
      const facts = sampleFacts(name, section);
      const hostname = seedHostname(seed, facts);
      renderSeed(seed, { ...facts, hostname, instanceId: SAMPLE_ID, phoneHomeUrl: null }, texts);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(`${name}: ${error.message}`);
    }
  }
  return problems;
}

function withoutAccounts(seed: SeedSection): SeedSection {
  return { ...seed, ssh_keys: seed.ssh_keys?.filter((entry) => keySourceOf(entry) !== "github") };
}

/** The first VM of a type. */
function sampleFacts(type: string, { count, network, addresses = {}, disk }: VmTypeSection): HostNameFacts {
  const networks = Object.keys(network);
  const fixed = networks.filter((name) => (addresses[name] ?? "dhcp") !== "dhcp");
  return {
    name: `${type}01`,
    index: 1,
    type,
    count,
    ip: fixed.length === 0 ? null : SAMPLE_ADDRESS.address,
    macs: Object.fromEntries(networks.map((name) => [name, SAMPLE_MAC])),
    addresses: Object.fromEntries(fixed.map((name) => [name, SAMPLE_ADDRESS])),
    installDisk: Object.keys(disk).length === 0 ? null : "/dev/vda",
  };
}
