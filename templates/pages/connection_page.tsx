/** The connection to the NAS: its state, the account's roles, and the one-time password form. */
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary, Fact, Field, State, TableHead } from "../parts/common.tsx";
import { paths } from "../paths.ts";
import type { Problem } from "../../lib/errors/errors.ts";

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
  readonly missing: readonly { readonly role: string; readonly for: string; readonly essential: boolean }[];
  /** The NAS is waiting for a one-time password. */
  readonly wantsOtp: boolean;
  readonly problems: readonly Problem[];
}

/** Enough of the NAS's ID to distinguish two of them. */
const ID_CHARS = 16;

/** The page. */
export function ConnectionPage({ frame, connection }: { frame: PageFrame; connection: ConnectionProps }) {
  const { address, account, nasId, publicHost, apiVersion, roles, missing, wantsOtp, problems } = connection;
  return (
    <Layout {...frame} title="Connection" current="connection">
      <h1>Connection</h1>
      <ErrorSummary problems={problems} />
      {(wantsOtp || problems.length > 0) && frame.mayChange ? <OtpForm problems={problems} /> : null}
      <dl class="facts">
        <Fact label="Address">
          <code>{address}</code>
        </Fact>
        <Fact label="Sign-in">{account}</Fact>
        <Fact label="Release">{frame.connection.release ?? "Unknown"}</Fact>
        <Fact label="Console host">
          {publicHost === null
            ? "Unknown. Set NAS_PUBLIC_HOST to the host name or address browsers use to reach the NAS"
            : (
              <>
                <code>{publicHost.host}</code> (from {publicHost.source})
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
        <Fact label="API">{apiVersion ?? "Not connected"}</Fact>
      </dl>
      <h2>Account permissions</h2>
      <Roles roles={roles} missing={missing} connected={apiVersion !== null} />
    </Layout>
  );
}

function OtpForm({ problems }: Pick<ConnectionProps, "problems">) {
  return (
    <form method="post" action={paths.otp()} class="panel">
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

function Roles(
  { roles, missing, connected }: Pick<ConnectionProps, "roles" | "missing"> & { readonly connected: boolean },
) {
  if (!connected) return <p>Shown once the NAS is connected.</p>;
  if (roles === null) {
    return (
      <p>
        The NAS does not report this account's roles. If it refuses an action, the error appears where you
        started it.
      </p>
    );
  }
  if (missing.length === 0) return <p>The account has every role this program needs.</p>;
  return (
    <>
      <p>
        Some roles are missing. In TrueNAS, open Credentials, Groups, Privileges and add them to a privilege
        of one of the account's groups.
      </p>
      <table class="table rows">
        <caption class="visually-hidden">Missing roles</caption>
        <TableHead columns={["Role", "If missing", "Needed for"]} />
        <tbody>
          {missing.map((it) => (
            <tr data-missing-role={it.role}>
              <th scope="row">
                <code>{it.role}</code>
              </th>
              <td data-label="If missing">
                {it.essential ? <State tone="bad" word="Fails" /> : <State tone="warn" word="Skipped" />}
              </td>
              <td data-label="Needed for">{it.for}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
