/** A whole dashboard against a simulated NAS, in this process, over real sockets. */
import assert from "node:assert/strict";
import type { Approvals } from "../../../lib/agents/approvals.ts";
import type { ParsedConfiguration } from "../../../lib/configuration/configuration.ts";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import {
  type ConfigurationStore,
  MemoryStore,
} from "../../../lib/configuration/editing/configuration_store.ts";
import { configurationReader } from "../../../routes/server/configuration.ts";
import type { OuterSetting } from "../../../lib/configuration/environment/stored_settings.ts";
import { TemplateTexts } from "../../../lib/configuration/editing/template_texts.ts";
import type { LogFields, Logger } from "../../../lib/observability/logging.ts";
import type { OperationJournal } from "../../../lib/operations/record/journal.ts";
import { Metrics } from "../../../lib/observability/metrics.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import type { Hono } from "hono";
import { createApp } from "../../../routes/app.tsx";
import type { HandOver } from "../../../routes/auth/hand_over.ts";
import { OneTimeTokens } from "../../../routes/auth/tokens.ts";
import { FAULT } from "../../../lib/errors/unhandled_errors.ts";
import { SecretScan } from "../secrets.ts";
import type { AccessOptions } from "../../../routes/server/dashboard.ts";
import type { AppEnv } from "../../../routes/server/context.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

/** Fast, but in the proportions of a real NAS: zvols and starts take longer than calls. */
export const TEST_TIMES = {
  callMs: 2,
  zvolMs: 6,
  startMs: 4,
  shutdownMs: 5,
  deleteRunningMs: 10,
  convertMs: 10,
  deviceMs: 3,
  pingSecondMs: 20,
} as const;

/** Fast polling after a call of unknown outcome. */
export const TEST_SETTLE = { settleMs: 200, pollMs: 20 } as const;

/** The display password of tests; it must not appear anywhere. */
export const DISPLAY_PASSWORD = "display-secret";

/** The password of the account on the NAS; it must not appear anywhere either. */
export const ACCOUNT_PASSWORD = "account-secret";

/** The default configuration of tests. */
export const TEST_CONFIG = `
storage:
  pool_path: tank/vms
  cdrom_path: /mnt/tank/iso/debian.iso
controlplane:
  count: 1
  memory: 2048
  cpu: 2
  disk: { root: 20 }
  network: { lan: br0 }
worker:
  count: 3
  memory: 2048
  cpu: 2
  disk: { root: 20, data: 50 }
  network: { lan: br0, storage: br1 }
`;

/** Options of a test dashboard. */
export interface DashboardOptions {
  readonly simulator?: SimulatorOptions;
  readonly manager?: Partial<VMManagerOptions>;
  /** What happened on the NAS before, and the journal that it left; default nothing. */
  readonly past?: (
    simulator: Simulator,
    nas: VMManagerOptions & { readonly host: string },
  ) => Promise<OperationJournal>;
  readonly config?: string;
  /** Where it is kept and saved; default in memory. */
  readonly store?: ConfigurationStore;
  /** Where the templates are kept; default the ones that are part of the program. */
  readonly templateTexts?: TemplateTexts;
  /** Default true; false does not wait for the connection. */
  readonly untilConnected?: boolean;
  /** Whether the connection to the NAS counts as unencrypted; default false. */
  readonly unencrypted?: boolean;
  /** Who may use the dashboard; by default everybody. */
  readonly access?: Partial<AccessOptions>;
  /** Milliseconds since 1970 (UTC); default the real clock. */
  readonly now?: () => number;
  /** How the dashboard waits for some milliseconds; default by the real clock. */
  readonly wait?: (ms: number) => Promise<unknown>;
  /** Settings of the connection that set-up cannot change; default none. */
  readonly outerSettings?: readonly OuterSetting[];
  /** The browser that comes from set-up; default none. */
  readonly handOver?: HandOver;
  /** Receives the browser that is handed over to set-up. */
  readonly onSetup?: (handOver: HandOver | null) => void;
  /** Approvals of plans for agents; by default there are no agents. */
  readonly approvals?: (manager: VMManager) => Approvals;
  /** Receives every log line. */
  readonly onLog?: (message: string, fields: LogFields) => void;
}

/** A running dashboard. */
export interface TestDashboard extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly simulator: Simulator;
  readonly manager: VMManager;
  /** The app itself, for requests without a socket. */
  readonly app: Hono<AppEnv>;
  /** Where the configuration is kept. */
  readonly store: ConfigurationStore;
  /** The configuration, as the library reads it. */
  readonly configuration: () => ParsedConfiguration<FlatConfiguration>;
  /** Starts stopping, like a signal to the program. */
  readonly end: () => void;
}

