/** Set-up in this process, over real sockets, against a simulated NAS with its self-signed certificate. */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { createSetupApp } from "../../../routes/setup/app.tsx";
import type { HandOver } from "../../../routes/auth/hand_over.ts";
import { SetupSessions } from "../../../routes/setup/sessions.ts";
import type { SetupStart } from "../../../routes/setup/setup.ts";
import { TEST_TIMES } from "./dashboard.ts";
import { type Certificates, fingerprintOf, makeCertificates } from "../network/certificates.ts";
import { SecretScan } from "../secrets.ts";

/** The API key of the account `keeper`; it must not appear anywhere. */
export const API_KEY = `7-${"k".repeat(64)}`;
/** The password of the account `keeper`; it must not appear anywhere either. */
export const KEEPER_PASSWORD = "keeper-secret";
/** The password of the account `otp`, whose one-time password is 123456. */
export const OTP_PASSWORD = "otp-secret";

const ACCOUNTS = [
  { username: "keeper", password: KEEPER_PASSWORD, roles: ["FULL_ADMIN"], apiKey: API_KEY },
  { username: "some", password: "some-secret", roles: ["VM_DEVICE_WRITE", "DATASET_READ"] },
  { username: "nobody", password: "nobody-secret", roles: ["SHARING_ADMIN"] },
  { username: "otp", password: OTP_PASSWORD, roles: ["FULL_ADMIN"], otp: "123456" },
];

/** Options of a test of set-up. */
export interface SetupOptions {
  readonly simulator?: SimulatorOptions;
  /** What the stored settings were before. */
  readonly stored?: SetupStart["stored"];
  readonly localSocket?: string;
  /** The dashboard's own password. */
  readonly password?: string;
  /** Asked for first, as beyond loopback. */
  readonly code?: string;
  /** How set-up waits for some milliseconds; default by the real clock. */
  readonly wait?: (ms: number) => Promise<unknown>;
  /** Reverse proxies that say who asks; default none. */
  readonly trustedProxies?: readonly string[];
  /** The text of an existing configuration. */
  readonly config?: string;
  readonly certFingerprint?: string;
  /** Instead of a folder of its own. */
  readonly stateDir?: string;
  readonly certificate?: keyof Omit<Certificates, "ca">;
  /** Whether the NAS is not encrypted. */
  readonly isPlain?: boolean;
  /** The browser that comes from the dashboard; default none. */
  readonly handOver?: HandOver;
  /** Milliseconds since 1970 (UTC); default the real clock. */
  readonly now?: () => number;
  /** Whether the CA of the certificates is trusted. */
  readonly trustsCa?: boolean;
}

/** Set-up that runs. */
export interface TestSetup extends AsyncDisposable {
  readonly url: string;
  readonly simulator: Simulator;
  /** The address that a person enters: `127.0.0.1:PORT`. */
  readonly nas: string;
  /** Of the simulated NAS's certificate. */
  readonly fingerprint: string;
  readonly stateDir: string;
  /** Whether the dashboard was asked to open. */
  readonly opened: () => boolean;
  /** The browser that was handed over to the dashboard. */
  readonly handOver: () => HandOver | null;
}

const certificates = await makeCertificates();

