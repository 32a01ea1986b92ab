/** The connection to the NAS: its state, the account's roles, and the one-time password form. */
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary, Fact, Field, Notice, SHAPES } from "../parts/common.tsx";
import { ConnectionState } from "../parts/frame/connection.tsx";
import { Shape } from "../parts/icons.tsx";
import { paths } from "../paths.ts";
import type { Problem } from "../../lib/errors/errors.ts";

interface NeededRole {
  readonly role: string;
  /** What fails or is skipped without it. */
  readonly for: string;
  readonly essential: boolean;
}

/** The state of the page. */
export interface ConnectionProps {
  /** As configured: `wss://nas.lan`. */
  readonly address: string;
  /** The host that console links lead to, and where it was found; null while unknown. */
  readonly publicHost: { readonly host: string; readonly source: string } | null;
  /** Null if the account cannot read it. */
  readonly nasId: string | null;
  /** How the program signs in, without secrets. */
  readonly account: string;
  /** `v25.10.5`, `current`, `legacy`; null while not connected. */
  readonly apiVersion: string | null;
  /** Roles of the account; null if the NAS does not report them. */
  readonly roles: readonly string[] | null;
  readonly missing: readonly NeededRole[];
  /** Every role that the program needs; `granted` is null while the account's roles are unknown. */
  readonly needed: readonly (NeededRole & { readonly granted: boolean | null })[];
  /** The NAS is waiting for a one-time password. */
  readonly wantsOtp: boolean;
  readonly problems: readonly Problem[];
}

/** Enough of the NAS's ID to distinguish two of them. */
const ID_CHARS = 16;

/** The page. */
export function ConnectionPage({ frame, connection }: { frame: PageFrame; connection: ConnectionProps }) {
  const { wantsOtp, problems } = connection;
  return (
    <Layout {...frame} title="Connection" current="connection">
      <div class="heading">
        <h1>Connection</h1>
        {frame.mayChange ? <a class="btn" href={paths.setup()}>Change connection</a> : null}
      </div>
      <ErrorSummary problems={problems} />
      {(wantsOtp || problems.length > 0) && frame.mayChange ? <OtpForm problems={problems} /> : null}
      <div class="halves">
        <section class="card" aria-labelledby="nas-heading">
          <header>
            <h2 id="nas-heading">NAS</h2>
            <ConnectionState connection={frame.connection} />
          </header>
          <Facts connection={connection} release={frame.connection.release} />
        </section>
        <section class="card" aria-labelledby="roles-heading">
          <header>
            <h2 id="roles-heading">Account permissions</h2>
          </header>
          <div class="body stack">
            <Roles connection={connection} />
          </div>
        </section>
      </div>
    </Layout>
  );
}

function Facts(
  { connection, release }: { connection: ConnectionProps; release: string | null },
) {
  const { address, account, nasId, publicHost, apiVersion } = connection;
  return (
    <dl class="lines body">
      <Fact label="Address">
        <code>{address}</code>
      </Fact>
      <Fact label="Sign-in">{account}</Fact>
      <Fact label="Release">{release ?? "Unknown"}</Fact>
      <Fact label="API">{apiVersion ?? "Unknown"}</Fact>
      <Fact label="Console host">
        {publicHost === null
          ? "Unknown. Set NAS_PUBLIC_HOST to the host name or address browsers use to reach the NAS"
          : (
            <>
              <code>{publicHost.host}</code> <span class="soft">from {publicHost.source}</span>
            </>
          )}
      </Fact>
      {apiVersion === null ? null : (
        <Fact label="NAS ID">
          {nasId === null
            ? "This account cannot read it (requires READONLY_ADMIN). MACs of new VMs are derived from " +
              "TRUENAS_HOST instead, and change if you write that address differently"
            : <code>{nasId.slice(0, ID_CHARS)}</code>}
        </Fact>
      )}
    </dl>
  );
}

function OtpForm({ problems }: Pick<ConnectionProps, "problems">) {
  return (
    <form method="post" action={paths.otp()} class="card body">
      <Field
        name="otp"
        label="One-time password"
        value=""
        problems={problems}
        numeric
        help="The current code from the account's authenticator app, for example 123456. It is sent to the NAS and not stored."
      />
      <p class="actions">
        <button type="submit" class="btn primary">Sign in</button>
      </p>
    </form>
  );
}

function Roles({ connection: { roles, missing, needed, apiVersion } }: { connection: ConnectionProps }) {
  if (apiVersion === null) return <p>Shown once the NAS is connected.</p>;
  if (roles === null) {
    return (
      <p>
        The NAS does not report this account's roles. If it refuses an action, the error appears where you
        started it.
      </p>
    );
  }
  return (
    <>
      {missing.length === 0
        ? <p>The account has every role this program needs.</p>
        : (
          <Notice tone={missing.some(({ essential }) => essential) ? "bad" : "warn"}>
            <p>
              <strong>
                {missing.length === 1 ? "One role is missing." : `${missing.length} roles are missing.`}
              </strong>{" "}
              In TrueNAS, open Credentials, Groups, Privileges and add them to a privilege of one of the
              account's groups.
            </p>
          </Notice>
        )}
      <ul class="rights">
        {needed.map((role) => <Right {...role} />)}
      </ul>
    </>
  );
}

/** A role as what it allows: ticked, or with what goes without it. */
function Right({ role, for: purpose, essential, granted }: ConnectionProps["needed"][number]) {
  const what = purpose.charAt(0).toUpperCase() + purpose.slice(1);
  const tone = granted === false ? (essential ? "bad" : "warn") : "good";
  return (
    <li data-missing-role={granted === false ? role : undefined} data-role={role} class={tone}>
      <Shape name={SHAPES[tone]} />
      <span>
        {what} <code>{role}</code>
      </span>
      {granted === false
        ? <span class={`badge ${tone}`}>{essential ? "Fails without it" : "Skipped without it"}</span>
        : <span class="visually-hidden">granted</span>}
    </li>
  );
}
