/** The first steps of set-up: the NAS's address, and its certificate. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Field, Notice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { SecretField } from "./parts.tsx";

/** Setting the dashboard's own password. */
export function ProtectStep({ problems }: { problems: readonly Problem[] }) {
  return (
    <form method="post" action={paths.setupStep("protect")}>
      <p>
        The dashboard can be reached from other machines, so it needs a password. You sign in with it from now
        on.
      </p>
      <div class="pair">
        <SecretField
          name="dashboard_password"
          label="Dashboard password"
          problems={problems}
          autocomplete="new-password"
          help="At least 8 characters"
        />
        <SecretField
          name="dashboard_password_again"
          label="The same again"
          problems={problems}
          autocomplete="new-password"
        />
      </div>
      <p class="actions">
        <button class="btn primary" type="submit">Set the password</button>
      </p>
    </form>
  );
}

/** Props of the address. */
export interface AddressProps {
  readonly host: string;
  /** The NAS's own socket, if the program runs on the NAS. */
  readonly localSocket: string | null;
}

/** The NAS's address. */
export function AddressStep(
  { host, localSocket, problems }: AddressProps & { readonly problems: readonly Problem[] },
) {
  return (
    <form method="post" action={paths.setupStep("address")}>
      <Field
        name="host"
        label="Address of your NAS"
        value={host}
        problems={problems}
        help="A name or an IP address, as you type it to open TrueNAS in the browser, for example nas.lan."
      />
      <p class="actions">
        <button class="btn primary" type="submit">Connect</button>
        {localSocket === null
          ? null
          : <button class="btn" type="submit" name="local" value="yes">This machine is the NAS</button>}
      </p>
    </form>
  );
}

/** Props of the certificate. */
export interface CertificateProps {
  readonly host: string;
  /** `TrueNAS 24`, or with its API version. */
  readonly what: string;
  /** null: the connection is not encrypted. */
  readonly certificate: {
    readonly fingerprint: string;
    readonly subject: string;
    readonly validFrom: string;
    readonly validTo: string;
    readonly because: "issuer" | "name" | "date";
  } | null;
  /** The person says that the fingerprints differ. */
  readonly differs: boolean;
}

const BECAUSE = {
  issuer: "No authority has signed its certificate, which is usual at home.",
  name: "Its certificate was made for another name.",
  date: "Its certificate has expired or is not valid yet.",
} as const;

/** What a person compares before anything secret is sent. */
export function CertificateStep({ host, what, certificate, differs }: CertificateProps) {
  if (certificate === null) return <ClearStep host={host} what={what} />;
  const { fingerprint, subject, validFrom, validTo, because } = certificate;
  return (
    <form method="post" action={paths.setupStep("certificate")}>
      <p>
        <span dir="auto">{host}</span> answers as <b>{what}</b>. {BECAUSE[because]}{" "}
        Compare this fingerprint (SHA-256) with the one in TrueNAS, under Credentials, Certificates.
      </p>
      <input type="hidden" name="fingerprint" value={fingerprint} />
      <p class="print" role="img" aria-label={`SHA-256 fingerprint ${fingerprint}`}>
        {fingerprint.split(":").map((pair) => <span aria-hidden="true">{pair}</span>)}
      </p>
      <dl class="facts">
        <div>
          <dt>Made for</dt>
          <dd dir="auto">{subject}</dd>
        </div>
        <div>
          <dt>Valid</dt>
          <dd>{validFrom} to {validTo}</dd>
        </div>
      </dl>
      {differs ? <Differs host={host} /> : (
        <p class="help">
          From then on only this certificate is trusted, whoever else answers at that address.
        </p>
      )}
      <p class="actions">
        <button class={differs ? "btn" : "btn primary"} type="submit">
          <Icon name="shield" />
          {differs ? "They match after all" : "They match"}
        </button>
        {differs ? null : <a class="btn" href={paths.setup({ differs: "yes" })}>They differ</a>}
      </p>
    </form>
  );
}

function Differs({ host }: { host: string }) {
  return (
    <Notice tone="bad" role="alert">
      <p>
        <strong>Do not go on.</strong> Another machine may be answering as{" "}
        <span dir="auto">{host}</span>. Nothing secret was sent.
      </p>
      <p>
        Check that you look at the certificate that TrueNAS uses for its web interface (System, General
        Settings, GUI), and that the address is the NAS's own.
      </p>
      <p class="actions">
        <a class="btn sm primary" href={paths.setup({ change: "address" })}>Enter another address</a>
      </p>
    </Notice>
  );
}

function ClearStep({ host, what }: Pick<CertificateProps, "host" | "what">) {
  return (
    <form method="post" action={paths.setupStep("certificate")}>
      <p>
        <span dir="auto">{host}</span> answers as <b>{what}</b>.
      </p>
      <Notice tone="warn">
        <p>
          <strong>This connection is not encrypted.</strong>{" "}
          Others on the network can read the password that you enter next. TrueNAS revokes API keys that are
          sent like this, so only a password works.
        </p>
      </Notice>
      <input type="hidden" name="clear" value="yes" />
      <p class="actions">
        <a class="btn primary" href={paths.setup({ change: "address" })}>Use an encrypted address</a>
        <button class="btn" type="submit">Go on without encryption</button>
      </p>
    </form>
  );
}
