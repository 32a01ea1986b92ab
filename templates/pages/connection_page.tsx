/** The connection to the NAS: how it stands, what the account may do, and the one-time password. */
import { Layout } from "../layout.tsx";
import { ErrorSummary, Field, State } from "../parts/common.tsx";
import { paths } from "../paths.ts";
import type { ConnectionProps, PageFrame } from "../props.ts";

/** Enough of the NAS's id to tell one from another. */
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
        <div>
          <dt>Address</dt>
          <dd>
            <code>{address}</code>
          </dd>
        </div>
        <div>
          <dt>Signed in</dt>
          <dd>{account}</dd>
        </div>
        <div>
          <dt>Release</dt>
          <dd>{frame.connection.release ?? "not known"}</dd>
        </div>
        <div>
          <dt>Consoles lead to</dt>
          <dd>
            {publicHost === null
              ? "Not known: set NAS_PUBLIC_HOST to the name or address by which browsers reach the NAS"
              : (
                <>
                  <code>{publicHost.host}</code> (from {publicHost.source})
                </>
              )}
          </dd>
        </div>
        {apiVersion === null ? null : (
          <div>
            <dt>NAS id</dt>
            <dd>
              {nasId === null
                ? "Not readable with this account (role READONLY_ADMIN). MACs of new VMs are derived from " +
                  "TRUENAS_HOST as it is written"
                : <code>{nasId.slice(0, ID_CHARS)}</code>}
            </dd>
          </div>
        )}
        <div>
          <dt>API</dt>
          <dd>{apiVersion ?? "not connected"}</dd>
        </div>
      </dl>
      <h2>What the account may do</h2>
      <Roles roles={roles} missing={missing} connected={apiVersion !== null} />
    </Layout>
  );
}

function OtpForm({ problems }: Pick<ConnectionProps, "problems">) {
  return (
    <form method="post" action={paths.otp()} class="notice tone-warn">
      <Field
        name="otp"
        label="One-time password"
        value=""
        problems={problems}
        numeric
        help="From the account's authenticator. It is sent to the NAS and not stored."
      />
      <p class="actions">
        <button type="submit" class="primary">Sign in</button>
      </p>
    </form>
  );
}

function Roles(
  { roles, missing, connected }: Pick<ConnectionProps, "roles" | "missing"> & { readonly connected: boolean },
) {
  if (!connected) return <p>This is known once there is a connection.</p>;
  if (roles === null) {
    return <p>The NAS does not tell this account's roles; what it refuses is shown where it refuses it.</p>;
  }
  if (missing.length === 0) return <p>Everything that this program needs.</p>;
  return (
    <>
      <p>
        Some roles are missing. Grant them on the NAS: Credentials, Groups, Privileges, in a privilege of a
        group of this account.
      </p>
      <table class="rows">
        <caption class="visually-hidden">Missing roles</caption>
        <thead>
          <tr>
            <th scope="col">Role</th>
            <th scope="col">Without it</th>
            <th scope="col">For</th>
          </tr>
        </thead>
        <tbody>
          {missing.map((it) => (
            <tr data-missing-role={it.role}>
              <th scope="row">
                <code>{it.role}</code>
              </th>
              <td data-label="Without it">
                {it.essential ? <State tone="bad" word="Fails" /> : <State tone="warn" word="Left out" />}
              </td>
              <td data-label="For">{it.for}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