/** Starts simulator and dashboard, and waits until they are connected. */
export async function startDashboard(options: DashboardOptions = {}): Promise<TestDashboard> {
  const account = { username: "planted", password: ACCOUNT_PASSWORD, roles: ["FULL_ADMIN"] };
  const simulator = await startSimulator({
    times: TEST_TIMES,
    ...options.simulator,
    accounts: [account, ...(options.simulator?.accounts ?? [])],
  });
  const { password = null, viewerPassword = null, metricsToken = null } = options.access ?? {};
  const planted = [DISPLAY_PASSWORD, ACCOUNT_PASSWORD, password, viewerPassword, metricsToken];
  const scan = new SecretScan(planted.filter((it) => it !== null));
  const faults: string[] = [];
  const logger = loggerTo((message, fields) => {
    scan.text(`${message} ${JSON.stringify(fields)}`, "the log");
    if (message.startsWith(FAULT)) faults.push(`${message} ${JSON.stringify(fields)}`);
    options.onLog?.(message, fields);
  });
  const metrics = new Metrics();
  const nas = { host: simulator.url, username: account.username, password: account.password };
  const past = await options.past?.(simulator, { ...nas, vncPassword: DISPLAY_PASSWORD });
  const manager = new VMManager({
    metrics,
    ...nas,
    ...(past === undefined ? {} : { journal: past }),
    vncPassword: DISPLAY_PASSWORD,
    settle: TEST_SETTLE,
    backoffMs: [20],
    // A test that fails while its NAS is away ends by itself.
    waitMs: 120_000,
    connectionWaitMs: 100,
    silenceMs: 2_000,
    logger,
    ...options.manager,
  });
  const connecting = manager.connection.keepConnected();
  if (options.untilConnected !== false) await connecting;
  const ending = new AbortController();
  const stopping = new AbortController();
  const store = options.store ??
    new MemoryStore(() => ({ text: options.config ?? TEST_CONFIG, source: "config.yaml" }));
  const app = createApp({
    manager,
    host: "nas.test",
    simulated: false,
    account: "as admin, with a password",
    unencrypted: options.unencrypted ?? false,
    configuration: configurationReader(() => store.file()),
    configurationStore: store,
    templateTexts: options.templateTexts ??
      new TemplateTexts({ templatesDir: undefined, versionsFolder: "unused" }),
    tokens: new OneTimeTokens(),
    approvals: options.approvals?.(manager) ?? null,
    handOver: options.handOver ?? null,
    metrics,
    access: {
      password: null,
      viewerPassword: null,
      metricsToken: null,
      authProxy: null,
      secure: false,
      allowedHosts: [],
      trustedProxies: [],
      ...options.access,
    },
    connectionSettings: {
      outer: options.outerSettings ?? [],
      envFile: ".env",
      startSetup: (handOver) => {
        options.onSetup?.(handOver);
        stopping.abort();
      },
    },
    logger,
    now: options.now ?? Date.now,
    ...(options.wait === undefined ? {} : { wait: options.wait }),
    ending: ending.signal,
    stopping: stopping.signal,
  });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, info) =>
      scan.response(await app.fetch(request, info), `${request.method} ${new URL(request.url).pathname}`),
  );
  const stop = async () => {
    stopping.abort();
    await server.shutdown();
    await manager.disconnect();
    await simulator.stop();
    scan.expectNone();
    assert.deepEqual(faults, []);
  };
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    simulator,
    manager,
    app,
    store,
    configuration: () => parseConfiguration(store.file().text, store.file().source),
    end: () => ending.abort(),
    [Symbol.asyncDispose]: stop,
  };
}

/** A logger whose lines, of whatever level, go to a test. */
export function loggerTo(onLog: (message: string, fields: LogFields) => void): Logger {
  const log = (message: string, fields: LogFields = {}) => onLog(message, fields);
  return { debug: log, info: log, warning: log, error: log };
}

/** The ID of a VM of the simulated NAS. */
export function idOf({ simulator }: Pick<TestDashboard, "simulator">, name: string): number {
  const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === name);
  return vm?.id ?? assert.fail(`there is no VM ${name}`);
}

/** Powers off the one VM of a simulated NAS with `foreignVms: 1`, so that there is a finished operation. */
export function powerOff({ manager }: Pick<TestDashboard, "manager">) {
  const request = {
    action: "poweroff",
    id: 1,
    name: "homeassistant",
    state: "RUNNING",
    overcommit: false,
  } as const;
  return manager.changes.act("poweroff", [request]);
}

/** A journal in memory that can no longer be written once `disk.isFull`. */
export function journalOn(disk: { isFull: boolean }): OperationJournal {
  return {
    append: () => {},
    written: () => Promise.resolve(),
    load: () => [],
    read: () => [],
    forget: () => {},
    loadAudit: () => [],
    removeAudit: () => {},
    writeAudit: () => {
      if (disk.isFull) throw new Error("database or disk is full");
    },
  };
}
