/** Signing in to the NAS during set-up, and what the account may do. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Field, Notice } from "../../parts/common.tsx";
import { Shape } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { Pick, SecretField } from "./parts.tsx";

/** Props of the account. */
export interface AccountProps {
  /** Over the NAS's own socket nobody signs in. */
  readonly isLocal: boolean;
  /** Whether an API key can be sent. */
  readonly takesKey: boolean;
  readonly username: string;
  readonly method: "key" | "password";
  /** The NAS asks for a one-time password. */
  readonly wantsOtp: boolean;
  /** What the signed-in account may do; null before it has signed in. */
  readonly abilities: readonly AbilityView[] | null;
}

/** Something that the account may do, or may not. */
export interface AbilityView {
  readonly label: string;
  /** The roles that are missing; empty if it may. */
  readonly missing: readonly string[];
  readonly without: string;
}

/** The step. */
export function AccountStep({ problems, ...account }: AccountProps & { problems: readonly Problem[] }) {
  const { abilities, isLocal, wantsOtp } = account;
  if (abilities !== null) return <Rights abilities={abilities} />;
  if (isLocal) return <LocalAccount />;
  return wantsOtp
    ? <OneTime problems={problems} username={account.username} />
    : <SignIn {...account} problems={problems} />;
}

function LocalAccount() {
  return (
    <form method="post" action={paths.setupStep("account")}>
      <p>
        This machine is the NAS, so nobody has to sign in: the program works as root over the NAS's own
        socket.
      </p>
      <p class="actions">
        <button class="btn primary" type="submit">Sign in as root</button>
      </p>
    </form>
  );
}

function SignIn({ takesKey, username, method, problems }: AccountProps & { problems: readonly Problem[] }) {
  return (
    <form method="post" action={paths.setupStep("account")} class="account">
      {takesKey
        ? (
          <fieldset class="bare">
            <legend class="label">Sign in with</legend>
            <div class="pick-list">
              <Pick name="method" value="key" chosen={method === "key"}>
                API key <span class="soft sm">recommended</span>
              </Pick>
              <Pick name="method" value="password" chosen={method === "password"}>
                User name and password
              </Pick>
            </div>
          </fieldset>
        )
        : <input type="hidden" name="method" value="password" />}
      <div class="pair">
        <Field name="username" label="Account" value={username} problems={problems} />
        {takesKey ? <SecretField name="key" label="API key" problems={problems} class="for-key" /> : null}
        <SecretField name="password" label="Password" problems={problems} class="for-password" />
      </div>
      <p class="help">
        {takesKey
          ? <span class="for-key">Make a key in TrueNAS under Credentials, Users, API Keys.</span>
          : null} It stays on this machine.
      </p>
      <p class="actions">
        <button class="btn primary" type="submit">Sign in</button>
      </p>
    </form>
  );
}

function OneTime({ problems, username }: { problems: readonly Problem[]; username: string }) {
  return (
    <form method="post" action={paths.setupStep("otp")}>
      <p>
        <b dir="auto">{username}</b> uses two-factor authentication.
      </p>
      <Field
        name="otp"
        label="One-time password"
        value=""
        problems={problems}
        numeric
        help="The current code from the account's authenticator app, for example 123456. It is not stored: the dashboard asks for a new one when it starts. API keys need none."
      />
      <p class="actions">
        <button class="btn primary" type="submit">Sign in</button>
        <a class="btn plain" href={paths.setup({ change: "account" })}>Use another account</a>
      </p>
    </form>
  );
}

function Rights({ abilities }: { abilities: readonly AbilityView[] }) {
  const missing = abilities.filter((ability) => ability.missing.length > 0);
  return (
    <div class="stack">
      <section>
        <h3 class="label">Signed in. What this account may do</h3>
        <ul class="ticks roles">
          {abilities.map(({ label, missing: roles }) => (
            <li class={roles.length === 0 ? "good" : "warn"} data-missing-role={roles.join(" ") || undefined}>
              <Shape name={roles.length === 0 ? "done" : "warn"} />
              <span>{roles.length === 0 ? label : `${label}: missing`}</span>
            </li>
          ))}
        </ul>
      </section>
      <Notice tone="warn">
        <p>
          <strong>
            {missing.length === 1 ? "One right is missing." : `${missing.length} rights are missing.`}
          </strong>{" "}
          You can go on and grant {missing.length === 1 ? "it" : "them"} later.
        </p>
        <ul>
          {missing.map(({ missing: roles, without }) => (
            <li>
              Without <code>{roles.join(", ")}</code>: {without}
            </li>
          ))}
        </ul>
        <p>
          To grant{" "}
          {missing.length === 1 ? "it" : "them"}, open Credentials, Groups, Privileges in TrueNAS and add the
          roles to a privilege of one of the account's groups.
        </p>
        <form method="post" action={paths.setupStep("check")}>
          <button class="btn sm" type="submit">Check again</button>
        </form>
      </Notice>
      <form method="post" action={paths.setupStep("rights")}>
        <p class="actions">
          <button class="btn primary" type="submit">Continue</button>
          <a class="btn plain" href={paths.setup({ change: "account" })}>Use another account</a>
        </p>
      </form>
    </div>
  );
}