/** Starts the simulated NAS and set-up. */
export async function startSetup(options: SetupOptions = {}): Promise<TestSetup> {
  const certificate = certificates[options.certificate ?? "selfSigned"];
  const simulator = await startSimulator({
    times: TEST_TIMES,
    ...(options.isPlain ? {} : { tls: certificate }),
    ...options.simulator,
    accounts: [...ACCOUNTS, ...(options.simulator?.accounts ?? [])],
  });
  const stateDir = options.stateDir ?? await Deno.makeTempDir();
  const scan = new SecretScan([API_KEY, KEEPER_PASSWORD, OTP_PASSWORD, options.password ?? "none-of-it"]);
  const log = (message: string, fields: unknown = {}) =>
    scan.text(`${message} ${JSON.stringify(fields)}`, "the log");
  const stopping = new AbortController();
  const sessions = new SetupSessions({
    host: options.stored?.["TRUENAS_HOST"] ?? "",
    username: options.stored?.["API_USERNAME"] ?? "",
    method: "key",
  });
  const configFile = `${stateDir}/config.yaml`;
  let given: HandOver | null = null;
  const app = createSetupApp({
    stored: options.stored ?? {},
    localSocket: options.localSocket ?? null,
    hasDisplayPassword: false,
    access: {
      password: options.password ?? null,
      viewerPassword: null,
      metricsToken: null,
      authProxy: null,
      secure: false,
      allowedHosts: [],
      trustedProxies: options.trustedProxies ?? [],
    },
    code: options.code ?? null,
    sessions,
    stateDir,
    configFile,
    configuration: () => {
      if (options.config === undefined) return null;
      const { storage } = parseConfigurationFile({ text: options.config, source: configFile }).configuration;
      return { poolPath: storage.pool_path, cdromPath: storage.cdrom_path };
    },
    connecting: { caCerts: options.trustsCa ? [certificates.ca] : [] },
    certFingerprint: options.certFingerprint ?? null,
    logger: { debug: log, info: log, warning: log, error: log },
    now: options.now ?? Date.now,
    ...(options.wait === undefined ? {} : { wait: options.wait }),
    handOver: options.handOver ?? null,
    openDashboard: (handOver) => {
      given = handOver;
      stopping.abort();
    },
  });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, info) =>
      scan.response(await app.fetch(request, info), `${request.method} ${new URL(request.url).pathname}`),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    simulator,
    nas: new URL(simulator.url.replace(/^ws/, "http")).host,
    fingerprint: await fingerprintOf(certificate),
    stateDir,
    opened: () => stopping.signal.aborted,
    handOver: () => given,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await sessions.close();
      await server.shutdown();
      await simulator.stop();
      if (options.stateDir === undefined) await Deno.remove(stateDir, { recursive: true });
      scan.expectNone();
    },
  };
}

/** What a page says. */
export interface Answer {
  readonly status: number;
  readonly html: string;
  /** The current step, or `done`, `gate` or `opening`. */
  readonly step: string;
  /** Messages at fields, by name. */
  readonly errors: Readonly<Record<string, string>>;
  readonly headers: Headers;
}

/** A browser without JavaScript: it keeps its cookies and follows a form's redirect. */
export class SetupBrowser {
  readonly #url: string;
  readonly #cookies = new Map<string, string>();

  /** Has opened nothing yet. */
  constructor({ url }: { readonly url: string }) {
    this.#url = url;
  }

  /** Opens a page. */
  async open(path = "/setup"): Promise<Answer> {
    return await this.#answer(await this.#send(path));
  }

  /** Opens a page where its redirects lead. */
  async follow(path: string): Promise<Answer> {
    const answer = await this.open(path);
    const to = answer.headers.get("location");
    return to === null ? answer : await this.follow(to);
  }

  /** Sends a form, and follows its redirect; an empty step is the dashboard's "Change connection". */
  async submit(step: string, fields: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const response = await this.#send(step === "" ? "/setup" : `/setup/${step}`, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { origin: this.#url },
    });
    if (response.status !== 303) return await this.#answer(response);
    await response.body?.cancel();
    return await this.open(response.headers.get("location") ?? "");
  }

  async #send(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = new Headers(init.headers);
    if (cookie !== "") headers.set("cookie", cookie);
    const response = await fetch(this.#url + path, { ...init, headers, redirect: "manual" });
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      this.#cookies.set(name, value);
    }
    return response;
  }

  async #answer(response: Response): Promise<Answer> {
    const html = await response.text();
    const errors = [...html.matchAll(/data-error="([^"]+)">(.*?)<\/span>/g)].map(([, name = "", text = ""]) =>
      [name, decode(text.replaceAll(/<[^>]+>/g, ""))] as const
    );
    return {
      status: response.status,
      html,
      step: /data-setup="(\w+)"/.exec(html)?.[1] ?? "",
      errors: Object.fromEntries(errors),
      headers: response.headers,
    };
  }
}

function decode(html: string): string {
  return html.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}

/** Goes through the first steps, to the account. */
export async function toAccount(browser: SetupBrowser, setup: TestSetup): Promise<Answer> {
  const found = await browser.submit("address", { host: setup.nas });
  if (found.step !== "certificate") return found;
  return await browser.submit("certificate", { fingerprint: setup.fingerprint });
}

/** Goes through all steps but the last. */
export async function toPlace(browser: SetupBrowser, setup: TestSetup): Promise<Answer> {
  await toAccount(browser, setup);
  const answer = await browser.submit("account", { method: "key", username: "keeper", key: API_KEY });
  assert.equal(answer.step, "place", answer.html);
  return answer;
}
