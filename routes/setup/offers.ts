/** What the last step of set-up offers: read from the NAS, and preselected as the configuration says. */
import { ConfigurationError, TrueNASError } from "../../lib/errors/errors.ts";
import type { Places } from "../../lib/setup/sign_in.ts";
import { LATER, OTHER, type PlaceProps } from "../../templates/pages/setup/place_step.tsx";
import { inTime } from "../in_time.ts";
import type { SetupSession } from "./sessions.ts";
import type { FoundConfiguration, Setup } from "./setup.ts";

/** How long the page waits for lists that may also be typed. */
const OFFERS_MS = 8_000;
/** More make a list that nobody reads; others can be typed. */
const MAX_OFFERS = 12;
const USUAL_BRIDGE = "br0";
/** What people call the dataset of their VMs, the most usual first. */
const USUAL_NAMES: readonly RegExp[] = [/^[^/]+\/vms$/, /^[^/]+\/vms?$/i, /vm|virtual/i];

/** Reads the offers into the session; what cannot be read is typed. */
export async function readOffers(setup: Setup, session: SetupSession): Promise<void> {
  const places = await read(setup, session);
  const configured = configuredOf(setup);
  session.bridge = bridgeOf(places);
  session.places = {
    ...datasetsOf(places, configured),
    ...isosOf(places, configured),
    configFile: configured === null ? null : setup.configFile,
  };
}

async function read({ logger }: Setup, { signedIn }: SetupSession): Promise<Places | null> {
  if (signedIn === null) return null;
  try {
    return await inTime(signedIn.places(), OFFERS_MS);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    logger.warning("Cannot read datasets and images for set-up", { error: error.message });
    return null;
  }
}

/** What the configuration says; one with errors is reported before the dashboard opens. */
export function configuredOf(setup: Setup): FoundConfiguration | null {
  try {
    return setup.configuration();
  } catch (error) {
    if (error instanceof ConfigurationError) return { poolPath: "", cdromPath: "" };
    throw error;
  }
}

function datasetsOf(
  places: Places | null,
  configured: FoundConfiguration | null,
): Pick<PlaceProps, "datasets" | "dataset" | "datasetTyped"> {
  const wanted = configured?.poolPath ?? "";
  if (places === null || !places.datasets.known) {
    return { datasets: null, dataset: OTHER, datasetTyped: wanted };
  }
  const all = places.datasets.value;
  // A pool's root is the last choice: its disks would lie among everything else.
  const offered = [
    ...all.filter(({ name }) => name.includes("/")),
    ...all.filter(({ name }) => !name.includes("/")),
  ];
  const likely = offered.find(({ name }) => name === wanted) ??
    USUAL_NAMES.map((usual) => offered.find(({ name }) => usual.test(name))).find((it) => it !== undefined) ??
    offered[0];
  const isOther = likely === undefined || (wanted !== "" && likely.name !== wanted);
  return {
    datasets: withChosen(offered, likely).map(({ name, freeBytes }) => ({ value: name, bytes: freeBytes })),
    dataset: isOther ? OTHER : likely.name,
    datasetTyped: isOther ? wanted : "",
  };
}

function isosOf(
  places: Places | null,
  configured: FoundConfiguration | null,
): Pick<PlaceProps, "isos" | "iso" | "isoTyped"> {
  const wanted = configured?.cdromPath ?? "";
  if (places === null || !places.isos.known) return { isos: null, iso: OTHER, isoTyped: wanted };
  const offered = places.isos.value;
  const likely = offered.find(({ path }) => path === wanted) ?? offered[0];
  const isOther = wanted !== "" && likely?.path !== wanted;
  return {
    isos: withChosen(offered, likely).map(({ path, sizeBytes }) => ({ value: path, bytes: sizeBytes })),
    iso: isOther ? OTHER : likely?.path ?? LATER,
    isoTyped: isOther ? wanted : "",
  };
}

/** The first offers, with the chosen one among them. */
function withChosen<T>(offered: readonly T[], chosen: T | undefined): readonly T[] {
  const first = offered.slice(0, MAX_OFFERS);
  return chosen === undefined || first.includes(chosen) ? first : [chosen, ...first.slice(0, -1)];
}

/** The bridge of the example VM type; TrueNAS lists bridges first. */
function bridgeOf(places: Places | null): string | null {
  if (places === null || !places.bridges.known) return USUAL_BRIDGE;
  const { value } = places.bridges;
  return value.find((name) => /^(br|vmbr|bridge)/i.test(name)) ?? value[0] ?? null;
}
