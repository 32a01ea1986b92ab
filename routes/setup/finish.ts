/** The end of set-up: writes the settings and, where there is none, a configuration. */
import { ConfigurationError } from "../../lib/errors/errors.ts";
import { reasonOf, systemErrorCode } from "../../lib/errors/system_errors.ts";
import {
  type ChosenPlaces,
  problemsOf,
  randomText,
  settingsOf,
  storeConfiguration,
  storeSettings,
} from "../../lib/setup/choices.ts";
import type { DoneProps } from "../../templates/pages/setup/done_page.tsx";
import type { SetupSession } from "./sessions.ts";
import { configuredOf } from "./offers.ts";
import { type Setup, storedSettings } from "./setup.ts";
import { choose, fingerprintOf, type Stepped } from "./steps.ts";
import { stepOf } from "./view.tsx";

/** Writes what was chosen. */
export function finish(setup: Setup, session: SetupSession, fields: URLSearchParams): Stepped {
  const { found, signedIn } = session;
  if (stepOf(setup, session) !== "place" || found === null || signedIn === null) return null;
  const { poolPath, cdromPath } = choose(session, fields);
  const places = {
    poolPath,
    cdromPath: cdromPath ?? `/mnt/${poolPath}/install.iso`,
    bridge: session.bridge,
  };
  const problems = problemsOf(places);
  if (problems.length > 0) return { problems, status: 422 };
  const hasPassword = setup.hasDisplayPassword || (storedSettings(setup)["VNC_PASSWORD"] ?? "") !== "";
  const displayPassword = hasPassword ? null : randomText();
  const fingerprint = fingerprintOf(session);
  const settings = settingsOf({ address: found.address, account: signedIn.account, fingerprint }, {
    earlier: storedSettings(setup),
    displayPassword,
    dashboardPassword: session.dashboardPassword,
  });
  try {
    // The settings come last: without them the next start is set-up again.
    const configuration = writeConfiguration(setup, places);
    const settingsFile = storeSettings(setup.stateDir, settings);
    setup.logger.info("Set-up stored its settings", { file: settingsFile, nas: found.address.url });
    const { account: { username, method } } = signedIn;
    const { dashboardPassword } = session;
    setup.sessions.finish({ settings, host: found.address.host, username, method, dashboardPassword });
    session.done = {
      settingsFile,
      settings: Object.entries(settings).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]]
      ),
      displayPassword,
      configuration,
    };
    return null;
  } catch (error) {
    if (systemErrorCode(error) === null) throw error;
    setup.logger.error("Set-up cannot write its files", { folder: setup.stateDir, error: reasonOf(error) });
    const message =
      `Set-up is not finished: ${setup.stateDir} cannot be written, because ${reasonOf(error)}. ` +
      "Your entries are kept. Make the folder writable, then press Finish again";
    return { problems: [{ field: "", message }], status: 503 };
  }
}

function writeConfiguration(setup: Setup, places: ChosenPlaces): DoneProps["configuration"] {
  const { configFile } = setup;
  const existing = configuredOf(setup);
  if (existing === null) {
    storeConfiguration(setup.stateDir, configFile, places);
    return { kind: "written", file: configFile };
  }
  const lines = [
    ...(existing.poolPath === places.poolPath ? [] : [`  pool_path: ${places.poolPath}`]),
    ...(existing.cdromPath === places.cdromPath ? [] : [`  cdrom_path: ${places.cdromPath}`]),
  ];
  return { kind: "kept", file: configFile, lines };
}

/** Why the dashboard cannot open yet; null: it can. */
export function reasonAgainstOpening(setup: Setup): string | null {
  try {
    setup.configuration();
    return null;
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
}
